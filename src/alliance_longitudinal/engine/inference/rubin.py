"""Rubin's rules: what imputation adds to the variance of estimates, and the degrees of freedom that follow."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array


@dataclass(frozen=True, slots=True)
class Shares:
    """What imputation adds to the uncertainty of some estimates; each of shape (r,).

    Attributes
    ----------
    riv : relative increase in variance due to missing values, ``(1 + 1/m) B / U``
    lambda_ : share of the variance due to missing values, ``(1 + 1/m) B / T``
    fmi : fraction of missing information, ``(riv + 2 / (df + 3)) / (1 + riv)``
    df : degrees of freedom
    """

    riv: Array
    lambda_: Array
    fmi: Array
    df: Array


def shares_of(m: int, within: Array, between: Array, complete: Array) -> Shares:
    """Barnard and Rubin's degrees of freedom and what depends on them.

    Barnard and Rubin (1999), eqs 3-5: ``1 / df = 1 / df_old + 1 / df_obs``, ``df_old = (m - 1) / lambda^2``,
    ``df_obs = (c + 1) / (c + 3) c (1 - lambda)`` with the complete-data value ``c``.

    Parameters
    ----------
    m : int
        Number of data sets.
    within, between, complete : ndarray, shape (r,)
        Mean variance within, variance between, complete-data degrees of freedom (may be infinite).
    """
    extra = (1 + 1 / m) * between
    lambda_ = extra / (within + extra)
    with np.errstate(divide="ignore"):
        old = (m - 1) / lambda_**2
        observed = np.where(np.isinf(complete), np.inf, 0.0)
        finite = np.isfinite(complete)
        c = complete[finite]
        observed[finite] = (c + 1) / (c + 3) * c * (1 - lambda_[finite])
        df = 1 / (1 / old + 1 / observed)
    riv = extra / within
    return Shares(riv, lambda_, (riv + 2 / (df + 3)) / (1 + riv), df)


def joint_df(m: int, k: int, r: float, complete: float) -> float:
    """Denominator degrees of freedom of D1: Reiter's (2007, eq. 2.6), Li and others' where the former do not exist.

    Parameters
    ----------
    m, k : int
        Data sets, contrasts.
    r : float
        Mean relative increase in variance.
    complete : float
        Complete-data degrees of freedom; may be infinite.
    """
    t = k * (m - 1)
    if r <= 0:
        return complete
    large = 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2
    if np.isinf(complete):
        return float(large)
    star = (complete + 1) / (complete + 3) * complete
    a = r * t / (t - 2) if t > 2 else np.inf
    c1, c2 = star - 2 * (1 + a), star - 4 * (1 + a)
    if t <= 4 or c2 <= 0:
        return float(min(large, star / (1 + r)))
    z = a**2 * c1 / ((1 + a) ** 2 * c2) + 8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2)
    z += 4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3 + 8 * a**2 / c2**2
    return float(4 + 1 / (1 / c2 + z / (t - 4)))
