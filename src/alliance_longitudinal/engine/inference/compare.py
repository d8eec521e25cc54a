"""Likelihood-ratio tests that refuse what cannot be compared."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Factor, parents
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_nesting import adds_boundary, special_case
from alliance_longitudinal.engine.inference.boundary_tests import mixture_p
from alliance_longitudinal.engine.linalg.matrices import independent_columns
from alliance_longitudinal.errors import FitError

_MIXTURE = (
    "A variance cannot be negative, so p_chi2 is too large. The mixture is correct for many "
    "groups. For few groups, variance_tests() of a linear mixed model simulates the distribution."
)
_TOO_LARGE = (
    "A variance cannot be negative, so p is too large, and no mixture is known for this "
    "difference. Leave out the effects one at a time."
)


_FEW_GROUPS = (
    "For a fixed effect that differs between few groups this test rejects too often: 8 to 9 % of true null hypotheses at the "
    "5 % level in simulations. Prefer f_test() of a fit by REML."
)


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
        From `distribution`.
    distribution : str
        ``chi2(df)``; or, where one random effect (with its covariances) or a correlation that cannot be negative is
        tested, the equal mixture of chi-squared with ``df - 1`` and ``df`` (Stram and Lee 1994, Biometrics
        50:1171-1177), because the null value lies on the boundary. For many groups.
    p_chi2 : float
        From the chi-squared distribution with ``df`` degrees of freedom, as other programs have it.
    note : str
        How to read it.
    """

    statistic: float
    df: int
    p: float
    distribution: str
    p_chi2: float
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
    effects = len(effects_of(large.design)) - len(effects_of(small.design))
    only = df == len(entries_of(large.design)) - len(entries_of(small.design))
    one_bound = (effects == 1 and only) or (effects == 0 and adds_boundary(small, large))
    found = verdict(statistic, df, one_bound, bool(effects))
    return replace(found, note=_FEW_GROUPS) if len(small.beta) < len(large.beta) and not found.note else found


def verdict(statistic: float, df: int, one_bound: bool, variances: bool) -> LikelihoodRatio:
    """The test by the distribution that holds.

    Parameters
    ----------
    one_bound : bool
        Whether one parameter lies on its boundary under the null hypothesis, with nothing but its covariances beside it.
    variances : bool
        Whether variances are tested at all.
    """
    plain = float(stats.chi2.sf(statistic, df))
    if one_bound:
        words = f"equal mixture of {f'chi2({df - 1})' if df > 1 else '0'} and chi2({df})"
        return LikelihoodRatio(statistic, df, mixture_p(statistic, df), words, plain, _MIXTURE)
    return LikelihoodRatio(statistic, df, plain, f"chi2({df})", plain, _TOO_LARGE if variances else "")


def refuse_other_kinds(one: object, other: object) -> None:
    """Stop where two results are not of the same kind of model.

    Raises
    ------
    FitError
        With both kinds.
    """
    if type(one) is not type(other):
        raise FitError(
            f"A likelihood-ratio test compares two fits of the same kind; these are a {type(one).__name__} and a "
            f"{type(other).__name__}. Fit both with the same family."
        )


def _refuse(small: MixedFit, large: MixedFit) -> None:
    if small.reml != large.reml:
        raise FitError(
            "One model is fitted by REML and the other by maximum likelihood. Fit both in the same way."
        )
    nested = _fixed_in_batches if _from_batches(small, large) else _fixed_in_rows
    inside = nested(small, large)
    if small.n_parameters == large.n_parameters:
        raise FitError("The models have the same number of parameters; there is nothing to test.")
    if not inside or not entries_of(small.design, large.design) <= entries_of(large.design):
        raise FitError(
            "The models are not nested: each has a term that the other lacks. Compare them by AIC instead."
        )
    if not special_case(small, large):
        raise FitError(
            "The models are not nested: the residual structure of the smaller one is not a special case of the larger one's "
            "(independence is a special case of every structure). Compare them by AIC instead."
        )


