"""Scores that are missing because people left."""
