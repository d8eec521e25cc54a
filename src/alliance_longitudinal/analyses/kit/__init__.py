"""Pieces that several analyses use: selecting data, fitting with fallbacks, variance shares, checks."""
