"""Sudden gains and losses."""
