"""Which rows of a REDCap export are sessions: rows of repeating forms, joined, or of events; and whose they are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count, Private
from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cells.problems import KEPT, Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.redcap_instances import (
    dates_apart,
    instance_numbers,
    report_instances_of_events,
)
from alliance_longitudinal.data.readers.sheet import Sheet
from alliance_longitudinal.data.study_file.table_blocks import Redcap
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

EVENT, FORM, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"


@dataclass(frozen=True, slots=True)
class RecordRoles:
    """Headers of the record's id, its therapist, and of what is used: of a record as a whole, answers, and of a row.

    ``session`` and ``date`` are those of a row's number and day, if the study file names them.
    """

    client: str
    therapist: str | None
    constant: frozenset[str]
    answers: frozenset[str]
    per_row: frozenset[str]
    session: str | None = None
    date: str | None = None

    @property
    def used(self) -> frozenset[str]:
        """All but the record's id."""
        return self.constant | self.answers | self.per_row


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it was read, and where each of its rows is."""

    name: str
    sheet: Sheet
    places: Places


@dataclass(frozen=True, slots=True)
class Arranged:
    """What an export holds of sessions.

    Attributes
    ----------
    sheet : Sheet
        The rows that are sessions.
    keep : bool array
        Which rows of the export those are (of joined rows, the first).
    everything : Sheet
        All rows, with codes in place of labels.
    findings : tuple of Finding
    """

    sheet: Sheet
    keep: NDArray[np.bool_]
    everything: Sheet
    findings: tuple[Finding, ...]


def arranged_rows(table: Export, block: Redcap, roles: RecordRoles, problems: Problems) -> Arranged | None:
    """The sessions among the rows of ``table``, whose answers are codes; None, and a problem, without any."""
    sheet = table.sheet
    keep = np.ones(len(sheet), dtype=bool)
    if block.instrument is not None:
        keep &= _of_forms(table.name, sheet, block.instrument, problems)
    if block.events is not None:
        chosen = _numbered_by_event(table.name, sheet, block.events, problems)
        if chosen is None:
            return None
        numbered, of_event = chosen
        keep &= of_event
    else:
        numbered = sheet
    if problems:
        return None
    if not keep.any():
        message = "no row belongs to the form and events that the study file names."
        problems.add("redcap_rows", message, "correct 'redcap' in the study file.", file=table.name)
        return None
    if roles.client not in sheet.headers:  # reported with the other missing columns
        return Arranged(numbered, np.ones(len(sheet), dtype=bool), numbered, ())
    findings = _left_out(replace(table, sheet=sheet), keep, block, roles, problems)
    if (
        block.instrument is not None
        and roles.session == INSTANCE
        and EVENT in sheet.headers
        and INSTANCE in sheet.headers
    ):
        columns = [_column(sheet, h) for h in (roles.client, FORM, EVENT, INSTANCE)]
        report_instances_of_events(table.name, columns, keep, problems)
    if block.instrument is not None and len(block.instrument) > 1:
        numbered, keep, apart = _joined(replace(table, sheet=numbered), keep, roles, problems)
        findings = (*findings, *apart)
    kept = _filled_from_record(replace(table, sheet=numbered), roles, keep, problems)
    return None if problems else Arranged(kept, keep, numbered, findings)


def plain(text: str) -> str:
    """A form's name or its label, alike."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _column(sheet: Sheet, header: str) -> Texts:
    return sheet.columns[sheet.headers.index(header)]


def _of_forms(name: str, sheet: Sheet, forms: Sequence[str], problems: Problems) -> NDArray[np.bool_]:
    if FORM not in sheet.headers:
        message = f"there is no column {FORM!r}, so the rows of a repeating form cannot be found."
        problems.add("redcap_rows", message, "take out 'redcap: instrument'.", file=name, column=FORM)
        return np.zeros(len(sheet), dtype=bool)
    column = _column(sheet, FORM)
    own = np.zeros(len(sheet), dtype=bool)
    for form in forms:
        wanted = plain(form)
        of_form = column.where(lambda word, wanted=wanted: plain(word) == wanted)  # type: ignore[misc]
        if not of_form.any():
            known = [word for word in column.present() if word]
            message = f"no row belongs to the repeating form {form!r}; there are {some(known, 10) or 'none'}."
            problems.add("redcap_rows", message, "correct 'redcap: instrument'.", file=name, column=FORM)
        own |= of_form
    return own


