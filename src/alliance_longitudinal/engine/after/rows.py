"""Rows that a fit is asked about: their fixed part, their effects, and which groups of the fit they belong to."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.design.design import Design, DesignSpec, matrix_of, split_effects
from alliance_longitudinal.engine.design.groups import match
from alliance_longitudinal.engine.fitting.fitted import Fitted
from alliance_longitudinal.errors import FormulaError

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Complete rows as arrays.

    Attributes
    ----------
    x : ndarray, shape (n, p)
    offset : ndarray, shape (n,)
        Known part of the expected response; zero without one.
    effects : tuple of (ndarray (n, q), ndarray of int (n,))
        Of each term of the fit: its effects, and the level of its factor, -1 for a group that was not in the data.
    complete : ndarray of bool, shape (N,)
        Which rows of the data these are.
    index : Index
        Labels of all N rows.
    """

    x: Array
    offset: Array
    effects: tuple[tuple[Array, Codes], ...]
    complete: NDArray[np.bool_]
    index: pd.Index

    def labelled(self, values: Array, name: str) -> pd.Series:
        """Values of the complete rows, missing for the others."""
        out = np.full(len(self.complete), np.nan)
        out[self.complete] = values
        return pd.Series(out, index=self.index, name=name)


def rows_of_fit(fit: Fitted) -> Rows:
    """The rows that the fit is made of."""
    design = fit.design
    effects = tuple((t.z, design.factors[t.factor].codes) for t in design.terms)
    return Rows(
        design.x, known_part(design), effects, np.ones(len(design.y), dtype=bool), pd.Index(design.index)
    )


def known_part(design: Design) -> Array:
    """The offset of each row of the fit, zero without one; shape (n,)."""
    return np.zeros(len(design.y)) if design.offset is None else design.offset


def rows_of_data(
    fit: Fitted, spec: DesignSpec, frame: pd.DataFrame, groups: bool, effects: bool | None = None
) -> Rows:
    """Rows of new data, by the recipe of the fit.

    Parameters
    ----------
    frame : DataFrame
        Not changed. Needs the columns of the right-hand side.
    groups : bool
        Whether the rows belong to groups; otherwise each is of a group that was not in the data.
    effects : bool, optional
        Whether the random effects are wanted; as ``groups`` says when left out.

    Raises
    ------
    FormulaError
        A column or category is unknown.
    """
    wanted = groups if effects is None else effects
    complete = _complete(spec, frame, groups, wanted)
    rows = frame.loc[complete]
    if not len(rows):
        terms = fit.design.terms if wanted else ()
        nothing = tuple((np.zeros((0, len(t.names))), np.zeros(0, dtype=np.intp)) for t in terms)
        return Rows(np.zeros((0, len(fit.beta))), np.zeros(0), nothing, complete, frame.index)
    x = matrix_of(spec.fixed, rows)[list(spec.names)].to_numpy(dtype=float)
    offset = rows[spec.offset].to_numpy(dtype=float) if spec.offset else np.zeros(len(rows))
    return Rows(x, offset, _effects(fit, spec, rows, groups) if wanted else (), complete, frame.index)


def _complete(spec: DesignSpec, frame: pd.DataFrame, groups: bool, wanted: bool) -> NDArray[np.bool_]:
    """Which rows have every value that is needed; a missing group is allowed, and is a new one."""
    effects = {c for used in spec.used_random for c in used} if wanted else set()
    columns = {c for term in spec.random for c in term.columns}
    needed = list(
        dict.fromkeys([*spec.used_fixed, *sorted(effects - columns), *([spec.offset] if spec.offset else [])])
    )
    absent = [c for c in [*needed, *(sorted(columns) if groups else [])] if c not in frame.columns]
    if absent:
        raise FormulaError(
            f"The new data have no column {', '.join(map(repr, absent))}, which the model needs."
        )
    return frame[needed].notna().all(axis=1).to_numpy() if needed else np.ones(len(frame), dtype=bool)


def _effects(
    fit: Fitted, spec: DesignSpec, rows: pd.DataFrame, groups: bool
) -> tuple[tuple[Array, Codes], ...]:
    factors = {f.name: f for f in fit.design.factors}
    out = []
    for term in spec.random:
        new = np.full(len(rows), -1, dtype=np.intp)
        codes = match(factors[term.group].levels, rows, term.columns) if groups else new
        out += [(z, codes) for _, z in split_effects(matrix_of(term.effects, rows), term.correlated)]
    return tuple(out)
