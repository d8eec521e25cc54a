"""The rows of a frame that a model can use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, groups, names_of, numbers
from alliance_longitudinal.sentences import listed


@dataclass(frozen=True, slots=True)
class Rows:
    """Complete rows under plain names.

    Attributes
    ----------
    data : DataFrame
        Numbers under the names given, ids as texts ``g0, g1, ...``.
    n_dropped : int
        Rows left out because a number is missing.
    """

    data: pd.DataFrame
    n_dropped: int

    def values(self, name: str) -> Floats:
        """A column of numbers."""
        values: Floats = self.data[name].to_numpy(float)
        return values


def complete_rows(
    frame: pd.DataFrame, numeric: Mapping[str, str], ids: Mapping[str, str] | None = None, least: int = 1
) -> Rows:
    """Take columns under plain names, and drop rows in which a number is missing.

    Parameters
    ----------
    numeric, ids : mapping of str to str
        Plain name to column; ids may not be missing.
    least : int
        Fewest complete rows.

    Raises
    ------
    DataError
        If a column is missing, twice or not numeric, an id is missing, or too few rows are complete.
    """
    ids = ids or {}
    columns = [*numeric.values(), *dict.fromkeys(ids.values())]  # one column may name persons and roles
    check_columns(frame, names_of(columns, "the arguments"))
    data = pd.DataFrame({name: numbers(frame, column) for name, column in numeric.items()})
    for name, column in ids.items():
        codes, _ = groups(frame, column)
        data[name] = np.char.add("g", codes.astype(str)).astype(object)
    kept = data.dropna().reset_index(drop=True)
    if len(kept) < least:
        raise DataError(
            f"{len(kept)} {'row has' if len(kept) == 1 else 'rows have'} a value in each of {listed([repr(column) for column in numeric.values()])}. "
            f"At least {least} are needed."
        )
    return Rows(kept, len(data) - len(kept))


def check_varies(values: Floats, column: str, why: str) -> None:
    """Refuse a column whose values are all equal.

    Raises
    ------
    DataError
        ``All values of COLUMN are equal. WHY.``
    """
    if np.ptp(values) == 0:
        raise DataError(f"All values of {column!r} are equal. {why}")
