"""Questions about rows and groups after a fit: residuals, influence, prediction intervals, shares of variance."""
