"""Reads a table from disk or database as text, every value as it is written and with its place."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Column, Keep, Places
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts, joined
from alliance_longitudinal.data.readers.files import find_files, is_several, no_files, read_file
from alliance_longitudinal.data.readers.redcap import arrange, read_dictionary
from alliance_longitudinal.data.readers.redcap_rows import Export, RecordRoles
from alliance_longitudinal.data.readers.several import differing_labels, one_table, repeated_in_another_file
from alliance_longitudinal.data.readers.sheet import Counts, Labels, Sheet, filled_rows
from alliance_longitudinal.data.readers.source import Source
from alliance_longitudinal.data.study_file.table_blocks import ClientsTable, SessionsTable, TherapistsTable
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.strict_yaml import nearest

AnyTable = SessionsTable | ClientsTable | TherapistsTable


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that were left out: why, how many, and whose (texts by role, n each; nobody's where it is empty)."""

    reason: str
    n: int
    people: Mapping[str, Texts]


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as text.

    Attributes
    ----------
    file : str
        What the study file calls it.
    sources : tuple of Source
        The files, or the database, that it was read from.
    headers : tuple of str
    columns : tuple of Texts
        One a header, n texts each.
    places : Places
        Of the n rows.
    missing : mapping of str to mapping of str to int
        Header -> code that a file itself declares as missing -> how often it stood there.
    labels : mapping of str to mapping of str to str
        Header -> value -> what the file says that it means.
    left_out : tuple of LeftOut
        Rows that were left out while reading, in the order of the steps.
    findings : tuple of Finding
    """

    file: str
    sources: tuple[Source, ...]
    headers: tuple[str, ...]
    columns: tuple[Texts, ...]
    places: Places
    missing: Counts = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def column(self, header: str) -> Column:
        """The column called ``header``; an empty one if the table has none (which is reported elsewhere)."""
        known = header in self.headers
        text = self.columns[self.headers.index(header)] if known else Texts.constant("", len(self))
        return Column(self.places, header, text)

    def take(self, keep: Keep) -> "RawTable":
        """The rows ``keep``."""
        columns = tuple(column.take(keep) for column in self.columns)
        return replace(self, columns=columns, places=self.places.take(keep))

    def without(self, gone: NDArray[np.bool_], reason: str, roles: Mapping[str, str]) -> "RawTable":
        """The table without the rows ``gone``, which are remembered with the ``reason`` they went for.

        Parameters
        ----------
        roles : mapping of str to str
            Headers of ``client`` and, where there is one, ``therapist``.
        """
        people = {role: self.column(header).text.take(gone) for role, header in roles.items()}
        step = LeftOut(reason, int(gone.sum()), people)
        return replace(self.take(~gone), left_out=(*self.left_out, step))

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which rows hold anything, shape (n,)."""
        return filled_rows(self.columns)


def read_table(
    folder: Path,
    block: AnyTable,
    baseline: Collection[str],
    answers: Collection[str],
    dialect: Dialect,
    problems: Problems,
) -> RawTable | None:
    """Read what ``block`` names, relative to ``folder``; None if that fails, and then ``problems`` says why.

    ``baseline`` and ``answers`` are the headers of what is known of clients, and of what is known of single sessions.
    """
    if block.database is not None:
        table = _from_server(block, dialect, problems)
    else:
        table = _from_files(folder, str(block.file), block, dialect, problems)
    if table is None or block.redcap is None:
        return table
    return _from_redcap(folder, table, block, baseline, answers, problems)


def _from_server(block: AnyTable, dialect: Dialect, problems: Problems) -> RawTable | None:
    from alliance_longitudinal.data.readers.database import read_postgresql

    assert block.database is not None
    sheet = read_postgresql(block.database, block, dialect, problems)
    if sheet is None:
        return None
    name = f"database {block.database.database}"
    return _table(name, [(name, sheet, sheet.sha256)])


def _from_files(
    folder: Path, named: str, block: AnyTable, dialect: Dialect, problems: Problems
) -> RawTable | None:
    paths = find_files(folder, named)
    if not paths:
        no_files(folder, named, problems)
        return None
    several = is_several(folder, named)
    read = []
    for path in paths:
        found = read_file(path, block, dialect, problems)
        if found is not None:
            sheet, digest = found
            read.append((path.name, sheet, sheet.sha256 or digest))
    if len(read) < len(paths):
        return None
    if not several:
        return _table(read[0][0], read)
    united = one_table(named, read, problems)
    if united is not None and differing_labels(united, problems):
        return None
    return None if united is None else _without_repeats(_table(named, united), block, problems)


