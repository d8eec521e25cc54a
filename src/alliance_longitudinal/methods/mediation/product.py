"""The interval of a product of two estimates."""

from typing import NamedTuple

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import check_alpha
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.values import real

_NODES = 40


class Interval(NamedTuple):
    """Limits of an interval."""

    lower: float
    upper: float


def product_interval(a: float, se_a: float, b: float, se_b: float, alpha: float = 0.05) -> Interval:
    """Interval of an indirect effect ``a b`` from the exact distribution of the product of two normal estimates.

    ``P(AB < q) = E[Phi(+-(q / A - b) / se_b)]`` over ``A ~ N(a, se_a)`` is computed by quadrature on both sides
    of ``A = 0``. The limits are the quantiles alpha / 2 and 1 - alpha / 2 (MacKinnon et al. 2004, doi
    10.1207/s15327906mbr3901_4; Meeker & Escobar 1994). The estimates are assumed to be independent. Unlike
    Sobel's, the interval is not symmetric.

    Parameters
    ----------
    a, se_a, b, se_b : float
        Estimates and standard errors.
    alpha : float
        Error level of the interval.

    Returns
    -------
    Interval
        ``lower`` and ``upper``.

    Raises
    ------
    DataError
        If a number is missing or a standard error is not above 0.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> [round(limit, 5) for limit in methods.product_interval(0.30, 0.10, -0.50, 0.15)]
    [-0.30411, -0.03682]
    """
    from scipy import optimize

    a, b = (real(name, x, "an estimate, a finite number") for name, x in (("a", a), ("b", b)))
    se_a, se_b = (
        real(name, x, "a standard error, more than 0", above=0)
        for name, x in (("se_a", se_a), ("se_b", se_b))
    )
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
            values = [product_cdf(q, a, b) - p for q in ends]
            if values[0] < 0 < values[1]:
                break
            wide *= 2
        return unit * float(
            optimize.brentq(
                lambda q: product_cdf(q, a, b) - p, *ends, xtol=1e-13 * max(map(abs, ends)), rtol=1e-14
            )
        )

    return Interval(quantile(tail), quantile(1 - tail))


def product_cdf(q: float, a: float, b: float) -> float:
    """P(AB < q) for independent normal A and B with means ``a`` and ``b`` and standard deviations 1."""
    from scipy import stats

    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    for low, high, sign in ((a - 9.0, min(0.0, a + 9.0), -1.0), (max(0.0, a - 9.0), a + 9.0, 1.0)):
        if low >= high:
            continue
        for left, right in _pieces(low, high, q, b):
            x: Floats = left + (right - left) * (nodes + 1) / 2
            values = stats.norm.pdf(x - a) * stats.norm.cdf(sign * (q / x - b))
            total += float(weights @ values) * (right - left) / 2
    return total


def _pieces(low: float, high: float, q: float, b: float) -> "list[tuple[float, float]]":
    """Cut the range so that ``q / x - b`` changes little within a piece: near x = 0 it turns quickly."""
    steps = np.geomspace(1e-4, abs(b) + 9, 16)
    at = q / np.concatenate([steps, -steps, b + np.linspace(-8.1, 8.1, 12)])
    cuts = np.unique(np.r_[low, high, at[(at > low) & (at < high)]])
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
