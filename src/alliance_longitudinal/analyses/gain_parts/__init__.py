"""Sudden gains and losses: the criteria, what steady change would show, tables, figures, words."""
