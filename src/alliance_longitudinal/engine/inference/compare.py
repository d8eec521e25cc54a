"""Likelihood-ratio tests that refuse what cannot be compared."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.fitting.linalg import independent_columns
from alliance_longitudinal.engine.residuals.nesting import adds_boundary, special_case
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio test.

    Attributes
    ----------
    statistic : float
        Difference of the deviances.
    df : int
        Difference in the number of parameters.
    p : float
        From the chi-squared distribution with ``df`` degrees of freedom.
    p_boundary : float
        Where one random effect is tested (with its correlations): from the equal mixture of chi-squared with
        ``df - 1`` and ``df`` (Stram and Lee 1994, Biometrics 50:1171-1177), because a variance cannot be negative;
        else missing.
    note : str
        How to read it.
    """

    statistic: float
    df: int
    p: float
    p_boundary: float
    note: str


def likelihood_ratio(one: MixedFit, other: MixedFit) -> LikelihoodRatio:
    """Compare two fits, one nested in the other, given in either order.

    Raises
    ------
    FitError
        Different rows, criteria, or (under REML) fixed parts; not nested.
    """
    small, large = sorted((one, other), key=lambda f: f.n_parameters)
    _refuse(small, large)
    statistic = max(small.deviance - large.deviance, 0.0)
    df = large.n_parameters - small.n_parameters
    p = float(stats.chi2.sf(statistic, df))
    more_random = len(entries_of(large.design)) > len(entries_of(small.design))
    if not more_random and adds_boundary(small, large):
        half = 0.5 * (p + float(statistic <= 0))
        note = "The correlation cannot be negative, so p is too large; p_boundary allows for it."
        return LikelihoodRatio(statistic, df, p, half, note)
    if not more_random:
        return LikelihoodRatio(statistic, df, p, np.nan, "")
    one_effect = len(effects_of(large.design)) - len(effects_of(small.design)) == 1
    only = df == len(entries_of(large.design)) - len(entries_of(small.design))
    if not one_effect or not only:
        return LikelihoodRatio(statistic, df, p, np.nan, "A variance cannot be negative, so p is too large.")
    lower = stats.chi2.sf(statistic, df - 1) if df > 1 else float(statistic <= 0)
    note = "A variance cannot be negative, so p is too large; p_boundary allows for it when there are many groups."
    return LikelihoodRatio(statistic, df, p, float(0.5 * (p + lower)), note)


def _refuse(small: MixedFit, large: MixedFit) -> None:
    a, b = small.design, large.design
    if small.reml != large.reml:
        raise FitError(
            "One model is fitted by REML and the other by maximum likelihood. Fit both in the same way."
        )
    if len(a.y) != len(b.y) or not np.array_equal(a.y, b.y) or not _same_weights(a, b):
        raise FitError(
            f"The models are not fitted to the same rows ({len(a.y)} and {len(b.y)}), response and weights. Drop rows with "
            "missing values in any used column first."
        )
    if small.reml and not (
        set(a.names) == set(b.names) and np.allclose(a.x, b.x[:, [b.names.index(n) for n in a.names]])
    ):
        raise FitError(
            "Models with different fixed parts cannot be compared by REML: their criteria measure different data. "
            "Fit both with reml=False."
        )
    if small.n_parameters == large.n_parameters:
        raise FitError("The models have the same number of parameters; there is nothing to test.")
    both = np.concatenate([b.x, a.x], axis=1)
    if len(independent_columns(both)) > b.x.shape[1] or not entries_of(a) <= entries_of(b):
        raise FitError(
            "The models are not nested: each has a term that the other lacks. Compare them by AIC instead."
        )
    if not special_case(small, large):
        raise FitError(
            "The models are not nested: the residual structure of the smaller one is no special case of the larger one's "
            "(independence is one of every structure). Compare them by AIC instead."
        )


def _same_weights(a: Design, b: Design) -> bool:
    if a.weights is None or b.weights is None:
        return a.weights is b.weights
    return np.array_equal(a.weights, b.weights)


def effects_of(design: Design) -> set[tuple[frozenset[str], str]]:
    """Random effects: grouping columns and name."""
    return {(frozenset(design.factors[t.factor].columns), name) for t in design.terms for name in t.names}


def entries_of(design: Design) -> set[tuple[frozenset[str], frozenset[str]]]:
    """Free covariance entries: grouping columns and the pair of effects."""
    return {
        (frozenset(design.factors[t.factor].columns), frozenset((a, b)))
        for t in design.terms
        for a in t.names
        for b in t.names
    }
