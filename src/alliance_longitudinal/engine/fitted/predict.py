"""Fitted values and predictions for known and new groups."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fitted.protocol import Fitted
from alliance_longitudinal.engine.fitted.rows import Rows, rows_of_data, rows_of_fit


def fitted(fit: Fitted) -> Array:
    """Coefficients and conditional modes put together, shape (n,)."""
    return expected(fit, rows_of_fit(fit))


def predict(fit: Fitted, spec: DesignSpec, frame: pd.DataFrame, groups: bool) -> pd.Series:
    """Expected response for each row of new data; missing where a used value is missing.

    It is missing, too, where columns were left out of the model and the data of the fit say nothing of the row.

    Parameters
    ----------
    frame : DataFrame
        Not changed. Needs the columns of the right-hand side.
    groups : bool
        Add the conditional modes of known groups; a group that was not in the data has its expected value, zero.

    Raises
    ------
    FormulaError
        A column or category is unknown.
    """
    rows = rows_of_data(fit, spec, frame, groups)
    return rows.labelled(expected(fit, rows), "predicted")


def expected(fit: Fitted, rows: Rows) -> Array:
    """Expected response of rows: fixed part, offset, and the modes of their known groups; shape (n,)."""
    out: Array = rows.x @ fit.beta + rows.offset
    for effects, modes in zip(rows.effects, fit.modes, strict=False):
        for codes, share in zip(effects.codes.T, effects.shares.T, strict=True):
            known = codes >= 0
            values = np.einsum("nq,nq->n", effects.z[known], modes.values[codes[known]])
            out[known] += share[known] * values
    return out
