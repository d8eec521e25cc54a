"""Multiple membership: rows that belong to several levels of a grouping at once, each with a share."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import Factor, code_column, match_labels
from alliance_longitudinal.errors import FormulaError

#: How far the shares of a row may be from 1 in sum.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class MultipleMembership:
    """A grouping in which a row may belong to several levels; the row gets the weighted sum of their effects.

    Parameters
    ----------
    columns : sequence of str
        Columns of the levels, missing where a row has fewer. A level that the same row names twice counts once, with
        the sum of its weights.
    weights : sequence of str, optional
        Columns of the weights, in the same order. They must not be negative and must sum to 1 in each row. Without
        them, all levels of a row have the same weight.
    normalise : bool
        Divide weights that do not sum to 1 by their sum, instead of refusing them.

    Examples
    --------
    >>> MultipleMembership(["leader1", "leader2"]).columns
    ('leader1', 'leader2')
    """

    columns: tuple[str, ...]
    weights: tuple[str, ...] | None = None
    normalise: bool = False
    table: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("columns", "weights"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise FormulaError(f"MultipleMembership takes a list of {name}, not {value!r} alone.")
            object.__setattr__(self, name, None if value is None else tuple(value))
        if self.weights is not None and self.table is None and len(self.weights) != len(self.columns):
            raise FormulaError(
                f"MultipleMembership has {len(self.columns)} columns and {len(self.weights)} weights; give one weight for "
                "each column, or none for equal weights."
            )

    @classmethod
    def from_long(
        cls, table: pd.DataFrame, key: str, level: str, weight: str | None = None, normalise: bool = False
    ) -> "MultipleMembership":
        """Read the levels from a table that has one row per row of the data and level.

        Parameters
        ----------
        table : DataFrame
        key : str
            Column that names the row, in the table and in the data.
        level, weight : str
            Columns of the level and of its weight (equal weights without it).
        normalise : bool
            See above.
        """
        wanted = [key, level, *([weight] if weight else [])]
        absent = [c for c in wanted if c not in table.columns]
        if absent:
            raise FormulaError(f"The table of members has no column {', '.join(map(repr, absent))}.")
        return cls(
            (level,), (weight,) if weight else None, normalise, table[wanted].rename(columns={key: key})
        )


@dataclass(frozen=True, slots=True)
class Members:
    """Levels and shares of all rows of some data: pairs sorted by row, each pair once.

    Attributes
    ----------
    row, code : ndarray of int
    weight : ndarray
    levels : Index
        Sorted labels of the codes.
    """

    row: Index
    code: Index
    weight: Array
    levels: pd.Index


def read_members(name: str, membership: MultipleMembership, frame: pd.DataFrame) -> Members:
    """Levels and shares of the rows of a frame.

    Raises
    ------
    FormulaError
        Unknown columns; weights that are missing, not numbers, negative, or do not sum to 1.
    """
    row, level, weight = (
        _from_columns(name, membership, frame)
        if membership.table is None
        else _from_table(name, membership, membership.table, frame)
    )
    _check_weights(name, row, weight, frame.index)
    code, levels = code_column(level) if len(level) else (np.zeros(0, dtype=np.intp), pd.Index([]))
    pairs = pd.DataFrame({"row": row, "code": code, "weight": weight})
    if membership.weights is None:
        pairs["weight"] = 1.0 / pairs.groupby("row")["weight"].transform("size")
    total = pairs.groupby("row")["weight"].transform("sum").to_numpy()
    off = np.flatnonzero(np.abs(total - 1) > _TOLERANCE)
    if len(off) and not (membership.normalise and (total > 0).all()):
        how = "Correct them." if total[off[0]] == 0 else "Correct them, or pass normalise=True."
        raise FormulaError(
            f"The weights of {name!r} must sum to 1 in each row; in row {frame.index[row[off[0]]]} they sum to "
            f"{total[off[0]]:g}. {how}"
        )
    pairs["weight"] /= total
    pairs = pairs[pairs["weight"] > 0].groupby(["row", "code"])["weight"].sum().reset_index()
    return Members(
        pairs["row"].to_numpy(dtype=np.intp),
        pairs["code"].to_numpy(dtype=np.intp),
        pairs["weight"].to_numpy(dtype=float),
        levels,
    )


def _from_columns(
    name: str, membership: MultipleMembership, frame: pd.DataFrame
) -> tuple[Index, pd.Series, Array]:
    wanted = [*membership.columns, *(membership.weights or ())]
    absent = [c for c in wanted if c not in frame.columns]
    if absent:
        raise FormulaError(
            f"The membership of {name!r} names columns that are not in the data: {', '.join(map(repr, absent))}."
        )
    rows, levels, weights = [], [], []
    for j, column in enumerate(membership.columns):
        there = np.flatnonzero(frame[column].notna())
        rows.append(there)
        levels.append(_whole(frame[column].iloc[there]))
        if membership.weights is None:
            weights.append(np.ones(len(there)))
            continue
        numbers = _numbers(name, frame[membership.weights[j]])
        lost = np.setdiff1d(np.flatnonzero(np.nan_to_num(numbers) != 0), there)
        if len(lost):
            raise FormulaError(
                f"Row {frame.index[lost[0]]} has a weight in {membership.weights[j]!r} but no level in {column!r}. Fill in "
                "the level or empty the weight."
            )
        weights.append(numbers[there])
    return np.concatenate(rows), pd.concat(levels, ignore_index=True), np.concatenate(weights)


def _from_table(
    name: str, membership: MultipleMembership, table: pd.DataFrame, frame: pd.DataFrame
) -> tuple[Index, pd.Series, Array]:
    key, level = table.columns[0], membership.columns[0]
    if key not in frame.columns:
        raise FormulaError(
            f"The data have no column {key!r}, which names the rows in the members of {name!r}."
        )
    rows = pd.DataFrame({key: frame[key].to_numpy(), "_row": np.arange(len(frame))}).dropna()
    found = rows.merge(table.dropna(subset=[key, level]), on=key, how="inner")
    weights = _numbers(name, found[membership.weights[0]]) if membership.weights else np.ones(len(found))
    return found["_row"].to_numpy(dtype=np.intp), _whole(found[level]), weights


def _whole(levels: pd.Series) -> pd.Series:
    """Whole numbers that are stored with decimals, because some are missing, as whole numbers."""
    if levels.dtype.kind == "f" and (levels % 1 == 0).all() and (levels.abs() < 2**53).all():
        return levels.astype(np.int64)
    return levels


def _numbers(name: str, column: pd.Series) -> Array:
    if not pd.api.types.is_numeric_dtype(column):
        raise FormulaError(f"The weights {column.name!r} of {name!r} are not numbers.")
    return np.asarray(column.astype(float), dtype=float)


def _check_weights(name: str, row: Index, weight: Array, index: pd.Index) -> None:
    bad = np.flatnonzero(~np.isfinite(weight))
    if len(bad):
        raise FormulaError(
            f"A level of {name!r} has no finite weight in row {index[row[bad[0]]]}. Fill it in, or empty the level."
        )
    bad = np.flatnonzero(weight < 0)
    if len(bad):
        raise FormulaError(
            f"A weight of {name!r} is negative in row {index[row[bad[0]]]} ({weight[bad[0]]:g}). Weights are shares."
        )


def with_rows_numbered(name: str, members: Members, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column ``name`` that numbers the rows that have members and is missing in the others.

    Raises
    ------
    FormulaError
        The frame has such a column.
    """
    if name in frame.columns:
        raise FormulaError(
            f"The data have a column {name!r}; give the membership a name of its own, in the formula too."
        )
    number = np.full(len(frame), np.nan)
    number[members.row] = members.row
    return frame.assign(**{name: number})


