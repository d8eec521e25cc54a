"""The rows as a residual structure sees them: groups in elimination order, gaps in time, strata."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index, Mask
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import parents
from alliance_longitudinal.engine.statistics.nested import Level
from alliance_longitudinal.engine.statistics.structured.structure import (
    AR1,
    Structure,
    columns_of,
    in_words,
    position_of,
)
from alliance_longitudinal.errors import FitError, FormulaError

#: A stratum with fewer rows than this cannot carry a variance; more strata than this are surely not meant.
FEWEST_ROWS = 3
MOST_STRATA = 30


@dataclass(frozen=True, slots=True)
class Pattern:
    """Positions and strata of the rows, in elimination order and by position within an innermost group.

    Attributes
    ----------
    structure : AR1, CAR1 or VarIdent
    correlated : bool
        Whether there is a correlation to estimate; False too for a `CAR1` at its boundary of independence.
    rows : ndarray of int, shape (n,)
        Row of the design.
    starts : ndarray of int, shape (J + 1,)
        Where each innermost group begins.
    position : ndarray, shape (n,)
        Position or time in internal units; zero without correlation.
    first : ndarray of bool, shape (n,)
        Whether a row is the first of its group.
    unit : float
        The user's units of time in an internal one (the median gap; 1 for positions).
    stratum : ndarray of int, shape (n,)
    strata : tuple of str
        Labels; the first is the reference.
    """

    structure: Structure
    correlated: bool
    rows: Index
    starts: Index
    position: Array
    first: Mask
    unit: float
    stratum: Index
    strata: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of parameters: the correlation, then the logarithm of each other stratum's ratio."""
        return int(self.correlated) + len(self.strata) - 1

    @property
    def lag(self) -> Array:
        """Gap to the row before, zero on first rows; shape (n,)."""
        gap = np.diff(self.position, prepend=0.0)
        return np.where(self.first, 0.0, gap)


def check_columns(structure: Structure | None, frame: pd.DataFrame) -> None:
    """Whether the data have the columns of a structure.

    Raises
    ------
    FormulaError
        With the nearest names.
    """
    for name in columns_of(structure):
        if structure is not None and name not in frame.columns:
            known = [str(c) for c in frame.columns]
            near = get_close_matches(name, known, n=3, cutoff=0.5)
            hint = (
                f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are: {', '.join(known)}."
            )
            raise FormulaError(
                f"Column {name!r} of residual={in_words(structure)} is not in the data. {hint}"
            )


def refuse_crossed(structure: Structure, design: Design) -> None:
    """Stop unless all groupings lie within each other: otherwise there is no innermost group.

    Raises
    ------
    FitError
        Crossed factors or multiple membership.
    """
    for a, b in combinations(design.factors, 2):
        one_column = a.members.shape[1] == b.members.shape[1] == 1
        if one_column and (
            parents(a.codes, b.codes, a.size) is not None or parents(b.codes, a.codes, b.size) is not None
        ):
            continue
        raise FitError(
            f"residual={in_words(structure)} needs groupings that are nested in each other; {a.name!r} and {b.name!r} are "
            "crossed, so that there is no innermost group. Leave out one of them or the residual structure."
        )
    if design.factors[0].members.shape[1] > 1:
        raise FitError(
            f"residual={in_words(structure)} does not go with the multiple membership of {design.factors[0].name!r}: a row "
            "has no innermost group. Leave out one of the two."
        )


def read_pattern(structure: Structure, design: Design, levels: tuple[Level, ...]) -> Pattern:
    """Sort and check the rows of a design.

    Parameters
    ----------
    levels : tuple of Level
        Elimination order, innermost first.

    Raises
    ------
    FitError
        Prior weights with a correlation, positions that are no numbers, not whole or not unique, no
        group with two rows, strata that are one, too many or too small.
    """
    factor = design.factors[design.terms[levels[0].terms[0]].factor]
    rank = np.empty(factor.size, dtype=np.intp)
    rank[levels[0].labels] = np.arange(factor.size)
    group = rank[factor.codes]
    name = position_of(structure)
    position, unit = np.zeros(len(group)), 1.0
    if name is not None:
        position = _positions(structure, design, name)
    rows = np.lexsort([position, group]).astype(np.intp)
    starts = np.searchsorted(group[rows], np.arange(factor.size + 1))
    first = np.zeros(len(rows), dtype=bool)
    first[starts[:-1]] = True
    if name is not None:
        position, unit = _scaled(structure, design, rows, first, position[rows], factor.name)
    stratum, strata = _strata(structure, design)
    return Pattern(structure, name is not None, rows, starts, position, first, unit, stratum[rows], strata)


