"""A fit as text, tables and plain data."""