def member_factor(numbered: Factor, members: Members) -> Factor:
    """The grouping by members from the one by numbered rows."""
    kept = numbered.levels.to_numpy().astype(np.intp)[numbered.codes]
    levels = members.levels
    wide_codes, wide_weights = _wide(members, members.code, kept)
    used = np.unique(wide_codes[wide_codes >= 0])
    place = np.full(len(levels) + 1, -1)
    place[used] = np.arange(len(used))
    return Factor(
        numbered.name, numbered.columns, place[wide_codes].astype(np.intp), levels.take(used), wide_weights
    )


def match_members(levels: pd.Index, members: Members, rows: Index) -> tuple[Index, Array]:
    """Index and shares of new rows, shape (n, w); code -1 for a level that was not in the data of the fit."""
    known = (
        match_labels(levels, pd.Series(members.levels, name=levels.name))
        if len(members.levels)
        else np.zeros(0, dtype=np.intp)
    )
    return _wide(members, known[members.code], rows)


def _wide(members: Members, codes: Index, rows: Index) -> tuple[Index, Array]:
    """Index and weights of rows, shape (n, w), -1 and 0 where a row has fewer members."""
    starts = np.searchsorted(members.row, rows)
    counts = np.searchsorted(members.row, rows, side="right") - starts
    width = int(counts.max(initial=1))
    slot = np.arange(width)
    there = slot < counts[:, None]
    at = np.where(there, starts[:, None] + slot, 0)
    if not len(codes):
        return np.full(at.shape, -1, dtype=np.intp), np.zeros(at.shape)
    return np.where(there, codes[at], -1), np.where(there, members.weight[at], 0.0)
