"""Kernels and compiled code; knows no statistics."""
