"""Repeated measures of people: lags, and parts within and between them."""
