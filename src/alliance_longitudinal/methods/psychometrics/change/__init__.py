"""Reliable and clinically significant change."""
