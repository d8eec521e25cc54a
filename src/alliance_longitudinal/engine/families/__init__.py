"""Responses that are not normal: families, integrals over the random effects, and their search."""
