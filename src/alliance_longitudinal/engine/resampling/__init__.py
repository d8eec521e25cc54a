"""Simulation and bootstrap from the cross-products, without touching rows."""
