"""Reads and scores what a clinic exports; knows instruments but no models."""
