"""Brings a sessions table, long or wide, into one shape: one row per client and session, still as text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Column, Keep, Places
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts, joined
from alliance_longitudinal.data.readers.tables import RawTable, check_headers
from alliance_longitudinal.data.study_file.table_blocks import SessionsTable

REPEATED_ROLES = ("date", "week")  # of the key columns, those that a wide table repeats per session


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
        Baseline columns that stand in the sessions table.
    """

    keys: Mapping[str, Column]
    measures: Mapping[str, tuple[Column, ...]]
    baseline: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.keys["client"].places)

    @property
    def places(self) -> Places:
        """Where each row stands."""
        return self.keys["client"].places

    def take(self, keep: Keep) -> "SessionCells":
        """The rows ``keep``."""
        return SessionCells(
            keys={role: c.take(keep) for role, c in self.keys.items()},
            measures={name: tuple(c.take(keep) for c in items) for name, items in self.measures.items()},
            baseline={name: c.take(keep) for name, c in self.baseline.items()},
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Headers to be read from the sessions table."""

    keys: Mapping[str, str]
    measures: Mapping[str, tuple[str, ...]]
    baseline: Mapping[str, str]

    def repeated(self) -> list[str]:
        """Headers that a wide table repeats per session."""
        keys = [h for role, h in self.keys.items() if role in REPEATED_ROLES]
        return [*keys, *(h for items in self.measures.values() for h in items)]

    def constant(self) -> list[str]:
        """Headers that stand once per client in a wide table."""
        return [*(h for role, h in self.keys.items() if role not in REPEATED_ROLES), *self.baseline.values()]


def drop_second_header(table: RawTable, wanted: Wanted, dialect: Dialect, problems: Problems) -> RawTable:
    """Report a first data row that is a second header (labels above the values), and go on without it.

    It is one when its session, week, date and answers, at least two of them, all fail to be what they should
    be, while below it at least one of these columns is in order.
    """
    dates = {h for role, h in wanted.keys.items() if role == "date"}
    numbers = {h for role, h in wanted.keys.items() if role in ("session", "week")}
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
        "the row below the column names holds no data; it looks like a second header row.",
        f"delete it, or write 'header_row: {above}' if it holds the right names.",
        file=table.places.file(0),
        row=above,
    )
    return table.take(np.arange(len(table)) > 0)


def long_cells(table: RawTable, wanted: Wanted, problems: Problems) -> SessionCells:
    """Cells of a long table; a missing column of answers is reported and comes out empty.

    Without one of the key columns nothing more can be said, and the problems so far are raised.
    """
    check_headers(table, [*wanted.constant(), *wanted.repeated()], problems)
    if not set(wanted.keys.values()) <= set(table.headers):
        problems.raise_if_any()
    return SessionCells(
        keys={role: table.column(header) for role, header in wanted.keys.items()},
        measures={name: tuple(map(table.column, headers)) for name, headers in wanted.measures.items()},
        baseline={name: table.column(header) for name, header in wanted.baseline.items()},
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
    found = {h: _repeats(table, spec.wide.pattern, h, problems) for h in repeated}
    _report_unmatched(table, spec.wide.pattern, found, problems)
    _report_ambiguous(table, spec.wide.pattern, found, problems)
    sessions = sorted({session for repeats in found.values() for session in repeats})
    spread = _Spread(table, sessions, spec.wide.pattern, found)
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
    )
    filled = np.zeros(len(cells), dtype=bool)
    dates = [cells.keys[role] for role in REPEATED_ROLES if role in cells.keys]
    for column in (*dates, *(c for items in cells.measures.values() for c in items)):
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


def _repeats(table: RawTable, pattern: str, column: str, problems: Problems) -> dict[int, str]:
    """Session number -> header, for the headers of ``column`` under ``pattern``; two for one session are a problem."""
    before, after = pattern.replace("{column}", column).split("{session}")
    expression = re.compile(f"{re.escape(before)}([0-9]{{1,9}}){re.escape(after)}")
    found: dict[int, str] = {}
    for header in table.headers:
        match = expression.fullmatch(header)
        if match and int(match.group(1)) in found:
            problems.add(
                "duplicate_header",
                f"two columns hold {column!r} of session {int(match.group(1))}: {found[int(match.group(1))]!r} and "
                f"{header!r}.",
                "take one of them out, or give it another name.",
                file=table.file,
                column=header,
            )
        elif match:
            found[int(match.group(1))] = header
    return found


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