def _from_batches(small: MixedFit, large: MixedFit) -> bool:
    """Whether both fits are without rows."""
    designs: list[object] = [small.design, large.design]
    without = [not isinstance(design, Design) for design in designs]
    if any(without) and not all(without):
        raise FitError(
            "One fit was made from batches and the other from rows in memory, so it is not known "
            "whether their rows are the same. Fit both in the same way."
        )
    return all(without)


def _fixed_in_rows(small: MixedFit, large: MixedFit) -> bool:
    """Whether the fixed part of the smaller fit lies in that of the larger one; refuses fits of different data."""
    a, b = small.design, large.design
    if len(a.y) == len(b.y) and not np.array_equal(a.y, b.y) and a.index.equals(b.index):
        raise FitError(
            "The models have different responses, or values of the response that differ. Fit both to the same one."
        )
    if len(a.y) != len(b.y) or not np.array_equal(a.y, b.y) or not same(a.weights, b.weights):
        raise _other_rows(len(a.y), len(b.y))
    if not same(a.offset, b.offset):
        raise FitError("The models have different offsets, so that neither is a special case of the other.")
    if small.reml and not (
        set(a.names) == set(b.names) and np.allclose(a.x, b.x[:, [b.names.index(n) for n in a.names]])
    ):
        raise _other_restriction()
    both = np.concatenate([b.x, a.x], axis=1)
    return bool(len(independent_columns(both)) == b.x.shape[1])


def _fixed_in_batches(small: MixedFit, large: MixedFit) -> bool:
    """The same by the names of the columns, and by sums over the rows."""
    a, b = cast(Any, small.design), cast(Any, large.design)
    one, other = np.array(a.stamp), np.array(b.stamp)
    root = np.sqrt(one[1])  # of sums that may cancel
    size = np.array([np.sqrt(a.n) * root, one[1], one[2], one[2] * root])
    # sums over other batches differ by rounding
    if a.n != b.n or a.weighted != b.weighted or (np.abs(one - other) > 1e-9 * size).any():
        raise _other_rows(a.n, b.n)
    if small.reml and set(a.names) != set(b.names):
        raise _other_restriction()
    return bool(set(a.names) <= set(b.names))


def _other_rows(a: int, b: int) -> FitError:
    return FitError(
        f"The models are not fitted to the same rows ({a} and {b}), response and weights. Drop rows with missing values in "
        "any used column first."
    )


def _other_restriction() -> FitError:
    return FitError(
        "Models with different fixed parts cannot be compared by REML: their criteria measure different data. "
        "Fit both with reml=False."
    )


def same(a: Array | None, b: Array | None) -> bool:
    """Whether two columns that may be absent are equal."""
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)


def effects_of(design: Design, like: Design | None = None) -> set[tuple[frozenset[str], str]]:
    """Random effects: grouping columns (of the same grouping in another design) and name."""
    key = _keys(design, like)
    return {(key[t.factor], name) for t in design.terms for name in t.names}


def entries_of(design: Design, like: Design | None = None) -> set[tuple[frozenset[str], frozenset[str]]]:
    """Free covariance entries: grouping columns (of the same grouping in another design) and the pair of effects."""
    key = _keys(design, like)
    return {(key[t.factor], frozenset((a, b))) for t in design.terms for a in t.names for b in t.names}


def _keys(design: Design, like: Design | None) -> list[frozenset[str]]:
    """Columns of each grouping; of the one in another design that groups the rows in the same way, if there is one."""
    own = [frozenset(f.columns) for f in design.factors]
    if like is None or not isinstance(design, Design) or not isinstance(like, Design):
        return own
    others = [frozenset(f.columns) for f in like.factors]
    out = []
    for f, columns in zip(design.factors, own, strict=True):
        equal = [c for c, g in zip(others, like.factors, strict=True) if _one_grouping(f, g)]
        out.append(columns if columns in others or not equal else equal[0])
    return out


def _one_grouping(a: Factor, b: Factor) -> bool:
    """Whether two groupings of the same rows are one under two names, as ``b:a`` and ``b`` where no label of b recurs."""
    if a.size != b.size or a.weights is not None or b.weights is not None or a.codes.shape != b.codes.shape:
        return False
    return parents(a.codes, b.codes, a.size) is not None
