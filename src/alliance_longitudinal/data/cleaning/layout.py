"""Brings a sessions table, long or wide, into one shape: one row per client and session, still as text."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.data.cells.columns import Column, Keep, Places
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts, joined
from alliance_longitudinal.data.cleaning.item_patterns import report_item_patterns
from alliance_longitudinal.data.readers.tables import RawTable, check_headers
from alliance_longitudinal.data.study_file.table_blocks import TIME_UNITS, SessionsTable
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say
from alliance_longitudinal.strict_yaml import nearest

REPEATED_ROLES = ("date", *TIME_UNITS)  # of the key columns, those that a wide table repeats per session


@dataclass(frozen=True, slots=True)
class SessionCells:
    """The used columns of the sessions table; all have shape (n,), n = client sessions.

    Attributes
    ----------
    keys : mapping of str to Column
        By role: client, therapist, clinic, session, date, week, group ...; those that the study names.
    measures : mapping of str to tuple of Column
        One column an item, or a single one for a total.
    baseline : mapping of str to Column
        What is known of clients and therapists and is in the sessions table, by name.
    covariates : mapping of str to Column
        Covariates of single sessions, by name.
    headers : frozenset of str
        The table's headers that were used.
    findings : tuple of Finding
    """

    keys: Mapping[str, Column]
    measures: Mapping[str, tuple[Column, ...]]
    baseline: Mapping[str, Column]
    covariates: Mapping[str, Column]
    headers: frozenset[str]
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.keys["client"].places)

    @property
    def places(self) -> Places:
        """Where each row stands."""
        return self.keys["client"].places

    def take(self, keep: Keep) -> "SessionCells":
        """The rows ``keep``."""
        return replace(
            self,
            keys={role: c.take(keep) for role, c in self.keys.items()},
            measures={name: tuple(c.take(keep) for c in items) for name, items in self.measures.items()},
            baseline={name: c.take(keep) for name, c in self.baseline.items()},
            covariates={name: c.take(keep) for name, c in self.covariates.items()},
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Headers to be read from the sessions table.

    ``sessions`` holds the names of sessions and their numbers, ``patterns`` the pattern of each measure's item headers.
    """

    keys: Mapping[str, str]
    measures: Mapping[str, tuple[str, ...]]
    baseline: Mapping[str, str]
    covariates: Mapping[str, str]
    sessions: Mapping[str, int]
    patterns: Mapping[str, str]

    def repeated(self) -> list[str]:
        """Headers that a wide table repeats per session."""
        keys = [h for role, h in self.keys.items() if role in REPEATED_ROLES]
        return [*keys, *(h for items in self.measures.values() for h in items), *self.covariates.values()]

    def constant(self) -> list[str]:
        """Headers that stand once per client in a wide table."""
        return [*(h for role, h in self.keys.items() if role not in REPEATED_ROLES), *self.baseline.values()]


def drop_second_header(table: RawTable, wanted: Wanted, dialect: Dialect, problems: Problems) -> RawTable:
    """Report a first data row that is a second header (labels above the values), and go on without it.

    It is one when its session, week, date and answers, at least two of them, all fail to be what they should
    be, while below it at least one of these columns is in order.
    """
    dates = {h for role, h in wanted.keys.items() if role == "date"}
    numbers = {
        h
        for role, h in wanted.keys.items()
        if role in TIME_UNITS or (role == "session" and not wanted.sessions)
    }
    numbers |= {h for headers in wanted.measures.values() for h in headers}

    def bad(rows: slice) -> list[bool]:
        columns = [
            dialect.numbers(table.column(h).text.take(rows))[1] for h in sorted(numbers) if h in table.headers
        ]
        columns += [
            dialect.days(table.column(h).text.take(rows))[1] for h in sorted(dates) if h in table.headers
        ]
        return [bool(column.any()) for column in columns]

    first = bad(slice(0, 1))
    if len(table) < 2 or len(first) < 2 or not all(first) or all(bad(slice(1, None))):
        return table
    above = table.places.row(0)
    problems.add(
        "two_header_rows",
        "the row below the column names has no data; it looks like a second header row.",
        f"delete it, or write 'header_row: {above}' if it holds the right names.",
        file=table.places.file(0),
        row=above,
    )
    return table.take(np.arange(len(table)) > 0)


