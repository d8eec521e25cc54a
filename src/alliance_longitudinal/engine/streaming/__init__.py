"""Fits of data that come in batches: what a fit needs are sums over groups, and sums add up."""
