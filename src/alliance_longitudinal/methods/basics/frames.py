"""Checks of a frame that a method is given: each problem is a sentence, and the frame is never changed."""

from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.sentences import listed, say

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def names_of(columns: str | Sequence[str], what: str = "columns") -> tuple[str, ...]:
    """One or several column names as a tuple.

    Raises
    ------
    DataError
        If there is none, or one of them is given twice.
    """
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    if not names:
        raise DataError(f"{what} is empty. Name at least one column.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Column {twice!r} is named twice in {what}. Name it once.")
    return names


def check_columns(frame: pd.DataFrame, names: Sequence[object]) -> None:
    """Refuse a frame without rows, or without exactly one column for each name.

    Raises
    ------
    DataError
        With the nearest name.
    """
    known = [str(column) for column in frame.columns]
    for name in names:
        if isinstance(name, (list, tuple, set, dict)):
            raise DataError(f"{name!r} is not the name of one column. Give one name as text.")
        if name not in frame.columns:
            near = get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known) or 'none'}."
            raise DataError(f"The frame has no column {name!r}. {hint}")
        if known.count(str(name)) > 1:
            raise DataError(
                f"The frame has {known.count(str(name))} columns called {name!r}. Rename one of them."
            )
    if frame.empty:
        raise DataError("The frame has no rows.")


def check_new(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse to write over columns that the frame has already.

    Raises
    ------
    DataError
        Naming them.
    """
    there = [repr(name) for name in names if name in frame.columns]
    if there:
        raise DataError(
            f"The frame already has {'a column' if len(there) == 1 else 'columns'} called {listed(there)}. Drop or rename "
            f"{'it' if len(there) == 1 else 'them'} first."
        )


def is_number(value: object) -> bool:
    """Whether it is one real number or truth value, of Python or NumPy."""
    return isinstance(value, int | float | np.bool_ | np.integer | np.floating | Decimal)


def numbers(frame: pd.DataFrame, name: str, *, missing: bool = True) -> Floats:
    """A column as floats of shape (n,), NaN where a value is missing.

    Parameters
    ----------
    missing : bool
        Whether values may be missing.

    Raises
    ------
    DataError
        If the column holds texts, dates or infinite values, or misses values that it needs.
    """
    column = frame[name]
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise DataError(f"Column {name!r} holds dates. It has to hold numbers, such as days since the first.")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        absent = (None, pd.NA)
        odd = column[[not is_number(value) and not any(value is a for a in absent) for value in column]]
        if len(odd):
            raise DataError(
                say(
                    "Column {name} holds {value}. It has to hold numbers.",
                    name=repr(name),
                    value=Private(repr(odd.tolist()[0]), "a text"),
                )
            )
    values = column.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(values).any():
        n = int(np.isinf(values).sum())
        raise DataError(
            f"Column {name!r} holds {n} infinite value{'' if n == 1 else 's'}. Make them missing."
        )
    if not missing and np.isnan(values).any():
        raise DataError(_absent(name, int(np.isnan(values).sum())))
    return np.asarray(values, dtype=np.float64)


def groups(frame: pd.DataFrame, name: str) -> tuple[Codes, list[Any]]:
    """Codes 0, 1, ... of a column of ids, shape (n,), in order of appearance, and the ids.

    Texts are compared without the blanks around them.

    Raises
    ------
    DataError
        If an id is missing or blank.
    """
    ids = frame[name].astype(object)
    ids = ids.map(lambda value: value.strip() if isinstance(value, str) else value)
    absent = ids.isna().to_numpy() | (ids == "").to_numpy()
    if absent.any():
        raise DataError(_absent(name, int(absent.sum())))
    codes, found = pd.factorize(ids)
    return codes.astype(np.int64), list(found)


def check_once(codes: Codes, order: Floats, ids: list[Any], by: str, name: str) -> None:
    """Refuse two rows of one person at one occasion.

    Raises
    ------
    DataError
        With the first such pair.
    """
    twice = pd.DataFrame({"code": codes, "order": order}).duplicated().to_numpy()
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        raise DataError(
            say(
                "{n:noun} {n:repeats|repeat} a {by} and {name} that another row has, such as {by} {id} at {name} {order}. "
                "Keep one row for each.",
                n=Number(int(twice.sum()), "integer", "row"),
                by=by,
                name=name,
                id=Private(str(ids[codes[at]]), "(not shown)"),
                order=f"{order[at]:g}",
            )
        )


def _absent(name: str, n: int) -> str:
    return f"Column {name!r} is missing in {n} row{'' if n == 1 else 's'}. Fill or drop {'it' if n == 1 else 'them'}."
