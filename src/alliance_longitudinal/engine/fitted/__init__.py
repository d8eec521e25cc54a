"""What a fit says of its rows, effects and variances, as arrays and plain tables."""
