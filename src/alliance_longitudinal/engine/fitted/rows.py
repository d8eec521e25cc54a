"""Rows that a fit is asked about: their fixed part, their effects, and which groups of the fit they belong to."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index, Mask
from alliance_longitudinal.engine.design.design import Design, DesignSpec, matrix_of, split_effects
from alliance_longitudinal.engine.design.groups import Factor, match
from alliance_longitudinal.engine.design.membership import MultipleMembership, match_members, read_members
from alliance_longitudinal.engine.fitted.protocol import Fitted
from alliance_longitudinal.engine.linalg.matrices import can_be_estimated
from alliance_longitudinal.errors import FitError, FormulaError


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of one term in some rows, and the groups that they come from.

    Attributes
    ----------
    z : ndarray, shape (n, q)
    codes : ndarray of int, shape (n, w)
        Levels of the term's factor, -1 for a group that was not in the data; w is 1 without multiple membership.
    shares : ndarray, shape (n, w)
        Part of each group in the row; zero where a row has fewer members.
    """

    z: Array
    codes: Index
    shares: Array

    @classmethod
    def of(cls, z: Array, factor: Factor) -> "Effects":
        """Those of the rows of a fit."""
        return cls(
            z, factor.members, np.ones(factor.members.shape) if factor.weights is None else factor.weights
        )

    def unknown(self) -> "Effects":
        """The same in groups that were not in the data."""
        return replace(self, codes=np.full_like(self.codes, -1))

    def take(self, some: slice) -> "Effects":
        """Those of some rows."""
        return Effects(self.z[some], self.codes[some], self.shares[some])

    @property
    def new(self) -> Array:
        """Effects of the groups that were not in the data, each independent of the others, (n, q)."""
        share = np.sqrt(np.sum(np.where(self.codes < 0, self.shares, 0.0) ** 2, axis=1))
        return np.asarray(self.z * share[:, None])


@dataclass(frozen=True, slots=True)
class Rows:
    """Complete rows as arrays.

    Attributes
    ----------
    x : ndarray, shape (n, p)
    offset : ndarray, shape (n,)
        Known part of the expected response; zero without one.
    effects : tuple of Effects
        Of each term of the fit.
    complete : ndarray of bool, shape (N,)
        Which rows of the data these are: with all values, and with an expected response that can be estimated.
    index : Index
        Labels of all N rows.
    """

    x: Array
    offset: Array
    effects: tuple[Effects, ...]
    complete: Mask
    index: pd.Index

    def labelled(self, values: Array, name: str) -> pd.Series:
        """Values of the complete rows, missing for the others."""
        out = np.full(len(self.complete), np.nan)
        out[self.complete] = values
        return pd.Series(out, index=self.index, name=name)


def rows_of_fit(fit: Fitted) -> Rows:
    """The rows that the fit is made of."""
    design = fit.design
    effects = tuple(Effects.of(t.z, design.factors[t.factor]) for t in design.terms)
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
    FitError
        The data are no frame.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FitError(f"The new data must be a pandas DataFrame, not {type(frame).__name__}.")
    wanted = groups if effects is None else effects
    complete = _complete(spec, frame, groups, wanted)
    if spec.unseen is not None and complete.any():  # of the others the data of the fit say nothing
        full = matrix_of(spec.fixed, frame.loc[complete]).to_numpy(dtype=float)
        complete[complete] = can_be_estimated(full, spec.unseen)
    rows = frame.loc[complete]
    if not len(rows):
        terms = fit.design.terms if wanted else ()
        none = np.zeros((0, 1))
        nothing = tuple(Effects(np.zeros((0, len(t.names))), none.astype(np.intp), none) for t in terms)
        return Rows(np.zeros((0, len(fit.beta))), np.zeros(0), nothing, complete, frame.index)
    x = matrix_of(spec.fixed, rows)[list(spec.names)].to_numpy(dtype=float)
    offset = rows[spec.offset].to_numpy(dtype=float) if spec.offset else np.zeros(len(rows))
    return Rows(x, offset, _effects(fit, spec, rows, groups) if wanted else (), complete, frame.index)


def _complete(spec: DesignSpec, frame: pd.DataFrame, groups: bool, wanted: bool) -> Mask:
    """Which rows have every value that is needed; a missing group is allowed, and is a new one."""
    effects = {c for used in spec.used_random for c in used} if wanted else set()
    columns = {c for term in spec.random for c in term.columns}
    needed = list(
        dict.fromkeys([*spec.used_fixed, *sorted(effects - columns), *([spec.offset] if spec.offset else [])])
    )
    of_groups = sorted(columns - {name for name, _ in spec.membership}) if groups else []
    absent = [c for c in [*needed, *of_groups] if c not in frame.columns]
    if absent:
        raise FormulaError(
            f"The new data have no column {' and no column '.join(map(repr, absent))}; the model needs "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    return (
        frame[needed].notna().all(axis=1).to_numpy(copy=True) if needed else np.ones(len(frame), dtype=bool)
    )


def _effects(fit: Fitted, spec: DesignSpec, rows: pd.DataFrame, groups: bool) -> tuple[Effects, ...]:
    factors, memberships = {f.name: f for f in fit.design.factors}, dict(spec.membership)
    out = []
    for term in spec.random:
        codes, shares = np.full((len(rows), 1), -1, dtype=np.intp), np.ones((len(rows), 1))
        if groups and term.group in memberships:
            codes, shares = _members(memberships[term.group], factors[term.group], rows)
        elif groups:
            codes = match(factors[term.group].levels, rows, term.columns)[:, None]
        blocks = split_effects(matrix_of(term.effects, rows), term.correlated)
        out += [Effects(z, codes, shares) for _, z in blocks]
    return tuple(out)


def _members(membership: MultipleMembership, factor: Factor, rows: pd.DataFrame) -> tuple[Index, Array]:
    """Index and shares of each row's members; a row without any belongs to one new group."""
    found = read_members(factor.name, membership, rows)
    codes, shares = match_members(factor.levels, found, np.arange(len(rows)))
    shares[shares.sum(axis=1) == 0, 0] = 1.0
    return codes, shares