def _positions(structure: Structure, design: Design, name: str) -> Array:
    if design.weights is not None:
        raise FitError(
            f"residual={in_words(structure)} does not go with prior weights: it is not said how they change a "
            "correlation. Leave out one of the two."
        )
    column = design.extra[name]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise FitError(
            f"The column {name!r} of residual={in_words(structure)} must hold numbers; its first value is "
            f"{column.iloc[0]!r}. Turn dates into days since a start."
        )
    values: Array = np.asarray(column, dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise FitError(
            f"The column {name!r} of residual={in_words(structure)} has {len(bad)} values that are not finite; the "
            f"first is in row {column.index[bad[0]]}. Correct it or leave it empty."
        )
    odd = np.flatnonzero(values % 1 != 0)
    if isinstance(structure, AR1) and len(odd):
        raise FitError(
            f"The positions in {name!r} of residual={in_words(structure)} must be whole numbers; row "
            f"{column.index[odd[0]]} has {values[odd[0]]:g}. For times use al.CAR1({name!r})."
        )
    return values


def _scaled(
    structure: Structure, design: Design, rows: Index, first: Mask, position: Array, group: str
) -> tuple[Array, float]:
    """Positions in units of the median gap, and that unit."""
    gap = np.diff(position, prepend=0.0)[~first]
    name = str(position_of(structure))
    if not len(gap):
        raise FitError(
            f"Every group of {group!r} has one row only, so that residual={in_words(structure)} has no two residuals to "
            "correlate. Leave it out or use a coarser innermost grouping."
        )
    double = np.flatnonzero(~first)[np.flatnonzero(gap == 0)]
    if len(double):
        labels = [design.index[i] for i in rows[double[0] - 1 : double[0] + 1]]
        raise FitError(
            f"The value {position[double[0]]:g} of {name!r} occurs twice in one group of {group!r} (rows {labels[0]} and "
            f"{labels[1]}); {len(double)} rows repeat a value. residual={in_words(structure)} needs each {name} once in an "
            "innermost group. Number the rows anew or drop the doubles."
        )
    if isinstance(structure, AR1):
        return position, 1.0
    unit = float(np.median(gap))
    return position / unit, unit


def _strata(structure: Structure, design: Design) -> tuple[Index, tuple[str, ...]]:
    """Code of each row of the design, and the labels."""
    name = structure.strata
    if name is None:
        return np.zeros(len(design.y), dtype=np.intp), ("",)
    column = design.extra[name]
    counts = column.value_counts(sort=False)
    labels = [label for label in _sorted(column) if counts[label] > 0]
    if len(labels) == 1:
        raise FitError(
            f"All rows lie in one stratum of {name!r} ({labels[0]!r}); there is no second variance to estimate. Leave "
            f"out strata {name!r}, or name another column."
        )
    if len(labels) > MOST_STRATA:
        raise FitError(
            f"The column {name!r} has {len(labels)} strata; residual={in_words(structure)} takes at most {MOST_STRATA}. "
            "Name a column with a few categories."
        )
    small = [label for label in labels if counts[label] < FEWEST_ROWS]
    if small:
        raise FitError(
            f"The stratum {small[0]!r} of {name!r} has {counts[small[0]]} row{'s' if counts[small[0]] > 1 else ''}, too few "
            f"for a variance of its own ({FEWEST_ROWS} at least). Join it with another stratum or drop its rows."
        )
    codes = pd.Index(labels).get_indexer(pd.Index(column))
    return np.asarray(codes, dtype=np.intp), tuple(str(label) for label in labels)


def _sorted(column: pd.Series) -> Iterable[object]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    labels = list(column.unique())
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=str)