def long_cells(table: RawTable, wanted: Wanted, problems: Problems) -> SessionCells:
    """Cells of a long table; a missing column of answers is reported and comes out empty.

    Without one of the key columns nothing more can be said, and the problems so far are raised.
    """
    explained = report_item_patterns(table, table.headers, wanted.patterns, wanted.measures, problems)
    check_headers(
        table, [h for h in (*wanted.constant(), *wanted.repeated()) if h not in explained], problems
    )
    if not set(wanted.keys.values()) <= set(table.headers):
        problems.raise_if_any()
    return SessionCells(
        keys={role: table.column(header) for role, header in wanted.keys.items()},
        measures={name: tuple(map(table.column, headers)) for name, headers in wanted.measures.items()},
        baseline={name: table.column(header) for name, header in wanted.baseline.items()},
        covariates={name: table.column(header) for name, header in wanted.covariates.items()},
        headers=frozenset([*wanted.constant(), *wanted.repeated()]),
    )


def wide_cells(
    table: RawTable, spec: SessionsTable, wanted: Wanted, dialect: Dialect, problems: Problems
) -> tuple[SessionCells, NDArray[np.bool_]]:
    """Cells of a wide table, one row per client and possible session, and which of them hold anything."""
    check_headers(table, wanted.constant(), problems)
    if not {h for role, h in wanted.keys.items() if role not in REPEATED_ROLES} <= set(table.headers):
        problems.raise_if_any()
    assert spec.wide is not None  # the study file was checked
    repeated = dict.fromkeys(wanted.repeated())
    found = {h: _repeats(table, spec.wide.pattern, h, wanted.sessions, problems) for h in repeated}
    spelled = re.escape(spec.wide.pattern).replace(re.escape("{session}"), "[0-9]+", 1)
    shape = re.compile(spelled.replace(re.escape("{column}"), "(.+?)", 1))
    stems = [match.group(1) for h in table.headers if (match := shape.fullmatch(h))]
    explained = report_item_patterns(table, stems, wanted.patterns, wanted.measures, problems)
    open_columns = {h: repeats for h, repeats in found.items() if h not in explained}
    _report_unmatched(table, spec.wide.pattern, open_columns, problems)
    _report_unknown_names(table, spec.wide.pattern, repeated, wanted.sessions, problems)
    _report_ambiguous(table, spec.wide.pattern, found, problems)
    sessions = sorted({session for repeats in found.values() for session in repeats})
    spread = _Spread(table, sessions, spec.wide.pattern, found)
    used = frozenset([*wanted.constant(), *(h for repeats in found.values() for h in repeats.values())])
    cells = SessionCells(
        keys={
            **{
                role: spread.repeated(header) if role in REPEATED_ROLES else spread.constant(header)
                for role, header in wanted.keys.items()
            },
            "session": spread.numbers(),
        },
        measures={name: tuple(map(spread.repeated, headers)) for name, headers in wanted.measures.items()},
        baseline={name: spread.constant(header) for name, header in wanted.baseline.items()},
        covariates={name: spread.repeated(header) for name, header in wanted.covariates.items()},
        headers=used,
        findings=_unused_finding(table, spec.wide.pattern, repeated, used),
    )
    filled = np.zeros(len(cells), dtype=bool)
    dates = [cells.keys[role] for role in REPEATED_ROLES if role in cells.keys]
    answers = (c for items in cells.measures.values() for c in items)
    for column in (*dates, *answers, *cells.covariates.values()):
        filled |= ~dialect.is_missing(column.text)
    return cells, filled


@dataclass(frozen=True, slots=True)
class _Spread:
    """Repeats a table's columns over sessions; the session varies fastest."""

    table: RawTable
    sessions: Sequence[int]
    pattern: str
    found: Mapping[str, Mapping[int, str]]

    @property
    def places(self) -> Places:
        return self.table.places.repeated(len(self.sessions))

    def constant(self, header: str) -> Column:
        return Column(self.places, header, self.table.column(header).text.repeated(len(self.sessions)))

    def repeated(self, header: str) -> Column:
        names = [self.found[header].get(session, "") for session in self.sessions]
        n = len(self.table)
        if not names:
            return Column(self.places, header, Texts.of([]))
        by_session = joined([self.table.column(name).text for name in names])
        text = Texts(by_session.codes.reshape(len(names), n).T.reshape(-1), by_session.words)
        return Column(self.places, header, text, self._tiled(names))

    def numbers(self) -> Column:
        return Column(self.places, self.pattern, self._tiled([str(s) for s in self.sessions]))

    def _tiled(self, words: Sequence[str]) -> Texts:
        """``words``, one a session, for each row of the table."""
        one = Texts.of(words)
        return Texts(np.tile(one.codes, len(self.table)), one.words)


