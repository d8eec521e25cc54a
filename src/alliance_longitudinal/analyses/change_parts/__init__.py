"""Reliable and clinically significant change: indices, cut-offs, categories, intervals, words."""
