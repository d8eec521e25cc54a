"""Texts of tables, the places where they stand, how they are read as numbers and dates, and what is wrong."""
