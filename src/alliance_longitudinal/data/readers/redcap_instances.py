"""Whether the instances of repeating forms are those of sessions: alike in writing, in one event, of about the same day."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count, Number, Private
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.sheet import Sheet
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Days by which the dates of two forms of one session may differ.
NEAR = 3
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"0*(\d+)(?:\.0+)?")


def instance_numbers(column: Texts) -> NDArray[np.int32]:
    """Codes of the instances, the same for ``2``, ``02`` and ``2.0``."""
    plain = [
        _NUMBER.sub(r"\1", str(word)) if _NUMBER.fullmatch(str(word)) else str(word) for word in column.words
    ]
    place = {word: k for k, word in enumerate(dict.fromkeys(plain))}
    return np.array([place[word] for word in plain], dtype=np.int32)[column.codes]


def report_instances_of_events(
    name: str, columns: Sequence[Texts], keep: NDArray[np.bool_], problems: Problems
) -> None:
    """Report instances that begin anew in each event, where they are to number a client's sessions.

    ``columns`` are those of the record, the form, the event and the instance.
    """
    record, form, event, instance = columns
    at = np.flatnonzero(keep & ~event.empty & ~instance.empty)
    keys = np.column_stack(
        [record.codes[at], form.codes[at], instance_numbers(instance)[at], event.codes[at]]
    )
    found, first = np.unique(keys, axis=0, return_index=True)
    again = np.flatnonzero((found[1:, :3] == found[:-1, :3]).all(axis=1))
    if not len(again):
        return
    rows = np.sort(at[first[np.unique(np.r_[again, again + 1])]])
    events = list(dict.fromkeys(event[int(row)] for row in rows))
    problems.add(
        "redcap_events",
        f"the same instance of a repeating form is there in more than one event of a record ({some(events, 6)}). Instances begin anew "
        "in each event, so they do not number the sessions.",
        f"name the event whose rows are sessions, as in 'redcap: {{events: {{{events[0]}: 1}}}}'; or name no session number, then sessions are "
        "numbered by date.",
        file=name,
        column="redcap_repeat_instance",
    )


def dates_apart(
    file: str, sheet: Sheet, pairs: Sequence[tuple[int, int]], date: str | None, used: frozenset[str]
) -> tuple[Finding, ...]:
    """A finding for each unnamed date of a form that is far from the named date of the form it is joined with.

    REDCap counts the instances of each form by themselves, so a client who left one form out once has all later ones out of step.

    Parameters
    ----------
    pairs : sequence of (int, int)
        Rows of two forms that are joined to one session.
    date : str or None
        Header of the session's date; without it nothing is compared.
    used : frozenset of str
        Headers that the study file names.
    """
    if date is None or date not in sheet.headers or not pairs:
        return ()
    days = _days(sheet.columns[sheet.headers.index(date)])
    if days is None:
        return ()
    out = []
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        other = None if header in used else _days(column)
        if other is None:
            continue
        gaps = [_gap(days, other, one, two) for one, two in pairs]
        known = [gap for gap in gaps if np.isfinite(gap)]
        far = sum(gap > NEAR for gap in known)
        if far:
            out.append(_finding(file, header, date, far, len(known)))
    return tuple(out)


def _gap(days: NDArray[np.float64], other: NDArray[np.float64], one: int, two: int) -> float:
    """Days between the date of one row and the other date of the row joined with it; missing where a row has both."""
    for row, partner in ((one, two), (two, one)):
        if np.isfinite(days[row]) and np.isfinite(other[partner]) and not np.isfinite(days[partner]):
            return float(abs(days[row] - other[partner]))
    return float("nan")


def _days(column: Texts) -> NDArray[np.float64] | None:
    """Days of a column of dates as REDCap exports them, missing where empty; None for another column."""
    words = [str(word) for word in column.present() if word]
    if not words or not all(_DAY.match(word) for word in words):
        return None
    try:
        of = {word: float(np.datetime64(word[:10], "D").astype(int)) for word in words}
    except ValueError:
        return None
    return np.array([of.get(str(word), np.nan) for word in column.words])[column.codes]


def _finding(file: str, header: str, date: str, far: int, n: int) -> Finding:
    where = Private(file, "a table")
    message = say(
        "{file}: in {far:noun} of {n}, the date '{header}' of one REDCap form is more than {near} days from '{date}' of the form joined with "
        "it. REDCap counts the instances of each form on its own, so after a form that was left out once, forms of different sessions have the "
        "same instance. Check these rows before you rely on a relation between the two forms.",
        file=where,
        far=Count(far, "session"),
        n=Count(n, "session"),
        header=header,
        near=Number(NEAR, "integer"),
        date=date,
    )
    return Finding("redcap_dates_apart", "caution", message, say("{file}", file=where))
