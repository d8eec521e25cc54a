"""What a design can tell of a variance: power of its test, and the chance that its estimate is zero.

The restricted likelihood ratio of one variance has the same form whatever the variance is (``restricted_lrt``): with a true
relative variance ``lam0`` the squared normals only have expectations ``1 + lam0 mu_s`` (Crainiceanu and Ruppert 2004,
theorem 1). The estimate is zero where the ratio is greatest at zero. With a level below, its variance over the residual's is
taken as known, but its groups are the units whose number makes the degrees of freedom (`_units`).
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.boundary_tests import refuse_unknown
from alliance_longitudinal.engine.inference.restricted_lrt import MOST_GROUPS, eigenvalues, simulate_null
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.errors import FitError

#: Level of the test.
ALPHA = 0.05
#: A statistic below this is zero: the peak is at zero.
_ZERO = 1e-9


@dataclass(frozen=True, slots=True)
class VariancePower:
    """What a design can tell of a variance.

    Attributes
    ----------
    zero : float
        Probability that the estimate is zero.
    power : float
        Probability that the restricted likelihood-ratio test finds the variance (5 %).
    n_sim : int
        Draws behind both.
    """

    zero: float
    power: float
    n_sim: int


def variance_power(fit: MixedFit, group: str, variance: float, n_sim: int, seed: int | None) -> VariancePower:
    """Power for the only effect of a grouping; see `MixedModelResults.variance_power`."""
    refuse_unknown(fit, group)
    if not (np.isfinite(variance) and variance >= 0):
        raise FitError(f"variance is {variance!r}. Give a variance, a number of at least 0.")
    if n_sim < 100:
        raise FitError(f"The distribution of the statistic needs at least 100 draws, not {n_sim}.")
    terms = [t for t, term in enumerate(fit.design.terms) if term.group == group]
    if len(terms) > 1 or len(fit.design.terms[terms[0]].names) > 1:
        raise FitError(
            f"{group} has several random effects. The power for one variance is available where it is the only effect of "
            "its grouping."
        )
    if fit.residual is not None:
        raise FitError("The power for a variance is not available with a residual structure.")
    if fit.basis.products is not None:
        raise FitError(
            "The power for a variance needs the rows of the data. Fit them in memory with from_formula."
        )
    term = fit.design.terms[terms[0]]
    groups = fit.design.factors[term.factor].size
    if groups > MOST_GROUPS:
        raise FitError(
            f"{group} has {groups} groups; the distribution is simulated for at most {MOST_GROUPS}."
        )
    mu = eigenvalues(fit, terms[0], list(fit.record.best.relative))
    inner = float(fit.basis.b[terms[0]][0, 0])  # internal effects per effect in the user's units
    relative = variance / fit.scale * inner**2
    return draws_of_ratio(mu, _units(fit, terms[0]), fit.blocks.p, relative, n_sim, generator(seed))


def _units(fit: MixedFit, term: int) -> int:
    """Units that the groups are compared by: those of the next level below, or rows.

    The variance of the next level is estimated, too. In a balanced design the restricted likelihood then factors, and the
    ratio is that of the units' means in a design of one level: as many residual degrees of freedom as units.
    """
    factors, own = fit.design.factors, fit.design.terms[term].factor
    groups = factors[own].codes
    below = []
    for f in {t.factor for t in fit.design.terms} - {own}:
        pairs = np.unique(np.stack([factors[f].codes, groups]), axis=1).shape[1]
        if pairs == factors[f].size > factors[own].size:
            below.append(factors[f].size)
    return min(below, default=fit.blocks.n)


def draws_of_ratio(
    mu: Array, n: int, p: int, relative: float, n_sim: int, rng: np.random.Generator
) -> VariancePower:
    """Power and chance of zero from the eigenvalues ``mu`` of ``Z'P0 Z`` (G,) and the variance over the residual's."""
    null = simulate_null(mu, n, p, n_sim, rng)
    found = simulate_null(mu, n, p, n_sim, rng, relative)
    critical = max(float(np.quantile(null, 1 - ALPHA)), _ZERO)
    return VariancePower(float(np.mean(found <= _ZERO)), float(np.mean(found > critical)), n_sim)
