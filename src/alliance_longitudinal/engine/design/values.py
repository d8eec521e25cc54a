"""Values of columns, weights and offsets, checked: numbers, finite, weights above zero."""

import re

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.columns import is_real
from alliance_longitudinal.errors import FitError, FormulaError


def check_finite(values: Array, name: str, index: pd.Index) -> None:
    """Refuse values that are not finite.

    Raises
    ------
    FitError
        With the first of them and what to do.
    """
    with np.errstate(all="ignore"):
        if np.isfinite(
            values.sum()
        ):  # the sum of finite numbers may overflow, that of others is never finite
            return
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise FitError(
            f"{name!r} has {len(bad)} value{'s' if len(bad) > 1 else ''} that {'are' if len(bad) > 1 else 'is'} "
            f"not finite; the first is {values[bad[0]]} in row {index[bad[0]]}. {_how_finite(name)}"
        )


def _how_finite(name: str) -> str:
    if re.search(r"\blog(2|10|1p)?\(", name):
        return (
            "Logarithms need values above zero: add a constant that has a meaning, as in log(x + 1), or leave those values "
            "empty."
        )
    return (
        "Correct it or leave it empty."
        if name.isidentifier()
        else ("The calculation has no result there: correct the values that it uses, or leave them empty.")
    )


def weights_of(column: pd.Series) -> Array:
    """Prior weights, checked."""
    if not is_real(column):
        raise FormulaError(
            f"The weights in {column.name!r} are not numeric; the first is {column.iloc[0]!r}."
        )
    values: Array = np.asarray(column, dtype=float)
    check_finite(values, str(column.name), column.index)
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise FitError(
            f"The weights in {column.name!r} must be above zero; {len(bad)} are not, the first in row "
            f"{column.index[bad[0]]} ({values[bad[0]]:g}). Drop those rows to leave them out."
        )
    return values


def offset_of(column: pd.Series) -> Array:
    """Known part of the expected response, checked."""
    if not is_real(column):
        raise FormulaError(
            f"The offset {column.name!r} is not numeric; its first value is {column.iloc[0]!r}."
        )
    values: Array = np.asarray(column, dtype=float)
    check_finite(values, str(column.name), column.index)
    return values
