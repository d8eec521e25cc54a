"""Correlation of two neighbours as a function of one unbounded parameter, with two derivatives.

`AR1`: ``phi = tanh(psi)`` and ``rho = phi^lag``. `CAR1`: ``rho = exp(-lag exp(-psi))``, where ``exp(psi)`` is the time in
which a correlation falls to ``1 / e``; another unit of time shifts ``psi``, so that nothing depends on it.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.statistics.structured.structure import AR1, Structure


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of the parameter at each lag: value, first and second derivative, each of shape (L,)."""

    value: Array
    first: Array
    second: Array


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the inverse of a series' correlation matrix and its determinant are made of.

    With correlation ``rho`` of a row and the one before, the inverse has ``1 + g(rho before) + g(rho after)`` on its
    diagonal and ``-h(rho)`` beside it; ``g = rho^2 / (1 - rho^2)``, ``h = rho / (1 - rho^2)``; its log-determinant is
    minus the sum of ``log(1 - rho^2)``.
    """

    g: Curve
    h: Curve
    log: Curve


def neighbours(structure: Structure, psi: float, lag: Array) -> Neighbours:
    """The functions of `Neighbours` at the given lags (internal units)."""
    rho, first, second, rest = _correlation(structure, psi, lag)
    square = rho**2

    def chain(value: Array, slope: Array, curve: Array) -> Curve:
        return Curve(value, slope * first, curve * first**2 + slope * second)

    return Neighbours(
        chain(square / rest, 2 * rho / rest**2, (2 + 6 * square) / rest**3),
        chain(rho / rest, (1 + square) / rest**2, rho * (6 + 2 * square) / rest**3),
        chain(np.log(rest), -2 * rho / rest, -2 * (1 + square) / rest**2),
    )


def correlation(structure: Structure, psi: float, lag: Array) -> Array:
    """Correlation at each lag."""
    return _correlation(structure, psi, lag)[0]


def _correlation(structure: Structure, psi: float, lag: Array) -> tuple[Array, Array, Array, Array]:
    """``rho``, its two derivatives, and ``1 - rho^2`` without cancellation."""
    if not isinstance(structure, AR1):
        x = lag * np.exp(-psi)
        rho = np.exp(-x)
        return rho, rho * x, rho * x * (x - 1), -np.expm1(-2 * x)
    phi = np.tanh(psi)
    slope = 1 - phi**2 if abs(psi) < 1 else 1 / np.cosh(psi) ** 2
    power = phi ** np.maximum(lag - 2, 0)  # with a gap of one step the second derivative of phi^lag is zero
    before = np.where(lag >= 2, power * phi, np.where(lag == 1, 1.0, 0.0))
    rho = np.where(lag >= 1, before * phi, 1.0)
    first = lag * before * slope
    second = lag * (lag - 1) * power * slope**2 - 2 * phi * slope * lag * before
    log_phi = np.log1p(-np.exp(-2 * abs(psi))) - np.log1p(np.exp(-2 * abs(psi))) if psi else -np.inf
    rest = -np.expm1(2 * np.where(lag > 0, lag * log_phi, 0.0)) if psi else np.ones_like(lag)
    return rho, first, second, rest