def _repeats(
    table: RawTable, pattern: str, column: str, names: Mapping[str, int], problems: Problems
) -> dict[int, str]:
    """Session number -> header, for the headers of ``column`` under ``pattern``; two for one session are a problem."""
    before, after = pattern.replace("{column}", column).split("{session}")
    session = "|".join(["[0-9]{1,9}", *(re.escape(name) for name in names)])
    expression = re.compile(f"{re.escape(before)}({session}){re.escape(after)}")
    found: dict[int, str] = {}
    for header in table.headers:
        match = expression.fullmatch(header)
        if not match:
            continue
        word = match.group(1)
        number = names[word] if word in names else int(word)
        if number in found:
            problems.add(
                "duplicate_header",
                f"two columns hold {column!r} of session {number}: {found[number]!r} and {header!r}.",
                "remove one of them, or give it another name.",
                file=table.file,
                column=header,
            )
        else:
            found[number] = header
    return found


def _report_unknown_names(
    table: RawTable, pattern: str, columns: Collection[str], names: Mapping[str, int], problems: Problems
) -> None:
    """Report names of sessions that no header holds."""
    for name in names:
        wanted = {pattern.replace("{column}", column).replace("{session}", name) for column in columns}
        if not wanted & set(table.headers):
            example = min(wanted)
            problems.add(
                "missing_column",
                f"no column belongs to the session {name!r}; one such as {example!r} was expected. "
                f"{nearest(example, [h for h in table.headers if h])}".strip(),
                "correct 'sessions', or 'wide: {pattern: ...}', in the study file.",
                file=table.file,
                column=example,
            )


def _unused_finding(
    table: RawTable, pattern: str, columns: Collection[str], used: Collection[str]
) -> tuple[Finding, ...]:
    """Headers that begin or end like a repeated column and were not used: most likely another session of it."""
    shapes = []
    for column in columns:
        before, after = (re.escape(part.replace("{column}", column)) for part in pattern.split("{session}"))
        name = re.escape(column)
        if "{column}" in pattern.split("{session}")[0]:
            shapes.append(f"{before}.+")
        else:
            shapes.append(f".+{after}")
        shapes += [f"{name}[^0-9A-Za-z].+", f".+[^0-9A-Za-z]{name}"]
    alike = re.compile("|".join(shapes), re.IGNORECASE)
    unused = [h for h in table.headers if h and h not in used and alike.fullmatch(h)]
    if not unused:
        return ()
    file = Private(table.file, "a table")
    message = say(
        "{file}: {n:noun} {n:looks|look} like another session of a measure, but {n:does|do} not "
        "match the pattern {pattern}: {names}. {n:It is|They are} left out. If "
        "{n:it is a session|they are sessions}, change the pattern, or name {n:it|them} under "
        "'sessions', such as '{example}'.",
        file=file,
        n=Number(len(unused), "integer", "column"),
        pattern=repr(pattern),
        names=some(unused, 8),
        example="sessions: {pre: 0, post: 99}",
    )
    return (Finding("columns_not_used", "caution", message, say("{file}", file=file)),)


def _report_ambiguous(
    table: RawTable, pattern: str, found: Mapping[str, Mapping[int, str]], problems: Problems
) -> None:
    """Report headers that could be those of two columns, such as ``p11`` under ``{column}{session}``."""
    claimed: dict[str, tuple[str, int]] = {}
    for column, repeats in found.items():
        for session, header in repeats.items():
            other, its_session = claimed.setdefault(header, (column, session))
            if other != column:
                problems.add(
                    "ambiguous_header",
                    f"{header!r} could be {other!r} of session {its_session} or {column!r} of session {session}.",
                    f"put a mark between column and session in the table's headers and in 'wide: {{pattern: "
                    f"{pattern!r}}}', such as '{{column}}_s{{session}}'.",
                    file=table.file,
                    column=header,
                )


def _report_unmatched(
    table: RawTable, pattern: str, found: Mapping[str, Mapping[int, str]], problems: Problems
) -> None:
    for header, repeats in found.items():
        if not repeats:
            example = pattern.replace("{column}", header).replace("{session}", "1")
            problems.add(
                "missing_column",
                f"no column of {header!r} fits the pattern {pattern!r}; a column {example!r} was expected. "
                f"The table has: {', '.join(repr(h) for h in table.headers[:8] if h)} ...",
                "correct 'wide: {pattern: ...}' or the column's name in the study file.",
                file=table.file,
                column=example,
            )
