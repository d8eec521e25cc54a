"""Runs notebooks, writes reports, batches and manifests."""
