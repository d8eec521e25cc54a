"""Profile-likelihood intervals of shares of the total variance."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.inference import charts
from alliance_longitudinal.engine.inference.profile import (
    Interval,
    VarianceProfile,
    chi2_cut,
    from_the_best,
    full_face,
    refuse_residual_structure,
)

Array = NDArray[np.float64]


def share_intervals(
    fit: MixedFit, moments: list[Array], residual: float, groups: Sequence[Sequence[int]], alpha: float
) -> pd.DataFrame:
    """Limits of each grouping's share of the total variance, and last of the residual's.

    Parameters
    ----------
    moments : list of ndarray, shape (q_t, q_t)
        ``M`` of each term, its variance being ``tr(M Psi)``.
    residual : float
        What the residual's variance is multiplied with.
    groups : sequence of sequences of int
        Terms of each grouping.

    Returns
    -------
    DataFrame
        ``lower, upper, criterion, note``.
    """
    refuse_residual_structure(fit)
    return from_the_best(fit, lambda best: _intervals(best, moments, residual, groups, chi2_cut(alpha)))


def _intervals(
    fit: MixedFit, moments: list[Array], residual: float, groups: Sequence[Sequence[int]], cut: float
) -> pd.DataFrame:
    effects = [np.linalg.inv(b) for b in fit.basis.b]
    inside = [np.asarray(e.T @ m @ e) for e, m in zip(effects, moments, strict=True)]
    face = full_face(fit)

    def of(terms: list[int]) -> Interval:
        return VarianceProfile(fit, charts.share(face, terms, inside, residual)).interval(cut, "share")

    found = [of(list(terms)) for terms in groups]
    everything = of(list(range(len(moments)))) if len(groups) > 1 else found[0]
    found.append(_rest(everything))
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
        for part in whole.note.split("; ")
    )
    return Interval(1 - whole.upper, 1 - whole.lower, whole.criterion, note)
