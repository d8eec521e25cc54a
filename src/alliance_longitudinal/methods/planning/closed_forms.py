"""Clients and power of a planned study, without simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.given import (
    correlation,
    desired_power,
    different_times,
    effect_to_find,
    number_of,
    share_of_variance,
    variance,
)

#: Level of the tests.
ALPHA = 0.05
_NODES = 400


def power_slopes(
    difference: float,
    times: Sequence[float],
    sigma2: float,
    rho: float,
    power: float = 0.8,
    one_sided: bool = True,
) -> int:
    """Clients per arm that a trial needs to detect a difference between two arms' rates of change.

    ``m = 2 (z_alpha + z_power)^2 sigma2 (1 - rho) / (S difference^2)``, with ``S`` the sum of squared
    deviations of the times from their mean: every client is assessed at all ``times``, and a client's scores
    correlate equally (Diggle, Heagerty, Liang & Zeger 2002, Analysis of Longitudinal Data, 2nd ed., section
    2.4). The level is 5 %. The formula does not allow for dropout.

    Parameters
    ----------
    difference : float
        Difference between the arms' slopes per unit of time.
    times : sequence of float
        Times of the assessments.
    sigma2 : float
        Variance of a score at one time.
    rho : float
        Correlation of two scores of a client, at least 0 and below 1.
    power : float
        Desired probability of detecting the difference.
    one_sided : bool
        Whether the test is one-sided.

    Returns
    -------
    int
        Clients per arm, rounded up.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> methods.power_slopes(0.5, [0, 2, 5], sigma2=100, rho=0.2)
    313
    """
    from scipy import stats

    difference = effect_to_find(difference, "difference")
    if difference == 0:
        raise DataError("difference is 0; no number of clients finds a difference that is not there.")
    sigma2 = variance("sigma2", sigma2)
    rho = correlation("rho", rho, negative=False)
    power = desired_power(power)
    when = np.array(different_times(times))
    spread = float(np.sum((when - when.mean()) ** 2))
    z = stats.norm.isf(ALPHA if one_sided else ALPHA / 2) + stats.norm.ppf(power)
    clients = 2 * z**2 * sigma2 * (1 - rho) / (spread * difference**2) if z > 0 else 1.0
    return max(math.ceil(clients - 1e-9), 1)


def power_between(effect: float, therapists: int, clients: int, tau: float, sigma2: float) -> float:
    """Power to detect the effect of a therapist characteristic, such as mean alliance or experience.

    The predictor has a standard deviation of 1 between therapists.
    ``se^2 = (tau + sigma2 / clients) / (therapists - 1)``; the test is a two-sided t test at 5 % with
    ``therapists - 2`` degrees of freedom, and its power comes from the noncentral t distribution (Snijders &
    Bosker 2012, Multilevel Analysis, chapter 11). More clients per therapist reduce only the part
    ``sigma2 / clients``; ``tau`` remains.

    Parameters
    ----------
    effect : float
        Change in the outcome per standard deviation of the predictor.
    therapists, clients : int
        Number of therapists (at least 3) and of clients per therapist.
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
    >>> round(methods.power_between(0.2, therapists=40, clients=10, tau=0.05, sigma2=0.95), 3)
    0.892
    >>> round(methods.power_between(0.2, therapists=10, clients=40, tau=0.05, sigma2=0.95), 3)
    0.493
    """
    effect = effect_to_find(effect)
    j = number_of("therapists", therapists, "therapists", 3)
    n = number_of("clients", clients, "clients per therapist", 1)
    tau = variance("tau", tau, "the variance between therapists", zero=True)
    sigma2 = variance("sigma2", sigma2)
    return two_sided(effect, math.sqrt((tau + sigma2 / n) / (j - 1)), j - 2)


def power_within(effect: float, therapists: int, clients: int, sigma2: float) -> float:
    """Power to detect the effect of a client characteristic among the clients of a therapist.

    The predictor has a standard deviation of 1 within therapists. With ``N = therapists * clients`` clients in
    all, ``se^2 = sigma2 / (N - therapists)``. The test is a two-sided t test at 5 % with ``N - therapists - 1``
    degrees of freedom (as in `power_between`; differences between therapists do not enter).

    Parameters
    ----------
    effect : float
        Change in the outcome per standard deviation of the predictor.
    therapists, clients : int
        Number of therapists, and of clients per therapist (at least 2).
    sigma2 : float
        Variance of the outcome between clients of a therapist.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    DataError
        If a value lies outside its limits, or too few clients are left.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> round(methods.power_within(0.2, therapists=20, clients=10, sigma2=0.95), 3)
    0.782
    """
    effect = effect_to_find(effect)
    j = number_of("therapists", therapists, "therapists", 1)
    n = number_of("clients", clients, "clients per therapist", 2)
    sigma2 = variance("sigma2", sigma2)
    left = j * n - j
    if left < 2:
        raise DataError(
            f"{j * n} clients of {j} therapist leave no degrees of freedom. Plan at least 3 clients."
        )
    return two_sided(effect, math.sqrt(sigma2 / left), left - 1)


def power_partial(effect: float, groups: int, size: int, controls: int, icc: float) -> float:
    """Power of a trial in which clients share therapists (or therapy groups) in only one arm.

    The outcome has a variance of 1 in both arms; a share ``icc`` of it lies between the therapists of the
    treated arm. ``v1 = (icc + (1 - icc) / size) / groups`` and ``v0 = 1 / controls`` are the variances of the
    arms' means; the t test of their difference has Satterthwaite's degrees of freedom
    ``(v1 + v0)^2 / (v1^2 / (groups - 1) + v0^2 / (controls - 1))`` (Moerbeek & Wong 2008, doi 10.1002/sim.3208;
    Satterthwaite 1946, doi 10.2307/3002019). The test is two-sided at 5 %.

    Parameters
    ----------
    effect : float
        Difference between the arms' means in standard deviations.
    groups, size : int
        Number of therapists or groups in the treated arm (at least 2), and of clients per therapist or group.
    controls : int
        Clients without a therapist (at least 2).
    icc : float
        Share of the variance between groups, at least 0 and below 1.

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
    >>> round(methods.power_partial(0.5, groups=8, size=10, controls=80, icc=0.05), 3)
    0.774
    >>> round(methods.power_partial(0.5, groups=8, size=10, controls=80, icc=0), 3)
    0.86
    """
    effect = effect_to_find(effect)
    k = number_of("groups", groups, "groups", 2)
    n = number_of("size", size, "clients per group", 1)
    c = number_of("controls", controls, "clients", 2)
    icc = share_of_variance("icc", icc)
    treated, untreated = (icc + (1 - icc) / n) / k, 1 / c
    df = (treated + untreated) ** 2 / (treated**2 / (k - 1) + untreated**2 / (c - 1))
    return two_sided(effect, math.sqrt(treated + untreated), df)


@dataclass(frozen=True, slots=True)
class VariancePower:
    """What a study can tell of differences between therapists.

    Attributes
    ----------
    zero : float
        Probability that the estimate is zero although therapists differ.
    power : float
        Probability that the F test finds the differences (5 %).
    """

    zero: float
    power: float


def power_variance(therapists: int, clients: int, icc: float) -> VariancePower:
    """Exact power to detect differences between therapists, and exact probability of an estimate of zero.

    For equal caseloads and one score per client, the ratio of mean squares divided by ``1 + clients * l``, with
    ``l = icc / (1 - icc)``, has an F distribution with ``therapists - 1`` and ``therapists * (clients - 1)``
    degrees of freedom. The REML estimate is zero if the ratio is at most 1 (Searle, Casella & McCulloch 1992,
    Variance Components, section 3.5).

    Parameters
    ----------
    therapists, clients : int
        Number of therapists and of clients per therapist, each at least 2.
    icc : float
        True share of the variance between therapists, at least 0 and below 1.

    Returns
    -------
    VariancePower
        ``zero`` and ``power``.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> found = methods.power_variance(20, 5, icc=0.05)
    >>> round(found.zero, 3), round(found.power, 3)
    (0.29, 0.172)
    """
    from scipy import stats

    j = number_of("therapists", therapists, "therapists", 2)
    n = number_of("clients", clients, "clients per therapist", 2)
    icc = share_of_variance("icc", icc)
    scale, df = 1 + n * icc / (1 - icc), (j - 1, j * (n - 1))
    critical = float(stats.f.isf(ALPHA, *df))
    return VariancePower(float(stats.f.cdf(1 / scale, *df)), float(stats.f.sf(critical / scale, *df)))


def two_sided(effect: float, se: float, df: float) -> float:
    """Power of a two-sided t test at 5 %, both tails counted.

    ``P(|T| > c) = E[Phi(d - c S) + Phi(-d - c S)]`` over ``S = chi_df / sqrt(df)`` by Gauss-Legendre quadrature: SciPy's
    noncentral t is missing at ordinary values (a noncentrality of 14 with 179 degrees of freedom).
    """
    from scipy import stats

    critical, ncp = float(stats.t.isf(ALPHA / 2, df)), abs(effect) / se
    if math.isinf(df):
        return float(stats.norm.cdf(ncp - critical) + stats.norm.cdf(-ncp - critical))
    high = float(stats.chi.isf(1e-15, df))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    u = (nodes + 1) / 2
    chi = (
        high * u**4
    )  # with few degrees of freedom the density has a corner at zero, which the fourth power smooths
    density = stats.chi.pdf(chi, df) * 2 * high * u**3 * weights
    limit = critical * chi / math.sqrt(df)
    return min(float(density @ (stats.norm.cdf(ncp - limit) + stats.norm.cdf(-ncp - limit))), 1.0)
