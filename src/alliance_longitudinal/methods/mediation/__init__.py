"""Indirect effects: products of coefficients, and models at one or two levels."""
