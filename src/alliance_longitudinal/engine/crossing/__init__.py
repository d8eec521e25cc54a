"""Crossed factors and multiple membership: sparse elimination, the densely connected rest as one block."""
