"""Power where a variance between therapists can be estimated as zero, as it often is with few of them."""

import math
from functools import lru_cache

import numpy as np

from alliance_longitudinal.methods.basics.given import effect_to_find, number_of, variance
from alliance_longitudinal.methods.basics.values import real
from alliance_longitudinal.methods.planning.closed_forms import ALPHA, power_between, two_sided

#: Quantiles of the two mean squares.
_BETWEEN, _WITHIN = 200, 40


def power_between_reml(effect: float, therapists: int, clients: float, tau: float, sigma2: float) -> float:
    """Power to detect the effect of a therapist characteristic with a mixed model whose variances cannot be negative.

    `power_between` uses the mean square between therapists as the error. REML uses it only if it is larger than
    the mean square within therapists. Otherwise the variance between therapists is estimated as zero, and the
    error pools both mean squares, which is larger (Searle, Casella & McCulloch 1992, Variance Components,
    section 3.8: equal caseloads). The test keeps ``therapists - 2`` degrees of freedom. With few therapists,
    its power is therefore lower than that of `power_between`; without an effect, fewer than 5 % of studies are
    significant. The power is averaged over both mean squares, which are independent and have chi-squared
    distributions with ``therapists - 2`` and ``therapists * clients - therapists - 1`` degrees of freedom.

    Parameters
    ----------
    effect : float
        Change in the outcome per standard deviation of the predictor.
    therapists : int
        At least 3.
    clients : float
        Clients per therapist. For unequal caseloads, give the equal caseload with the same information.
    tau, sigma2 : float
        Variances of the outcome between therapists and between clients of a therapist.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> round(methods.power_between(0.4, therapists=8, clients=6, tau=0.03, sigma2=0.6), 2)
    0.69
    >>> round(methods.power_between_reml(0.4, therapists=8, clients=6, tau=0.03, sigma2=0.6), 2)
    0.65
    """
    from scipy import stats

    effect = effect_to_find(effect)
    therapists = number_of("therapists", therapists, "therapists", 3)
    clients = real("clients", clients, "a number of clients per therapist, at least 1", least=1)
    tau = variance("tau", tau, "the variance between therapists", zero=True)
    sigma2 = variance("sigma2", sigma2)
    a, b = therapists - 2, therapists * clients - therapists - 1
    total = clients * tau + sigma2
    if b < 1:
        return power_between(effect, therapists, 1, 0.0, total / clients)
    limit = float(stats.t.isf(ALPHA / 2, a))
    return _averaged(
        abs(effect) * math.sqrt(clients * (therapists - 1)), total, sigma2, (a, b), (limit, limit)
    )


def power_within_reml(effect: float, therapists: int, clients: float, omega: float, sigma2: float) -> float:
    """Power to detect the effect of a client characteristic whose effect differs between therapists.

    The predictor has a standard deviation of 1 within therapists. Each therapist has an effect of their own, with
    a variance of ``omega`` between therapists; the power is that for the mean effect. Then
    ``se^2 = (omega + sigma2 / (clients - 1)) / therapists``: more clients per therapist reduce only the second
    part (Snijders & Bosker 2012, Multilevel Analysis, chapter 11). REML takes the mean square of the therapists'
    own slopes as the error, with ``therapists - 1`` degrees of freedom, if it is larger than the residual mean
    square. Otherwise ``omega`` is estimated as zero, and the error pools both mean squares and their degrees of
    freedom, as in `power_within`. The power is averaged over both mean squares (as in `power_between_reml`),
    which have chi-squared distributions with ``therapists - 1`` and ``therapists * (clients - 2)`` degrees of
    freedom.

    Parameters
    ----------
    effect : float
        Mean change in the outcome per standard deviation of the predictor.
    therapists : int
        At least 3.
    clients : float
        Clients per therapist, at least 2. For unequal caseloads, give the equal caseload with the same information.
    omega : float
        Variance of the effect between therapists.
    sigma2 : float
        Variance of the outcome between clients of a therapist.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> round(methods.power_within_reml(0.2, therapists=30, clients=10, omega=0, sigma2=1), 2)
    0.88
    >>> round(methods.power_within_reml(0.2, therapists=30, clients=10, omega=0.05, sigma2=1), 2)
    0.75
    """
    from scipy import stats

    effect = effect_to_find(effect)
    therapists = number_of("therapists", therapists, "therapists", 3)
    clients = real("clients", clients, "a number of clients per therapist, at least 2", least=2)
    omega = variance("omega", omega, "the variance of the effect between therapists", zero=True)
    sigma2 = variance("sigma2", sigma2)
    a, b = therapists - 1, therapists * (clients - 2)
    total = (clients - 1) * omega + sigma2
    scaled = abs(effect) * math.sqrt((clients - 1) * therapists)
    if b < 1:  # nothing is left to estimate the residual variance from
        return two_sided(scaled, math.sqrt(total), a)
    limits = float(stats.t.isf(ALPHA / 2, a)), float(stats.t.isf(ALPHA / 2, a + b))
    return _averaged(scaled, total, sigma2, (a, b), limits)


def _averaged(
    scaled: float, total: float, sigma2: float, df: tuple[float, float], limits: tuple[float, float]
) -> float:
    """Mean power over both mean squares: expectations ``total`` and ``sigma2``, degrees of freedom ``df``.

    ``scaled`` is the effect over its standard error at ``total = 1``; ``limits`` are the quantiles of t where the
    variance between therapists is estimated as positive, and where it is estimated as zero.
    """
    from scipy import stats

    (a, b), (x, p), (w, q) = df, _quantiles(df[0], _BETWEEN), _quantiles(df[1], _WITHIN)
    between, within = total * x[:, None], sigma2 * w[None, :]
    pooled = (between + within) / (a + b)
    positive = between / a > pooled  # the larger of the two is that of REML
    limit = np.where(positive, limits[0], limits[1]) * np.sqrt(
        np.where(positive, between / a, pooled) / total
    )
    shift = scaled / math.sqrt(total)
    found = stats.norm.cdf(shift - limit) + stats.norm.cdf(-shift - limit)
    return min(float(p @ found @ q), 1.0)


@lru_cache(maxsize=2048)
def _quantiles(df: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of a chi-squared distribution at the nodes of Gauss and Legendre, and their weights."""
    from scipy import stats

    nodes, weights = np.polynomial.legendre.leggauss(n)
    return np.asarray(stats.chi2.ppf((nodes + 1) / 2, df)), weights / 2
