"""Predictions with standard errors and intervals, for known, new and partly new groups."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.diagnostics.prediction_bootstrap import mixture, mixture_interval
from alliance_longitudinal.engine.diagnostics.prediction_errors import (
    ErrorVariance,
    degrees_of_freedom,
    error_variance,
)
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.noise import noise_of
from alliance_longitudinal.engine.fitted.predict import expected
from alliance_longitudinal.engine.fitted.rows import Rows, rows_of_data, rows_of_fit
from alliance_longitudinal.engine.inference.protocol import Inference
from alliance_longitudinal.engine.resampling.bootstrap import bootstrap
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Request:
    """What kind of interval.

    Attributes
    ----------
    groups : bool
        Whether the modes of known groups are used; otherwise coefficients only.
    interval : {"confidence", "prediction"}
        Of the expected response, or of one new observation.
    alpha : float
    normal : bool
        Whether the fit's tests are from the normal distribution.
    n_boot : int
        Replicates for the uncertainty of the variances; 0 for none.
    seed : int or None
    """

    groups: bool
    interval: str
    alpha: float
    normal: bool
    n_boot: int
    seed: int | None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise FitError(f"alpha={self.alpha!r} must lie between 0 and 1; 0.05 gives 95 % intervals.")


def predict_with_interval(
    fit: MixedFit, spec: DesignSpec, inference: Inference, data: pd.DataFrame | None, request: Request
) -> pd.DataFrame:
    """``predicted, se, df, lower, upper`` for each row; missing where a used value is missing.

    Raises
    ------
    FormulaError
        A column or category is unknown.
    FitError
        ``alpha`` out of range, or too few replicates.
    """
    effects = request.groups or request.interval == "prediction"
    rows = rows_of_fit(fit) if data is None else rows_of_data(fit, spec, data, request.groups, effects)
    own = noise_of(fit, spec, data, rows) if request.interval == "prediction" else None
    if not effects:
        return _of_coefficients(fit, inference, rows, request.alpha)
    if not request.groups:
        rows = replace(rows, effects=tuple(each.unknown() for each in rows.effects))
    predicted = expected(fit, rows)
    if request.n_boot:
        boot = bootstrap(fit, request.n_boot, request.seed)
        se, lower, upper = mixture_interval(
            *mixture(fit, rows, boot, None if own is None else own.variance), request.alpha
        )
        return _frame(rows, predicted, se, np.full(len(se), np.inf), lower, upper)
    variance = error_variance(fit, rows)
    if own is not None:
        slopes = variance.slopes.copy()
        slopes[:, : own.slopes.shape[1]] += own.slopes
        variance = ErrorVariance(variance.value + own.variance, slopes)
    se = np.sqrt(fit.scale * variance.value)
    df = np.full(len(se), np.inf) if request.normal else degrees_of_freedom(fit, variance)
    half = stats.t.ppf(1 - request.alpha / 2, df) * se
    return _frame(rows, predicted, se, df, predicted - half, predicted + half)


def _of_coefficients(fit: MixedFit, inference: Inference, rows: Rows, alpha: float) -> pd.DataFrame:
    """Intervals of the fixed part by the fit's own method of inference."""
    predicted = rows.x @ fit.beta + rows.offset
    se = np.sqrt(np.einsum("np,pq,nq->n", rows.x, inference.cov, rows.x))
    df = inference.df(rows.x) if len(rows.x) else np.zeros(0)
    half = stats.t.ppf(1 - alpha / 2, df) * se
    return _frame(rows, predicted, se, df, predicted - half, predicted + half)


def _frame(rows: Rows, predicted: Array, se: Array, df: Array, lower: Array, upper: Array) -> pd.DataFrame:
    columns = {"predicted": predicted, "se": se, "df": df, "lower": lower, "upper": upper}
    return pd.DataFrame({name: rows.labelled(values, name) for name, values in columns.items()})