def _table(name: str, parts: Sequence[tuple[str, Sheet, str]]) -> RawTable:
    """One table from parts that have the same headers in the same order: name, rows and hash of each."""
    sheets = [sheet for _, sheet, _ in parts]
    rows = [np.arange(s.first_row, s.first_row + len(s), dtype=np.int64) for s in sheets]
    file_of = np.repeat(np.arange(len(sheets), dtype=np.int32), [len(s) for s in sheets])
    missing: dict[str, dict[str, int]] = {}
    for sheet in sheets:
        for header, counts in sheet.missing.items():
            known = missing.setdefault(header, {})
            for code, n in counts.items():
                known[code] = known.get(code, 0) + n
    return RawTable(
        file=name,
        sources=tuple(Source(file, digest, int(sheet.filled.sum())) for file, sheet, digest in parts),
        headers=sheets[0].headers,
        columns=tuple(joined([s.columns[i] for s in sheets]) for i in range(len(sheets[0].headers))),
        places=Places(
            tuple(file for file, _, _ in parts), np.concatenate(rows), file_of if len(parts) > 1 else None
        ),
        missing=missing,
        labels={header: known for sheet in sheets for header, known in sheet.labels.items()},
    )


def _without_repeats(table: RawTable, block: AnyTable, problems: Problems) -> RawTable | None:
    """The table without rows that are in an earlier file too; under ``overlap: refuse`` they are a problem."""
    again = repeated_in_another_file(table.columns, table.places)
    if not again.any():
        return table
    if block.overlap == "drop":
        return table.without(again, "rows that are in an earlier file too", people(block))
    problems.add_rows(
        "overlapping_files",
        "the same row is in more than one file, word for word.",
        "take the overlap out of one file; or write 'overlap: drop' below the table to count each row once.",
        places=table.places,
        at=np.flatnonzero(again),
        column="",
        value=lambda _: "",
    )
    return None


def _from_redcap(
    folder: Path,
    table: RawTable,
    block: AnyTable,
    baseline: Collection[str],
    answers: Collection[str],
    problems: Problems,
) -> RawTable | None:
    assert block.redcap is not None
    fields = {}
    if block.redcap.dictionary is not None:
        found = read_dictionary(folder / block.redcap.dictionary, problems)
        if found is None:
            return None
        fields = found
    sheet = Sheet(table.headers, table.columns, 1, table.missing, table.labels)
    export = Export(table.file, sheet, table.places)
    arranged = arrange(export, block.redcap, _roles(block, baseline, answers), fields, problems)
    if arranged is None:
        return None
    whole = replace(table, headers=arranged.everything.headers, columns=arranged.everything.columns)
    read = whole.without(~arranged.keep, "rows of other REDCap forms and events", people(block))
    steps = read.left_out if not arranged.keep.all() else table.left_out
    return replace(
        read,
        columns=arranged.sheet.columns,
        labels=arranged.sheet.labels,
        left_out=steps,
        findings=arranged.findings,
    )


def people(block: AnyTable) -> dict[str, str]:
    """Headers of client and therapist in a table, by role; those that it names."""
    named = {role: getattr(block.columns, role, None) for role in ("client", "therapist")}
    return {role: header for role, header in named.items() if header is not None}


def _roles(block: AnyTable, baseline: Collection[str], answers: Collection[str]) -> RecordRoles:
    assert not isinstance(block, TherapistsTable)  # one row each, so never a repeating form
    columns = block.columns
    per_client = (columns.therapist, columns.clinic, columns.family, columns.ending, columns.arm)
    constant = frozenset(baseline) | {h for h in per_client if h is not None}
    names = ("date", "week", "day", "month", "group", "mode", "rater", "episode")
    per_row = frozenset(h for h in (getattr(columns, name, None) for name in names) if h is not None)
    session, date = getattr(columns, "session", None), getattr(columns, "date", None)
    return RecordRoles(
        columns.client, columns.therapist, constant, frozenset(answers), per_row, session, date
    )


def check_headers(table: RawTable, wanted: Sequence[str], problems: Problems) -> None:
    """Report the wanted columns that ``table`` lacks, with near matches, or has twice."""
    for header in dict.fromkeys(wanted):
        count = table.headers.count(header)
        if count > 1:
            places = [i + 1 for i, h in enumerate(table.headers) if h == header]
            problems.add(
                "duplicate_header",
                f"the column name {header!r} is there {count} times (columns {some(places)}).",
                "give each column a name of its own.",
                file=table.file,
                column=header,
            )
    missing = [h for h in dict.fromkeys(wanted) if h not in table.headers]
    if not missing:
        return
    elsewhere = _header_further_down(table, wanted)
    if elsewhere is not None:
        problems.add(
            "header_row",
            f"the column names are not in the header row but in row {elsewhere}.",
            f"write 'header_row: {elsewhere}' below the file's name in the study file.",
            file=table.file,
            row=elsewhere,
        )
        return
    for header in missing:
        problems.add(
            "missing_column",
            f"there is no column {header!r}. {nearest(header, [h for h in table.headers if h])}".strip(),
            "correct the name in the study file or in the table.",
            file=table.file,
            column=header,
        )


def _header_further_down(table: RawTable, wanted: Sequence[str]) -> int | None:
    """Row among the next ten that holds all wanted names, if there is one."""
    for place in range(min(10, len(table))):
        if set(wanted) <= {column[place] for column in table.columns}:
            return table.places.row(place)
    return None
