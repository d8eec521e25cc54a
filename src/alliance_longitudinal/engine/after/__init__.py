"""What is asked of a fit once it is there: predictions, shares of variance, checks of its groups."""
