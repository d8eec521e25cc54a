"""Generalised mixed models: binary, count and ordered responses, by Laplace's method or adaptive quadrature."""
