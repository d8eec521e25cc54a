"""Numbers of a generalised fit as data frames, in the form of the linear model's tables."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design, DesignSpec
from alliance_longitudinal.engine.fitted.predict import expected
from alliance_longitudinal.engine.fitted.rows import Rows, rows_of_data, rows_of_fit
from alliance_longitudinal.engine.fitted.tables import varcorr_keys, varcorr_values
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit
from alliance_longitudinal.engine.options import PredictionScale, choose


def component_keys(design: Design) -> pd.DataFrame:
    """Rows of the table of variance components: ``group, term1, term2``; there is no residual."""
    return varcorr_keys(design).iloc[:-1]


def component_values(psi: tuple[Array, ...]) -> tuple[Array, Array]:
    """Variances and covariances, and standard deviations and correlations, in those rows."""
    vcov, sdcor = varcorr_values(psi, 1.0)
    return vcov[:-1], sdcor[:-1]


def varcorr(fit: GeneralisedFit) -> pd.DataFrame:
    """Variance components on the scale of the linear predictor: ``group, term1, term2, vcov, sdcor``."""
    vcov, sdcor = component_values(fit.psi)
    return component_keys(fit.design).assign(vcov=vcov, sdcor=sdcor)


def predicted(
    fit: GeneralisedFit, spec: DesignSpec, frame: pd.DataFrame | None, groups: bool, scale: str
) -> pd.Series | pd.DataFrame:
    """Predictions on the scale of the response or of the linear predictor.

    Raises
    ------
    FitError
        Unknown scale.
    FormulaError
        The new data do not fit the model.
    """
    choose("scale", scale, PredictionScale)
    rows = rows_of_fit(fit) if frame is None else rows_of_data(fit, spec, frame, groups)
    if not groups:
        rows = Rows(rows.x, rows.offset, (), rows.complete, rows.index)
    eta = expected(fit, rows)
    if scale == "linear":
        return rows.labelled(eta, "predicted")
    mean = fit.response.family.mean(eta, fit.aux)
    if mean.ndim == 1:
        return rows.labelled(mean, "predicted")
    table = {label: rows.labelled(mean[:, k], str(label)) for k, label in enumerate(fit.response.categories)}
    return pd.DataFrame(table)


def fitted(fit: GeneralisedFit) -> pd.Series:
    """Expected response with the modes of the groups; for an ordered response the probability of the one observed."""
    eta = expected(fit, rows_of_fit(fit))
    mean = fit.response.family.mean(eta, fit.aux)
    if mean.ndim == 2:
        mean = mean[np.arange(len(mean)), fit.response.y.astype(np.intp)]
    return pd.Series(mean, index=fit.design.index, name="fitted")
