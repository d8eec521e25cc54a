"""One row per person and period at risk: what a hazard model of leaving is fitted to."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Private
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_once,
    groups,
    is_number,
    names_of,
    numbers,
)
from alliance_longitudinal.sentences import say

#: Columns of the result besides the person and what is carried.
MADE = ("period", "event", "end")


def person_period(
    frame: pd.DataFrame,
    person: str,
    session: str,
    last: str | None = None,
    event: str | None = None,
    carry: str | Sequence[str] = (),
    horizon: int | None = None,
) -> pd.DataFrame:
    """Make one row per person and period at risk, which shows whether the person left in it.

    A person whose last session is ``k`` has the periods 1 to ``k + 1`` and leaves in the last of them: session
    ``k + 1`` is the first that did not take place. Nothing beyond the horizon is counted: a person who was
    still there at the horizon has the periods up to it and no event. The hazard of period t is then the share
    that leaves among those who were seen up to session ``t - 1`` (Singer & Willett 1993, doi
    10.3102/10769986018002155).

    Parameters
    ----------
    frame : DataFrame
        One row per person and session. Not changed.
    person, session : str
        Columns of the person and of the session's number: 0 for a baseline, then 1, 2, ...
    last : str, optional
        Column that defines a person's last session: the last one at which it has a value. Without it, every row
        counts.
    event : str, optional
        Column with one word per person for how the treatment ended, missing if it has not ended. Whatever its
        kind, the end then lies in the period after the last session. A person without a word is only known to
        have come to the last session, and has the periods up to it and no event.
    carry : str or sequence of str
        Columns to carry forward. Period t has the last value at a session before t; nothing from a later
        session enters.
    horizon : int, optional
        The last period that counts.

    Returns
    -------
    DataFrame
        In the order of the persons' first rows: the person, ``period`` (1, 2, ...), ``event`` (0 or 1), ``end``
        if there is an event column (its word in the period of the end, otherwise missing), and the carried
        columns. Persons who were never seen are left out. So are persons whose only known session is the
        baseline, if no end is known.

    Raises
    ------
    DataError
        If a column does not exist, an id is missing, a session's number is not a whole number of at least 0 or
        occurs twice for a person, a person has several ends, or the horizon is not a whole number of at least
        1.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> seen = pd.DataFrame({"client": ["a", "a", "b", "b", "b"], "session": [0, 1, 0, 1, 2], "phq9": [15.0, 14, 18, 12, 9]})
    >>> methods.person_period(seen, "client", "session", carry="phq9", horizon=2)
      client  period  event  phq9
    0      a       1      0  15.0
    1      a       2      1  14.0
    2      b       1      0  18.0
    3      b       2      0  12.0
    """
    carried = names_of(carry, "carry") if carry else ()
    wanted = [person, session, *carried, *(name for name in (last, event) if name is not None)]
    check_columns(frame, wanted)
    _check_names(person, carried)
    limit = _horizon(horizon)
    codes, ids = groups(frame, person)
    at = _sessions(frame, session)
    check_once(codes, at, ids, person, session)
    ended = _ends(frame, person, event, codes, ids)
    final = _last(codes, at, np.ones(len(frame), dtype=bool) if last is None else frame[last].notna())
    seen = final >= 0
    known = np.ones(len(ids), dtype=bool) if ended is None else ended.notna().to_numpy()
    periods = np.where(seen, np.minimum(final + known, limit), 0).astype(np.int64)
    leaves = seen & known & (final < limit)
    code = np.repeat(np.arange(len(ids)), periods)
    period = np.arange(len(code)) - np.repeat(np.cumsum(periods) - periods, periods) + 1
    here = leaves[code] & (period == periods[code])
    first = np.unique(codes, return_index=True)[1]
    out = pd.DataFrame({person: frame[person].iloc[first[code]].to_numpy()})
    out = out.assign(period=period, event=here.astype(np.int64))
    if ended is not None:
        out["end"] = pd.Series(np.where(here, ended.to_numpy()[code], None), dtype=object)
    for name in carried:
        out[name] = _before(frame[name], codes, at, code, period)
    return out


def _check_names(person: str, carried: Sequence[str]) -> None:
    taken = [name for name in (person, *carried) if name in MADE]
    if taken:
        raise DataError(
            f"Column {taken[0]!r} has the name of a column that is made: {', '.join(MADE)}. Rename it first."
        )
    if person in carried:
        raise DataError(f"Column {person!r} is the person and in carry. Leave it out of carry.")


def _horizon(horizon: int | None) -> float:
    if horizon is None:
        return np.inf
    if isinstance(horizon, bool) or not is_number(horizon) or not horizon >= 1 or horizon != int(horizon):
        raise DataError(
            f"horizon is {horizon!r}; it is the last period that counts, a whole number from 1 on."
        )
    return float(horizon)


def _sessions(frame: pd.DataFrame, name: str) -> Floats:
    at = numbers(frame, name, missing=False)
    odd = at[(at < 0) | (at != np.floor(at))]
    if len(odd):
        raise DataError(
            f"Column {name!r} holds {odd[0]:g}. Sessions are whole numbers: 0 for a baseline, then 1, 2, ..."
        )
    return at


def _ends(
    frame: pd.DataFrame, person: str, event: str | None, codes: Codes, ids: list[object]
) -> "pd.Series | None":
    """Each person's word, shape (persons,), missing where there is none; None without a column."""
    if event is None:
        return None
    words = frame[event].astype(object)
    words = words.map(lambda word: word.strip() or None if isinstance(word, str) else word)
    pairs = pd.DataFrame({"code": codes, "word": words.to_numpy()}).dropna().drop_duplicates()
    twice = pairs["code"].duplicated()
    if twice.any():
        at = int(pairs.loc[twice, "code"].iloc[0])
        several = [str(word) for word in pairs.loc[pairs["code"] == at, "word"]]
        raise DataError(
            say(
                "Column {event} holds several ends of {person} {id}: {words}. Give each {person} one.",
                person=person,
                id=Private(str(ids[at]), "(not shown)"),
                event=repr(event),
                words=", ".join(several),
            )
        )
    return pairs.set_index("code")["word"].reindex(range(len(ids)))


def _last(codes: Codes, at: Floats, filled: "pd.Series | np.ndarray") -> Floats:
    """Each person's last session, -1 where there is none."""
    out = np.full(codes.max() + 1, -1.0)
    np.maximum.at(out, codes, np.where(np.asarray(filled), at, -1.0))
    return out


def _before(column: pd.Series, codes: Codes, at: Floats, code: Codes, period: Codes) -> pd.Series:
    """The last value of each person at a session before each period, in the column's own type where it can be."""
    there = np.flatnonzero(column.notna().to_numpy())
    order = there[np.lexsort((at[there], codes[there]))]
    width = max(at.max(), period.max(initial=0)) + 1
    keys = codes[order] * width + at[order]
    place = np.searchsorted(keys, code * width + period, side="left") - 1
    found = place >= 0
    found[found] = codes[order[place[found]]] == code[found]
    rows = np.full(len(code), -1)
    rows[found] = order[place[found]]
    return column.reset_index(drop=True).reindex(rows).reset_index(drop=True)
