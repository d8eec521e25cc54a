"""Statistics of residuals with a structure, for every value of its parameters."""