def _numbered_by_event(
    name: str, sheet: Sheet, events: dict[str, int], problems: Problems
) -> tuple[Sheet, NDArray[np.bool_]] | None:
    """The sheet with session numbers in place of the events' names, and which rows belong to one of them."""
    if EVENT not in sheet.headers:
        message = f"there is no column {EVENT!r}."
        problems.add("redcap_rows", message, "take out 'redcap: events'.", file=name, column=EVENT)
        return None
    at = sheet.headers.index(EVENT)
    column = sheet.columns[at]
    absent = sorted(set(events) - set(column.words))
    if absent:
        there = some([word for word in column.present() if word], 10)
        message = f"no row belongs to the event {absent[0]!r}; there are {there}."
        problems.add("redcap_rows", message, "correct 'redcap: events'.", file=name, column=EVENT)
        return None
    numbers = column.replaced(lambda word: str(events[word]) if word in events else "")
    columns = (*sheet.columns[:at], numbers, *sheet.columns[at + 1 :])
    return replace(sheet, columns=columns), ~numbers.empty


def _left_out(
    table: Export, keep: NDArray[np.bool_], block: Redcap, roles: RecordRoles, problems: Problems
) -> tuple[Finding, ...]:
    """Answers of the measures in rows that are no sessions: a problem if a column has no others, else a finding."""
    sheet = table.sheet
    of_row = EVENT if block.events is not None else FORM
    if keep.all() or of_row not in sheet.headers:
        return ()
    kind, what = _column(sheet, of_row), "events" if of_row == EVENT else "repeating forms"
    holds = np.zeros(len(sheet), dtype=bool)
    for header in sorted(roles.answers & set(sheet.headers)):
        filled = ~_column(sheet, header).empty
        gone = filled & ~keep
        holds |= gone
        if gone.any() and not (filled & keep).any():
            words = [word for word in kind.take(gone).present() if word]
            n = int(gone.sum())
            problems.add(
                "redcap_rows",
                f"column {header!r} has its {n} value{'' if n == 1 else 's'} only in rows of {some(words or ['the record itself'])}, which "
                "are left out.",
                _where_else(of_row, words, block, header),
                file=table.name,
                column=header,
            )
    if not holds.any():
        return ()
    records = _column(sheet, roles.client)
    lost = len(set(records.take(holds).present()) - set(records.take(keep).present()))
    names = [word or "the record itself" for word in kind.take(holds).present()]
    file = Private(table.name, "a table")
    message = say(
        "{file}: {n:noun} of {what} that the study file does not name {n:holds|hold} answers of the measures and {n:is|are} left "
        "out: {names}.",
        file=file,
        n=Count(int(holds.sum()), "row"),
        what=what,
        names=some(names, 12),
    )
    if lost:
        message += say(
            " {n:noun} {n:has|have} no other row and {n:is|are} not in the study.", n=Count(lost, "client")
        )
    return (Finding("redcap_rows_left_out", "caution", message, say("{file}", file=file)),)


def _where_else(of_row: str, names: Sequence[str], block: Redcap, header: str) -> str:
    """What to do about a column whose values are in rows that are left out: of forms or events, or of the record itself."""
    if not names:
        return (
            f"a value of the record belongs to no session. Name {header!r} under 'baseline' if it is asked once per client, or export the "
            "form in which it is asked at each session."
        )
    if of_row == FORM:
        both = ", ".join(dict.fromkeys([*(block.instrument or []), *names]))
        return f"name these repeating forms too, as in 'redcap: {{instrument: [{both}]}}'; several are joined by record and instance."
    return "name these events under 'redcap: events', each with its session number."


