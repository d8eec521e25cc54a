"""Tests of many pairs at once: adjusted p-values and simultaneous limits."""

import numpy as np

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array


def adjusted(t: Array, df: Array, adjust: str, means: int) -> Array:
    """Two-sided p-values of t statistics (r,).

    Parameters
    ----------
    t, df : ndarray, shape (r,)
    adjust : {"none", "holm", "tukey"}
        Holm (1979), Scand J Stat 6:65-70; Tukey's honest significant difference from the studentized range of ``means``
        means, with each pair's own degrees of freedom (Kramer 1956, Biometrics 12:307-310, for unequal precision).
    means : int
        Number of means that the pairs are of.
    """
    if adjust == "tukey" and means > 2:
        return np.asarray(stats.studentized_range.sf(np.sqrt(2) * np.abs(t), means, df))
    p: Array = np.asarray(2 * stats.t.sf(np.abs(t), df))
    return holm(p) if adjust == "holm" else p


def holm(p: Array) -> Array:
    """Step-down Bonferroni; missing p-values are not counted."""
    out = np.full_like(p, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def half_width(df: Array, adjust: str, means: int, alpha: float) -> Array:
    """Standard errors to either side of a difference: Tukey's, Bonferroni's for Holm's (which has no limits), or t."""
    if adjust == "tukey" and means > 2:
        return np.asarray(stats.studentized_range.ppf(1 - alpha, means, df) / np.sqrt(2))
    share = alpha / len(df) if adjust == "holm" else alpha
    return np.asarray(stats.t.ppf(1 - share / 2, df))
