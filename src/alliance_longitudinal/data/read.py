"""The tables that a study file names, read, without excluded rows; and all that is wrong with the file and its columns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.exclude import leave_out
from alliance_longitudinal.data.cleaning.keys import ClientRows
from alliance_longitudinal.data.cleaning.layout import (
    SessionCells,
    Wanted,
    drop_second_header,
    long_cells,
    wide_cells,
)
from alliance_longitudinal.data.cleaning.therapists import check_therapist_headers
from alliance_longitudinal.data.readers.tables import RawTable, check_headers, read_table
from alliance_longitudinal.data.study_file.checks import ARM
from alliance_longitudinal.data.study_file.plan import StudyPlan, examine_plan
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.strict_yaml import raise_mistakes


def sound_plan(path: Path) -> StudyPlan:
    """The plan of a study file without mistakes; else one error with them, and with the columns that tables lack."""
    plan, mistakes, document = examine_plan(path)
    if plan is not None and not mistakes:
        return plan
    try:
        raise_mistakes(document, "study file", mistakes)
    except StudyError as error:
        also = "" if plan is None else _missing_columns(plan)
        raise StudyError(f"{error}{also}") from None
    raise AssertionError("unreachable")  # pragma: no cover


def _missing_columns(plan: StudyPlan) -> str:
    """What the tables of a study file with mistakes lack of what else it names; empty if nothing."""
    problems = Problems(plan.file.study)
    try:
        tables = read_tables(plan, problems)
        clients = None if tables.clients is None else ClientRows(tables.clients, pd.DataFrame())
        session_cells(plan, tables.sessions, clients, problems)
        problems.raise_if_any()
    except DataError as error:
        return f"\n\n{error}"
    return ""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables as they were read, without the rows that the study file excludes."""

    sessions: RawTable
    clients: RawTable | None
    therapists: RawTable | None
    findings: tuple[Finding, ...]

    @property
    def all(self) -> tuple[RawTable, ...]:
        """Those that there are."""
        return tuple(t for t in (self.sessions, self.clients, self.therapists) if t is not None)


def read_tables(plan: StudyPlan, problems: Problems) -> Tables:
    """All tables; raises at once if one cannot be read at all, with the problems of each."""
    spec = plan.file
    findings: list[Finding] = []
    known = {**spec.of_clients, **spec.covariates.therapist}
    constant = frozenset(c.column for c in known.values())
    answers = frozenset(h for measure in plan.measures.values() for h in measure.headers)
    answers |= {c.column for c in spec.covariates.session.values()}
    read: dict[str, RawTable | None] = {}
    for kind in ("sessions", "clients", "therapists"):
        block = getattr(spec.tables, kind)
        table = None
        if block is not None:
            table = read_table(plan.path.parent, block, constant, answers, plan.dialect, problems)
        if table is not None:
            findings += table.findings
            rules = [rule for rule in spec.exclude if rule.table == kind]
            table, unused = leave_out(table, block, rules, plan.dialect, problems)
            findings += unused
        elif block is not None:
            read[kind] = None
            continue
        read[kind] = table
    sessions, clients, therapists = read["sessions"], read["clients"], read["therapists"]
    if clients is not None and spec.tables.clients is not None:
        named = spec.tables.clients.columns.model_dump(exclude_none=True)
        in_sessions = set() if sessions is None else set(sessions.headers)
        wanted = [
            c.column
            for c in spec.of_clients.values()
            if c.column in clients.headers or c.column not in in_sessions
        ]
        check_headers(clients, [*named.values(), *wanted], problems)
    if therapists is not None:
        check_therapist_headers(therapists, sessions, spec, problems)
    if any(getattr(spec.tables, kind) is not None and read[kind] is None for kind in read):
        problems.raise_if_any()
    assert sessions is not None  # else there was a problem
    return Tables(sessions, clients, therapists, tuple(findings))


def session_cells(
    plan: StudyPlan, table: RawTable, clients: ClientRows | None, problems: Problems
) -> tuple[SessionCells, NDArray[np.bool_], int]:
    """Cells of the sessions table, which of them are client sessions, and the number of empty rows."""
    file, spec = plan.file, plan.file.tables.sessions
    in_clients = () if clients is None else clients.table.headers
    keys = spec.columns.model_dump(exclude_none=True)
    keys.pop(ARM, None)  # read with what is known of clients
    of_clients = {
        name: known.column
        for name, known in file.of_clients.items()
        if clients is None or (known.column not in in_clients and known.column in table.headers)
    }
    of_therapists = {
        name: known.column
        for name, known in file.covariates.therapist.items()
        if file.tables.therapists is None or known.column in table.headers
    }
    wanted = Wanted(
        keys=keys,
        measures={name: measure.headers for name, measure in plan.measures.items()},
        baseline=of_clients | of_therapists,
        covariates={name: known.column for name, known in file.covariates.session.items()},
        sessions=file.sessions,
        patterns={
            name: items[0]
            for name, measure in plan.measures.items()
            if (items := measure.block.items or [""]) and len(items) == 1 and "{item" in items[0]
        },
    )
    not_empty = table.filled
    empty_rows = int((~not_empty).sum())
    if empty_rows:
        table = table.take(not_empty)
    if spec.layout == "wide":
        return *wide_cells(table, spec, wanted, plan.dialect, problems), empty_rows
    table = drop_second_header(table, wanted, plan.dialect, problems)
    cells = long_cells(table, wanted, problems)
    return cells, np.ones(len(cells), dtype=bool), empty_rows
