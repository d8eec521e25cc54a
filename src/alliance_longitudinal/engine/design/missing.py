"""Which rows are complete, and what missing values cost."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Mask


def complete_rows(frame: pd.DataFrame, used: list[str]) -> Mask:
    """Rows with a value in every used column."""
    kept = np.ones(len(frame), dtype=bool)
    for name in used:
        column = frame[name]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
            continue
        numbers = isinstance(column.dtype, np.dtype) and column.dtype.kind == "f"
        empty = np.isnan(column.to_numpy()) if numbers else column.isna().to_numpy()
        if empty.any():
            kept &= ~empty
    return kept


def missing_of(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Rows without a value, and rows without any other missing value, of each column that lacks some."""
    empty = frame.isna()
    alone = empty.to_numpy().sum(axis=1) == 1
    return {
        str(column): (int(lacks.sum()), int((lacks & alone).sum()))
        for column, lacks in empty.items()
        if lacks.any()
    }
