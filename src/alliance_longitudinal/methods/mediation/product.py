"""The interval of a product of two estimates."""

import math
from typing import NamedTuple

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import check_alpha
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.values import real

_NODES = 40
_DF = "degrees of freedom, more than 0; infinite for a normal estimate"


class Interval(NamedTuple):
    """Limits of an interval."""

    lower: float
    upper: float


def product_interval(
    a: float,
    se_a: float,
    b: float,
    se_b: float,
    alpha: float = 0.05,
    df_a: float = math.inf,
    df_b: float = math.inf,
) -> Interval:
    """Interval of an indirect effect ``a b`` from the exact distribution of the product of two estimates.

    ``P(AB < q) = E[Phi(+-(q / A - b) / se_b)]`` over ``A ~ N(a, se_a)`` is computed by quadrature on both sides
    of ``A = 0``. The limits are the quantiles alpha / 2 and 1 - alpha / 2 (MacKinnon et al. 2004, doi
    10.1207/s15327906mbr3901_4; Meeker & Escobar 1994). The estimates are assumed to be independent. Unlike
    Sobel's, the interval is not symmetric. If a standard error has few degrees of freedom, as with few therapists,
    the estimate has a t distribution instead of the normal one, so the interval is wider.

    Parameters
    ----------
    a, se_a, b, se_b : float
        Estimates and standard errors.
    alpha : float
        Error level of the interval.
    df_a, df_b : float
        Degrees of freedom of the standard errors; infinite for normal estimates.

    Returns
    -------
    Interval
        ``lower`` and ``upper``.

    Raises
    ------
    DataError
        If a number is missing, or a standard error or degrees of freedom are not above 0.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> [round(limit, 5) for limit in methods.product_interval(0.30, 0.10, -0.50, 0.15)]
    [-0.30411, -0.03682]
    >>> [round(limit, 5) for limit in methods.product_interval(0.30, 0.10, -0.50, 0.15, df_a=10, df_b=10)]
    [-0.32381, -0.02099]
    """
    from scipy import optimize

    a, b = (real(name, x, "an estimate, a finite number") for name, x in (("a", a), ("b", b)))
    se_a, se_b = (
        real(name, x, "a standard error, more than 0", above=0)
        for name, x in (("se_a", se_a), ("se_b", se_b))
    )
    df = [
        math.inf if x == math.inf else real(name, x, _DF, above=0)
        for name, x in (("df_a", df_a), ("df_b", df_b))
    ]
    tail = check_alpha(alpha) / 2
    if tail < 1e-9:
        raise DataError(f"alpha is {alpha:g}; it is too small for the distribution of the product.")
    mean, scale = a * b, float(np.sqrt((a * se_b) ** 2 + (b * se_a) ** 2 + (se_a * se_b) ** 2))
    a, b = a / se_a, b / se_b
    unit = se_a * se_b

    def quantile(p: float) -> float:
        wide = 10.0
        while True:
            ends = [(mean - wide * scale) / unit, (mean + wide * scale) / unit]
            values = [product_cdf(q, a, b, *df) - p for q in ends]
            if values[0] < 0 < values[1]:
                break
            wide *= 2
        return unit * float(
            optimize.brentq(
                lambda q: product_cdf(q, a, b, *df) - p, *ends, xtol=1e-13 * max(map(abs, ends)), rtol=1e-14
            )
        )

    return Interval(quantile(tail), quantile(1 - tail))


def product_cdf(q: float, a: float, b: float, df_a: float = math.inf, df_b: float = math.inf) -> float:
    """P(AB < q) for independent A and B: normal, or t with these degrees of freedom, around ``a`` and ``b`` with scale 1."""
    from scipy import special, stats

    cuts, far = _tail(df_a)
    wide = _tail(df_b)[1]
    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    for low, high, sign in ((a - far, min(0.0, a + far), -1.0), (max(0.0, a - far), a + far, 1.0)):
        if low >= high:
            continue
        edges = _edges(low, high, q, b, a + cuts, wide)
        length = np.diff(edges)
        x: Floats = edges[:-1, None] + length[:, None] * (nodes + 1) / 2
        density = stats.norm.pdf(x - a) if df_a == math.inf else stats.t.pdf(x - a, df_a)
        at = sign * (q / x - b)
        below = special.ndtr(at) if df_b == math.inf else special.stdtr(df_b, at)
        total += float(length @ (density * below) @ weights) / 2
    return total


def _tail(df: float) -> "tuple[Floats, float]":
    """Where to cut the range of an estimate, around it, and how far from it the range ends: beyond is nothing that counts."""
    if df == math.inf:
        return np.empty(0), 9.0
    from alliance_longitudinal.engine import distributions as stats

    cuts = -stats.t.ppf(10.0 ** -np.arange(1, 14), df)
    return np.r_[-cuts, cuts], float(cuts[-1])


def _edges(low: float, high: float, q: float, b: float, more: Floats, far: float) -> Floats:
    """Edges of pieces of the range in which ``q / x - b`` changes little: near x = 0 it turns quickly."""
    steps = np.geomspace(1e-4, abs(b) + far, 16 + 4 * int(np.log10(far)))
    at = np.r_[q / np.concatenate([steps, -steps, b + np.linspace(-8.1, 8.1, 12)]), more]
    return np.unique(np.r_[low, high, at[(at > low) & (at < high)]])
