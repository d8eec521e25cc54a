"""Distributions of test statistics, without loading all of scipy.stats: that takes longer than most fits.

Same names and arguments as there, for the few functions that are needed.
"""

from typing import Any

import numpy as np
from scipy import special


class Normal:
    """Standard normal."""

    @staticmethod
    def cdf(x: Any) -> Any:
        """Probability below ``x``."""
        return special.ndtr(x)

    @staticmethod
    def sf(x: Any) -> Any:
        """Probability above ``x``."""
        return special.ndtr(-np.asarray(x, dtype=float))

    @staticmethod
    def ppf(p: Any) -> Any:
        """Quantile."""
        return special.ndtri(p)


class Student:
    """Student's t; the normal for infinite degrees of freedom."""

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """Probability above ``x``."""
        x, df = np.asarray(x, dtype=float), np.asarray(df, dtype=float)
        return np.where(np.isinf(df), special.ndtr(-x), special.stdtr(np.where(np.isinf(df), 1.0, df), -x))[
            ()
        ]

    @staticmethod
    def ppf(p: Any, df: Any) -> Any:
        """Quantile."""
        p, df = np.asarray(p, dtype=float), np.asarray(df, dtype=float)
        normal = special.ndtri(p)
        endless = np.isinf(df) | np.isinf(normal)  # beyond all probability every t is infinite
        return np.where(endless, normal, special.stdtrit(np.where(endless, 1.0, df), p))[()]


class ChiSquare:
    """Chi-square."""

    @staticmethod
    def sf(x: Any, df: Any) -> Any:
        """Probability above ``x``."""
        return special.chdtrc(df, np.maximum(x, 0.0))

    @staticmethod
    def ppf(p: Any, df: Any) -> Any:
        """Quantile."""
        return 2 * special.gammaincinv(np.asarray(df) / 2, p)


class Fisher:
    """F."""

    @staticmethod
    def sf(x: Any, numerator: Any, denominator: Any) -> Any:
        """Probability above ``x``; a chi-square's for infinite degrees of freedom of the denominator."""
        x, numerator, denominator = (np.asarray(a, dtype=float) for a in (x, numerator, denominator))
        endless = np.isinf(denominator)
        finite = special.fdtrc(numerator, np.where(endless, 1.0, denominator), np.maximum(x, 0.0))
        return np.where(endless, special.chdtrc(numerator, np.maximum(numerator * x, 0.0)), finite)[()]

    @staticmethod
    def ppf(p: Any, numerator: Any, denominator: Any) -> Any:
        """Quantile, for finite degrees of freedom."""
        return special.fdtri(numerator, denominator, p)


class Poisson:
    """Poisson."""

    @staticmethod
    def sf(x: Any, mean: Any) -> Any:
        """Probability above ``x``."""
        x = np.floor(np.asarray(x, dtype=float))
        return np.where(x < 0, 1.0, special.pdtrc(np.maximum(x, 0.0), mean))[()]


norm, t, chi2, f, poisson = Normal, Student, ChiSquare, Fisher, Poisson


def __getattr__(name: str) -> Any:
    """Anything else from scipy.stats, loaded when it is asked for."""
    from scipy import stats

    return getattr(stats, name)
