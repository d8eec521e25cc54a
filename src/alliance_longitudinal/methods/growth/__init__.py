"""Courses over time: their shapes, and what to expect of a new person."""
