"""Fitted values and predictions for known and new groups."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.design.design import Design, DesignSpec, matrix_of, split_effects
from alliance_longitudinal.engine.design.groups import match
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.errors import FormulaError

Array = NDArray[np.float64]


def fitted(fit: MixedFit) -> Array:
    """Coefficients and conditional modes put together, shape (n,)."""
    out = fit.design.x @ fit.beta + known_part(fit.design)
    for term, modes in zip(fit.design.terms, fit.modes, strict=True):
        codes = fit.design.factors[term.factor].codes
        out = out + np.einsum("nq,nq->n", term.z, modes.values[codes])
    return out


def known_part(design: Design) -> Array:
    """The offset of each row of the fit, zero without one; shape (n,)."""
    return np.zeros(len(design.y)) if design.offset is None else design.offset


def predict(fit: MixedFit, spec: DesignSpec, frame: pd.DataFrame, groups: bool) -> pd.Series:
    """Expected response for each row of new data; missing where a used value is missing.

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
    effects = {c for used in spec.used_random for c in used} if groups else set()
    columns = {c for term in spec.random for c in term.columns}
    needed = list(
        dict.fromkeys([*spec.used_fixed, *sorted(effects - columns), *([spec.offset] if spec.offset else [])])
    )
    absent = [c for c in [*needed, *(sorted(columns) if groups else [])] if c not in frame.columns]
    if absent:
        raise FormulaError(
            f"The new data have no column {', '.join(map(repr, absent))}, which the model needs."
        )
    complete = frame[needed].notna().all(axis=1).to_numpy() if needed else np.ones(len(frame), dtype=bool)
    out = np.full(len(frame), np.nan)
    rows = frame.loc[complete]
    if len(rows):
        out[complete] = matrix_of(spec.fixed, rows)[list(spec.names)].to_numpy(dtype=float) @ fit.beta
        if spec.offset:
            out[complete] += rows[spec.offset].to_numpy(dtype=float)
        if groups:
            out[complete] += _group_part(fit, spec, rows)
    return pd.Series(out, index=frame.index, name="predicted")


def _group_part(fit: MixedFit, spec: DesignSpec, rows: pd.DataFrame) -> Array:
    out = np.zeros(len(rows))
    position = 0
    factors = {f.name: f for f in fit.design.factors}
    for term in spec.random:
        codes = match(factors[term.group].levels, rows, term.columns)
        known = codes >= 0
        for _, z in split_effects(matrix_of(term.effects, rows), term.correlated):
            values = fit.modes[position].values[codes[known]]
            out[known] += np.einsum("nq,nq->n", z[known], values)
            position += 1
    return out
