"""Profile-likelihood intervals of shares of the total variance."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.charts_shares import Rest, share
from alliance_longitudinal.engine.inference.profile import (
    Interval,
    VarianceProfile,
    chi2_cut,
    from_the_best,
)
from alliance_longitudinal.engine.inference.profile_names import full_face


def share_intervals(
    fit: MixedFit, moments: list[Array], rest: Rest, groups: Sequence[Sequence[int]], alpha: float
) -> pd.DataFrame:
    """Limits of each grouping's share of the total variance, and last of the residual's if it has one.

    Parameters
    ----------
    moments : list of ndarray, shape (q_t, q_t)
        ``M`` of each term, its variance being ``tr(M Psi)``.
    rest : Rest
        What the residual adds.
    groups : sequence of sequences of int
        Terms of each grouping.

    Returns
    -------
    DataFrame
        ``lower, upper, criterion, note``.
    """
    return from_the_best(fit, lambda best: _intervals(best, moments, rest, groups, chi2_cut(alpha)))


def _intervals(
    fit: MixedFit, moments: list[Array], rest: Rest, groups: Sequence[Sequence[int]], cut: float
) -> pd.DataFrame:
    effects = [np.linalg.inv(b) for b in fit.basis.b]
    inside = [np.asarray(e.T @ m @ e) for e, m in zip(effects, moments, strict=True)]
    face = full_face(fit)

    def of(terms: list[int]) -> Interval:
        if not any(moments[t].any() for t in terms):
            return Interval(0.0, 0.0, "REML" if fit.reml else "ML", "zero: no effect counts at these values")
        return VarianceProfile(fit, share(face, terms, inside, rest)).interval(cut, "share")

    if rest.none:
        return _table(_without_residual(fit, inside, groups, of))
    found = [of(list(terms)) for terms in groups]
    everything = of(list(range(len(moments)))) if len(groups) > 1 else found[0]
    return _table([*found, _rest(everything)])


def _without_residual(
    fit: MixedFit, inside: list[Array], groups: Sequence[Sequence[int]], of: Callable[[list[int]], Interval]
) -> list[Interval]:
    """Limits where the groupings' shares add up to one; of a large share by what it leaves, as it may be all."""
    sizes = [float(np.sum(m * d)) for m, d in zip(inside, fit.record.best.relative, strict=True)]
    total = sum(sizes)
    if not total > 0:
        return [Interval(np.nan, np.nan, "", "no variance to share")] * len(groups)
    out = []
    for terms in groups:
        rest = [t for other in groups if other is not terms for t in other]
        small = sum(sizes[t] for t in terms) <= total / 2
        out.append(of(list(terms)) if small else _rest(of(rest)))
    return out


def _table(found: list[Interval]) -> pd.DataFrame:
    rows = [[i.lower, i.upper, i.criterion, i.note] for i in found]
    return pd.DataFrame(rows, columns=["lower", "upper", "criterion", "note"])


def _rest(whole: Interval) -> Interval:
    """Of what a share leaves."""
    turned = {
        "lower limit: a share of 0": "upper limit: a share of 1",
        "upper limit: a share of 1": "lower limit: a share of 0",
    }
    note = "; ".join(
        next((part.replace(old, new, 1) for old, new in turned.items() if part.startswith(old)), part)
        for part in reversed(whole.note.split("; "))
    )
    return Interval(1 - whole.upper, 1 - whole.lower, whole.criterion, note)
