"""The residual variance of rows that a fit is asked about."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.rows import Rows
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern
from alliance_longitudinal.engine.statistics.structured.whiten import relative_sd
from alliance_longitudinal.errors import FormulaError


@dataclass(frozen=True, slots=True)
class Noise:
    """Residual variance relative to the fit's ``scale``.

    Attributes
    ----------
    variance : ndarray, shape (n,)
    slopes : ndarray, shape (n, t)
        Its derivatives in the parameters of the residual structure, if there is one.
    """

    variance: Array
    slopes: Array


def noise_of(fit: MixedFit, spec: DesignSpec, data: pd.DataFrame | None, rows: Rows) -> Noise:
    """Residual variance of new rows, or of the fit's own without data: by their weights and strata.

    Raises
    ------
    FormulaError
        The new data lack the column of the weights or of the strata, or have a weight that is not above zero, or a
        stratum that was not in the data of the fit.
    """
    variance = 1 / _weights(fit, spec, data, rows)
    if fit.residual is None:
        return Noise(variance, np.zeros((len(variance), 0)))
    pattern, tau = fit.residual.model.pattern, fit.residual.tau
    slopes = np.zeros((len(variance), len(tau)))
    if len(pattern.strata) > 1:
        stratum = _strata(pattern, data, rows)
        first = int(pattern.correlated)
        ratios = np.exp(2 * np.append(0.0, tau[first:]))
        variance = variance * ratios[stratum]
        other = np.flatnonzero(stratum > 0)
        slopes[other, first + stratum[other] - 1] = 2 * variance[other]
    return Noise(variance, slopes)


def noise_of_fit(fit: MixedFit) -> Array:
    """Residual variance of the fit's rows relative to its ``scale``, shape (n,)."""
    weights = np.ones(len(fit.design.y)) if fit.design.weights is None else fit.design.weights
    variance = 1 / weights
    if fit.residual is not None:
        pattern = fit.residual.model.pattern
        variance[pattern.rows] *= relative_sd(pattern, fit.residual.tau) ** 2
    return np.asarray(variance)


def _weights(fit: MixedFit, spec: DesignSpec, data: pd.DataFrame | None, rows: Rows) -> Array:
    if fit.design.weights is None:
        return np.ones(len(rows.x))
    if data is None:
        return fit.design.weights
    if spec.weights not in data.columns:
        raise FormulaError(
            f"The fit has weights: an interval for a new observation needs its weight in a column {spec.weights!r}. "
            "Add it, or ask for interval='confidence'."
        )
    weights: Array = data.loc[rows.complete, spec.weights].to_numpy(dtype=float)
    bad = np.flatnonzero(~(weights > 0))
    if len(bad):
        raise FormulaError(
            f"The weights in {spec.weights!r} must be above zero; row {data.index[rows.complete][bad[0]]} has "
            f"{weights[bad[0]]:g}."
        )
    return weights


def _strata(pattern: Pattern, data: pd.DataFrame | None, rows: Rows) -> Index:
    """Stratum of each row."""
    if data is None:
        out = np.empty(len(pattern.rows), dtype=np.intp)
        out[pattern.rows] = pattern.stratum
        return out
    column = pattern.structure.strata
    if column not in data.columns:
        raise FormulaError(
            f"The residual variance differs by {column!r}: an interval for a new observation needs that column. Add it, or "
            "ask for interval='confidence'."
        )
    labels = data.loc[rows.complete, column].astype(str)
    found = pd.Index(pattern.strata).get_indexer(pd.Index(labels))
    if (found < 0).any():
        raise FormulaError(
            f"{column!r} has a value that was not in the data of the fit: {labels.iloc[int(np.argmin(found))]!r}. There are: "
            f"{', '.join(pattern.strata)}."
        )
    return np.asarray(found, dtype=np.intp)
