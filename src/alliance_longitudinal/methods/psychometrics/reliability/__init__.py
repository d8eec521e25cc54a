"""Reliability of forms and of changes, and agreement of raters."""
