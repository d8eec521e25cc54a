"""The interval of a proportion of clients when clients share therapists."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Proportion:
    """A proportion with its clustered uncertainty.

    Attributes
    ----------
    estimate, se : float
        ``se`` is cluster-robust (CR2), of the proportion itself.
    df : float
        Satterthwaite degrees of freedom of ``se``; infinite without clusters.
    low, high : float
        95 % interval.
    n, n_effective : int, float
        Clients, and the number of independent clients with the same standard error.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    n: int
    n_effective: float


def proportion(hits: NDArray[np.bool_], clusters: NDArray[np.object_] | None = None) -> Proportion:
    """Proportion of ``hits``, shape (n,), with a 95 % interval that respects ``clusters``, shape (n,).

    The standard error is the cluster-robust CR2 of a mean (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), which
    has a closed form: ``V = sum_g S_g^2 / (1 - n_g / n) / n^2`` with ``S_g`` the sum of the residuals of cluster g,
    and Satterthwaite degrees of freedom under independence. The interval is Wilson's with the effective number of
    clients ``p (1 - p) / V``, reduced by ``(z / t)^2`` for the degrees of freedom (Dean & Pagano 2015, doi
    10.1093/jssam/smv024, after Korn & Graubard 1998). An effective number above n is taken as n: clustering that is
    negative by chance does not make an interval narrower. Without clusters it is Wilson's interval.
    """
    from alliance_longitudinal.engine import distributions as stats

    n, p = len(hits), float(np.mean(hits))
    variance, df = p * (1 - p) / n, np.inf
    if clusters is not None and len(set(clusters)) > 1:
        codes = np.unique(clusters, return_inverse=True)[1]
        variance, df = _cr2(hits - p, codes)
    effective = min(p * (1 - p) / variance, n) if variance > 0 else float(n)
    t = float(stats.t.ppf(0.975, df))
    z = float(stats.norm.ppf(0.975))
    low, high = wilson(p, effective * (z / t) ** 2)
    return Proportion(p, float(np.sqrt(variance)), float(df), low, high, n, effective)


def correlation_of_proportions(
    one: tuple[NDArray[np.bool_], NDArray[np.object_]], other: tuple[NDArray[np.bool_], NDArray[np.object_]]
) -> float:
    """Correlation of two groups' proportions that have clusters in common, such as therapists with clients in both.

    From the CR2 covariance of the two means (Pustejovsky & Tipton 2018), whose adjustment of cluster g in group k is
    ``1 / sqrt(1 - n_gk / n_k)``. Zero where the groups share no cluster or a proportion is 0 or 1.

    Parameters
    ----------
    one, other : pair of arrays
        Hits and clusters of a group's rows.
    """
    names = np.unique(np.concatenate([one[1].astype(str), other[1].astype(str)]))
    sums = []
    for hits, clusters in (one, other):
        codes = np.searchsorted(names, clusters.astype(str))
        size = np.bincount(codes, minlength=len(names))
        total = np.bincount(codes, weights=hits - np.mean(hits), minlength=len(names))
        left = 1 - size / len(hits)
        sums.append(np.divide(total, np.sqrt(left), out=np.zeros(len(names)), where=left > 0))
    length = float(np.sqrt(np.sum(sums[0] ** 2) * np.sum(sums[1] ** 2)))
    return float(np.sum(sums[0] * sums[1])) / length if length > 0 else 0.0


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval (1927) of proportion ``p`` of ``n`` independent observations."""
    from alliance_longitudinal.engine import distributions as stats

    z2 = float(stats.norm.ppf(0.975)) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2) * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    # Of none and of all one limit is exact, whatever rounding leaves of the difference.
    return float(max(centre - half, 0.0)) if p > 0 else 0.0, float(min(centre + half, 1.0)) if p < 1 else 1.0


def _cr2(residuals: NDArray[np.floating[Any]], codes: NDArray[np.intp]) -> tuple[float, float]:
    """CR2 variance of a mean and its Satterthwaite df, for residuals of shape (n,)."""
    n = len(residuals)
    sizes = np.bincount(codes).astype(float)
    sums = np.bincount(codes, weights=residuals)
    leverage = sizes / n
    variance = float(np.sum(sums**2 / (1 - leverage)) / n**2)
    # Gram matrix of the vectors whose squared products with the residuals make the variance: n_g on the diagonal,
    # -sqrt(a_g a_k) / n beside it. Its trace is n.
    a = sizes**2 / (1 - leverage)
    squares = float(np.sum(sizes**2) + (np.sum(a) ** 2 - np.sum(a**2)) / n**2)
    return variance, n**2 / squares