def _joined(
    table: Export, keep: NDArray[np.bool_], roles: RecordRoles, problems: Problems
) -> tuple[Sheet, NDArray[np.bool_], tuple[Finding, ...]]:
    """Rows of several forms with the same record, event and instance as one row: the first, its gaps filled.

    Where both rows hold different values in a column that is used, that is reported.
    """
    sheet = table.sheet
    at = np.flatnonzero(keep)
    parts = [_column(sheet, h).codes[at] for h in (roles.client, EVENT) if h in sheet.headers]
    if INSTANCE in sheet.headers:
        parts.append(instance_numbers(_column(sheet, INSTANCE))[at])
    keys = pd.DataFrame(dict(enumerate(parts)))
    form = _column(sheet, FORM).codes[at]
    again = keys.assign(form=form)
    keys["count"] = again.groupby(
        list(again.columns), sort=False
    ).cumcount()  # a form given twice stays twice
    group = keys.groupby(list(keys.columns), sort=False).ngroup().to_numpy()
    base = at[np.unique(group, return_index=True)[1]]
    base_of = np.arange(len(sheet))
    base_of[at] = base[group]
    more = at[base_of[at] != at]
    columns = []
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        codes, empty = column.codes.copy(), column.empty
        fills = more[~empty[more] & empty[base_of[more]]]
        codes[base_of[fills]] = codes[fills]
        clash = more[~empty[more] & ~empty[base_of[more]] & (codes[more] != codes[base_of[more]])]
        if header in roles.used:
            problems.add_rows(
                "redcap_two_values",
                f"rows of two forms of one record and instance hold different values of {header!r}.",
                "correct one of them, or export the forms' instances with matching numbers.",
                places=table.places,
                at=clash,
                column=header,
                value=lambda _: "",
            )
        columns.append(Texts(codes, column.words))
    joined = keep.copy()
    joined[more] = False
    pairs = [(int(base_of[row]), int(row)) for row in more]
    return (
        replace(sheet, columns=tuple(columns)),
        joined,
        dates_apart(table.name, sheet, pairs, roles.date, roles.used),
    )


def _filled_from_record(
    table: Export, roles: RecordRoles, keep: NDArray[np.bool_], problems: Problems
) -> Sheet:
    """The rows ``keep``, with what holds for their whole record where their own cell is empty.

    A record that says two things, so that neither can be taken, is reported with the rows that say them.
    """
    sheet = table.sheet
    records = _column(sheet, roles.client)
    columns = []
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        own = column.take(keep)
        blank = own.empty
        if header not in roles.constant or not blank.any():
            columns.append(own)
            continue
        said, differs = _agreed(records.codes, column)
        unclear = differs[records.codes[keep]] & blank
        if header != roles.therapist:  # one value among its own rows is enough
            told = np.zeros(len(differs), dtype=bool)
            told[records.codes[keep][~blank]] = True
            unclear &= ~told[records.codes[keep]]
        _report_unclear(
            table, header, column, records, np.unique(records.codes[keep][unclear]), roles, problems
        )
        of_row = said[records.codes[keep]]
        columns.append(Texts(np.where(blank & (of_row >= 0), of_row, own.codes).astype(np.int32), own.words))
    return replace(sheet, columns=tuple(columns))


def _report_unclear(
    table: Export,
    header: str,
    column: Texts,
    records: Texts,
    unclear: NDArray[np.int32],
    roles: RecordRoles,
    problems: Problems,
) -> None:
    filled = np.flatnonzero(~column.empty & np.isin(records.codes, unclear))
    rows = {int(code): filled[records.codes[filled] == code] for code in unclear[:KEPT]}
    first = np.array([at[0] for at in rows.values()], dtype=np.intp)
    what = "therapist" if header == roles.therapist else repr(header)

    def value(place: int) -> str:
        said = [f"{column[int(at)]} (row {table.places.row(int(at))})" for at in rows[int(unclear[place])]]
        return f"record {records.words[unclear[place]]}: {some(said)}"

    remedy = "correct it, so that the rows of a record agree; or write it into the row of each session."
    if header == roles.therapist:
        remedy += (
            " If the client changed therapist, also say under whom such clients are analysed: 'transfers: first' (or "
            "last, longest)."
        )
    problems.add_rows(
        "record_two_values",
        f"a record has more than one {what} in its rows, so it is not known which holds for its sessions.",
        remedy,
        places=table.places,
        at=first,
        column=header,
        value=value,
    )


def _agreed(records: NDArray[np.int32], column: Texts) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each record the code of the one value that its rows have (-1 without one), and whether they have several."""
    filled = ~column.empty
    n = int(records.max()) + 1
    low, high = np.full(n, np.iinfo(np.int32).max, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    np.minimum.at(low, records[filled], column.codes[filled])
    np.maximum.at(high, records[filled], column.codes[filled])
    return np.where(low == high, high, -1), (high >= 0) & (low != high)
