"""Power for differences between therapists whose caseloads are not equal."""

from collections.abc import Sequence

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.given import number_of, share_of_variance, sizes
from alliance_longitudinal.methods.planning.closed_forms import VariancePower


def power_variance_unequal(
    caseloads: Sequence[int], icc: float, n_sim: int = 10_000, seed: int = 0
) -> VariancePower:
    """Power to detect differences between therapists, and probability of an estimate of zero, for any caseloads.

    There is one score per client. The distribution of the restricted likelihood ratio is simulated with and
    without variance between therapists (Crainiceanu & Ruppert 2004, doi 10.1111/j.1467-9868.2004.00438.x,
    theorem 1). Of the caseloads, it needs only the eigenvalues of ``diag(n) - n n' / N`` for caseloads ``n`` of
    ``N`` clients. With equal caseloads the test is the F test of `power_variance`, which needs no simulation.

    Parameters
    ----------
    caseloads : sequence of int
        Clients of each therapist, at least 1 each. There must be at least two therapists, one of them with at
        least two clients.
    icc : float
        True share of the variance between therapists, at least 0 and below 1.
    n_sim : int
        Number of draws from each distribution; both probabilities have a Monte Carlo error of
        ``sqrt(p (1 - p) / n_sim)``.
    seed : int

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
    >>> found = methods.power_variance_unequal([1, 2, 3, 5, 8, 13, 21, 34] * 3, icc=0.05)
    >>> round(found.zero, 1), round(found.power, 1)
    (0.1, 0.5)
    """
    from alliance_longitudinal.engine.inference.variance_power import draws_of_ratio

    n = np.array(sizes("caseloads", caseloads), dtype=float)
    icc = share_of_variance("icc", icc)
    n_sim = number_of("n_sim", n_sim, "draws", 100)
    if len(n) < 2 or n.max() < 2:
        raise DataError(
            "caseloads needs at least two therapists, and at least one therapist with two clients."
        )
    mu = np.clip(np.linalg.eigvalsh(np.diag(n) - np.outer(n, n) / n.sum()), 0.0, None)
    found = draws_of_ratio(mu, int(n.sum()), 1, icc / (1 - icc), n_sim, np.random.default_rng(seed))
    return VariancePower(found.zero, found.power)
