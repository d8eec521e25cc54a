"""Labels, tables and figures from plain data."""
