"""Variance components, random effects and coefficients as data frames."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.protocol import Fitted


def varcorr_keys(design: Design) -> pd.DataFrame:
    """Rows of the table of variance components: ``group, term1, term2``, the residual last."""
    rows: list[tuple[str, str, str | None]] = []
    for term in design.terms:
        rows += [(term.group, name, None) for name in term.names]
        rows += [(term.group, a, b) for i, a in enumerate(term.names) for b in term.names[i + 1 :]]
    rows.append(("Residual", None, None))  # type: ignore[arg-type]
    return pd.DataFrame(rows, columns=["group", "term1", "term2"], dtype=object)


def missing_table(missing: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Rows without a value, by column: ``missing`` counts all, ``alone`` those that lack no other value."""
    return pd.DataFrame.from_dict(missing, orient="index", columns=["missing", "alone"]).rename_axis("column")


def varcorr_values(psi: tuple[Array, ...], scale: float) -> tuple[Array, Array]:
    """Variances and covariances, and standard deviations and correlations, in the rows of `varcorr_keys`.

    A correlation with an effect of zero variance is missing.
    """
    vcov: list[float] = []
    sdcor: list[float] = []
    for matrix in psi:
        rows: list[list[float]] = matrix.tolist()  # plain numbers: bootstraps come here once a refit
        variances = [row[i] for i, row in enumerate(rows)]
        sd = [math.sqrt(max(v, 0.0)) for v in variances]
        vcov += variances
        sdcor += sd
        for i, j in combinations(range(len(rows)), 2):
            vcov.append(rows[i][j])
            product = sd[i] * sd[j]
            sdcor.append(min(max(rows[i][j] / product, -1.0), 1.0) if product > 0 else math.nan)
    return np.array([*vcov, scale]), np.array([*sdcor, np.sqrt(scale)])


def psi_of(like: tuple[Array, ...], vcov: Array) -> list[Array]:
    """The terms' covariance matrices from variances and covariances in the rows of `varcorr_keys`."""
    out, at = [], 0
    for q in map(len, like):
        matrix = np.diag(vcov[at : at + q])
        upper = np.triu_indices(q, 1)
        at += q
        matrix[upper] = vcov[at : at + len(upper[0])]
        at += len(upper[0])
        out.append(np.triu(matrix) + np.triu(matrix, 1).T)
    return out


def varcorr(fit: MixedFit) -> pd.DataFrame:
    """Variance components: ``group, term1, term2, vcov, sdcor``, as lme4's ``as.data.frame(VarCorr(.))``."""
    vcov, sdcor = varcorr_values(fit.psi, fit.scale)
    return varcorr_keys(fit.design).assign(vcov=vcov, sdcor=sdcor)


def random_effects(fit: Fitted) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Conditional modes and their conditional standard deviations: group to frame of levels by effects."""
    values: dict[str, list[pd.DataFrame]] = {}
    spreads: dict[str, list[pd.DataFrame]] = {}
    for term, modes in zip(fit.design.terms, fit.modes, strict=True):
        levels = fit.design.factors[term.factor].levels
        columns = list(term.names)
        sd = np.sqrt(np.maximum(np.einsum("jqq->jq", modes.variances), 0.0))
        values.setdefault(term.group, []).append(pd.DataFrame(modes.values, index=levels, columns=columns))
        spreads.setdefault(term.group, []).append(pd.DataFrame(sd, index=levels, columns=columns))
    return (
        {group: pd.concat(frames, axis=1) for group, frames in values.items()},
        {group: pd.concat(frames, axis=1) for group, frames in spreads.items()},
    )
