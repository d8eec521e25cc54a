"""From sessions to the rows and predictors of a model: windows, centring, weeks."""
