"""Shares of variance: intraclass correlations and R2."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.engine.show.tables import varcorr_values

Array = NDArray[np.float64]


def intraclass(fit: MixedFit, boot: Bootstrap | None, alpha: float) -> pd.DataFrame:
    """Share of the variance around the fixed part at each grouping and in the residual.

    With random slopes the variance of a grouping is its mean over the rows, ``mean of z' Psi z`` (Johnson 2014,
    Methods Ecol Evol 5:944-946, eq. 10).

    Returns
    -------
    DataFrame
        ``group, variance, icc`` and, with a bootstrap, ``lower, upper`` (percentiles).
    """
    groups, weights = _weights(fit)
    vcov, _ = varcorr_values(fit.psi, fit.scale)
    variance = weights @ vcov
    table = pd.DataFrame({"group": groups, "variance": variance, "icc": variance / variance.sum()})
    if boot is not None:
        replicates = boot.varcorr.to_numpy() @ weights.T
        shares = replicates / replicates.sum(axis=1, keepdims=True)
        table["lower"], table["upper"] = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    return table


def _weights(fit: MixedFit) -> tuple[list[str], Array]:
    """Groups and, for each, weights on the variance components that give its mean variance."""
    groups = [*dict.fromkeys(t.group for t in fit.design.terms), "Residual"]
    count = sum(len(p) * (len(p) + 1) // 2 for p in fit.psi) + 1
    weights = np.zeros((len(groups), count))
    at = 0
    for term in fit.design.terms:
        moment = term.z.T @ term.z / len(term.z)
        upper = moment[np.triu_indices(len(moment), 1)]
        row = np.concatenate([np.diag(moment), 2 * upper])
        weights[groups.index(term.group), at : at + len(row)] = row
        at += len(row)
    weights[-1, -1] = 1.0
    return groups, weights


def r_squared(fit: MixedFit) -> pd.Series:
    """``marginal`` (fixed part) and ``conditional`` (fixed and random part) share of the total variance.

    Nakagawa and Schielzeth (2013), Methods Ecol Evol 4:133-142, with Johnson's (2014) mean random-effect
    variance for random slopes.
    """
    fixed = float(np.var(fit.design.x @ fit.beta))
    variance = intraclass(fit, None, 0.05)["variance"].to_numpy()
    total = fixed + variance.sum()
    return pd.Series({"marginal": fixed / total, "conditional": (total - variance[-1]) / total}, name="r2")
