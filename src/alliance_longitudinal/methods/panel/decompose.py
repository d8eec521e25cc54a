"""A value's parts within clients, between the clients of a therapist, and between therapists."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_new,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.sentences import say


def decompose(
    frame: pd.DataFrame, columns: str | Sequence[str], by: str | Sequence[str] = ("client", "therapist")
) -> pd.DataFrame:
    """Split each column into its parts within and between groups.

    With two groups (the client ``i`` of therapist ``j`` at session ``t``): within ``x_tij - m_ij``, client ``m_ij - m_j``,
    therapist ``m_j - m``. ``m_ij`` is the client's mean, ``m_j`` the mean of the therapist's client means and ``m`` the
    mean of the therapist means, so that neither a client with many sessions nor a therapist with many clients counts more.
    With one group: within ``x_ti - m_i``, and the group's mean ``m_i`` itself, not centred. Means are over the rows where the
    column has a value (Enders & Tofighi 2007, doi 10.1037/1082-989X.12.2.121).

    Parameters
    ----------
    frame : DataFrame
        One row per client and session. Not changed.
    columns : str or sequence of str
        Numeric columns.
    by : str or sequence of str
        The lower group, and the higher one if there is one.

    Returns
    -------
    DataFrame
        The frame with its index and row order, and for each column ``<column>_within`` and ``<column>_<group>``
        for each group. The within part is missing where the value is missing; the others are missing where the
        group has no value at all.

    Raises
    ------
    DataError
        If a column does not exist or is not numeric, an id is missing, a client has several therapists, or ``by`` names more
        than two groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> scores = pd.DataFrame({"client": ["a", "a", "b", "c"], "therapist": ["T", "T", "T", "U"], "x": [1.0, 3.0, 6.0, 8.0]})
    >>> methods.decompose(scores, "x")[["x_within", "x_client", "x_therapist"]].to_numpy().tolist()
    [[-1.0, -2.0, -2.0], [1.0, -2.0, -2.0], [0.0, 2.0, -2.0], [0.0, 0.0, 2.0]]
    >>> methods.decompose(scores, "x", by="client")["x_client"].tolist()
    [2.0, 2.0, 6.0, 8.0]
    """
    names, levels = names_of(columns), names_of(by, "by")
    if len(levels) > 2:
        raise DataError(f"by names {len(levels)} groups. It takes one or two, the lower one first.")
    check_columns(frame, (*names, *levels))
    check_new(frame, [f"{name}_{part}" for name in names for part in ("within", *levels)])
    coded = [groups(frame, level) for level in levels]
    low = coded[0][0]
    high = coded[1][0] if len(levels) == 2 else None
    if high is not None:
        _check_nested(low, high, coded[0][1], levels)
    added: dict[str, Floats] = {}
    for name in names:
        parts = _parts(numbers(frame, name), low, high)
        added |= {f"{name}_{part}": x for part, x in zip(("within", *levels), parts, strict=True)}
    return frame.assign(**added)


def _check_nested(low: Codes, high: Codes, ids: list[object], levels: tuple[str, ...]) -> None:
    """Refuse a lower group that lies in several higher ones: its part between them has no meaning."""
    pairs = pd.DataFrame({"low": low, "high": high}).drop_duplicates()
    several = pairs["low"].value_counts(sort=False)
    several = several[several > 1]
    if len(several):
        first = int(min(several.index))
        others = Number(len(several) - 1, "integer", f"other {levels[0]}")
        raise DataError(
            say(
                "Each {low} needs one {high}, but {low} {id} has {n:noun}{more}. Where ids start again at each {high}, join both "
                "columns into one id first.",
                low=levels[0],
                high=levels[1],
                id=Private(str(ids[first]), "(not shown)"),
                n=Number(int(several[first]), "integer", levels[1]),
                more=say(", and {others:noun} {others:has|have} several", others=others)
                if len(several) > 1
                else "",
            )
        )


def _parts(values: Floats, low: Codes, high: Codes | None) -> tuple[Floats, ...]:
    """Parts of a column by row, lowest first, each of shape (n,)."""
    means = pd.Series(values).groupby(low).mean()  # of the values that are there
    own = means.to_numpy()[low]
    if high is None:
        return values - own, own
    of_low = pd.Series(high).groupby(low).first()
    upper = means.groupby(of_low).mean()
    above = upper.to_numpy()[high]
    centre = float(np.nanmean(upper.to_numpy())) if upper.notna().any() else np.nan
    return values - own, own - above, above - centre
