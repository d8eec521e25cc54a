"""Values of the session before, by session number and not by row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import (
    check_columns,
    check_new,
    check_once,
    groups,
    is_number,
    names_of,
    numbers,
)


def lag(
    frame: pd.DataFrame,
    columns: str | Sequence[str],
    by: str = "client",
    order: str = "session",
    max_gap: float = 1,
) -> pd.DataFrame:
    """Add each column's value at the client's previous session.

    For session ``s``, this is the value at the largest session number ``r < s`` with ``s - r <= max_gap``. It
    is missing if the client has no such session or the value at session ``r`` is itself missing: all columns
    are taken from the same session, and none from an older one. Rows may be in any order.

    Parameters
    ----------
    frame : DataFrame
        One row per client and session. Not changed.
    columns : str or sequence of str
        Numeric columns.
    by, order : str
        Columns of the client and of the session number (or of the day, or any other number that orders the sessions).
    max_gap : float
        Largest difference in ``order``. With 1, session 5 has no previous value if session 4 has no row.

    Returns
    -------
    DataFrame
        The frame with its index and row order, and an additional column ``<column>_lag`` for each of
        ``columns``.

    Raises
    ------
    DataError
        If a column does not exist or is not numeric, an id or session number is missing, a client has two rows
        for one session, or ``max_gap`` is below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> scores = pd.DataFrame({"client": ["a", "a", "a", "b"], "session": [1, 2, 4, 1], "alliance": [5.0, 6.0, 4.0, 3.0]})
    >>> methods.lag(scores, "alliance")["alliance_lag"].tolist()
    [nan, 5.0, nan, nan]
    >>> methods.lag(scores, "alliance", max_gap=2)["alliance_lag"].tolist()
    [nan, 5.0, 6.0, nan]
    """
    names = names_of(columns)
    if not is_number(max_gap) or not max_gap >= 1:
        raise DataError(f"max_gap is {max_gap}; it is the largest number of sessions back, 1 or more.")
    check_columns(frame, (*names, by, order))
    check_new(frame, [f"{name}_lag" for name in names])
    codes, ids = groups(frame, by)
    at = numbers(frame, order, missing=False)
    values = {name: numbers(frame, name) for name in names}
    check_once(codes, at, ids, by, order)
    rows = np.lexsort((at, codes))
    before, here = rows[:-1], rows[1:]
    near = (codes[before] == codes[here]) & (at[here] - at[before] <= max_gap)
    added = {}
    for name, column in values.items():
        lagged = np.full(len(frame), np.nan)
        lagged[here[near]] = column[before[near]]
        added[f"{name}_lag"] = lagged
    return frame.assign(**added)
