"""Weights and offsets that are given as values and not as the name of a column."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.errors import FitError

#: The name of a column, or a value for each row of the data.
Given: TypeAlias = str | pd.Series | Array | Sequence[float]


def with_given(frame: pd.DataFrame, **given: Given | None) -> tuple[pd.DataFrame, dict[str, str | None]]:
    """The data with a column for each argument that is given as values, and the names of all columns.

    The column is called ``(weights)`` or ``(offset)``; the frame that is given is not changed.

    Raises
    ------
    FitError
        Not one value per row, or a Series with other row labels than the data.
    """
    names: dict[str, str | None] = {}
    for argument, values in given.items():
        if values is None or isinstance(values, str) or not isinstance(frame, pd.DataFrame):
            names[argument] = values if isinstance(values, str) else None
            continue
        if np.ndim(values) != 1 or len(values) != len(frame):
            raise FitError(
                f"{argument}= needs one value for each of the {len(frame)} rows of the data, or the name of a column; got "
                f"values of shape {np.shape(values)}."
            )
        if isinstance(values, pd.Series) and not values.index.equals(frame.index):
            raise FitError(
                f"{argument}= is a Series whose row labels differ from those of the data. Add it to the data as a column and "
                f"give the column's name, or pass {argument}=values.to_numpy()."
            )
        names[argument] = f"({argument})"
        frame = frame.assign(**{f"({argument})": np.asarray(values)})
    return frame, names
