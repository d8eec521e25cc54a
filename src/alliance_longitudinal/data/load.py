"""``load_study``: from a study file to a checked, scored, frozen study."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.answers import read_answers, score_measure
from alliance_longitudinal.data.contract import check_contract
from alliance_longitudinal.data.covariates import one_per_client, read_covariate
from alliance_longitudinal.data.demo import study_file_path
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.keys import ClientRows, read_clients, read_keys
from alliance_longitudinal.data.layout import (
    SessionCells,
    Wanted,
    drop_second_header,
    long_cells,
    wide_cells,
)
from alliance_longitudinal.data.plan import StudyPlan, read_plan
from alliance_longitudinal.data.problems import Problems
from alliance_longitudinal.data.remarks import client_findings, key_findings, simulated_findings
from alliance_longitudinal.data.study import Source, Study
from alliance_longitudinal.data.study_file import ClientsTable, SessionsTable, table_path
from alliance_longitudinal.data.tables import RawTable, check_headers, read_table
from alliance_longitudinal.data.timeline import analysed_under, number_by_date, weeks_since_first


def load_study(path: str | Path) -> Study:
    """Read, score and check the study that the file at ``path`` describes.

    Rows that are wholly empty are left out; a session in which nothing was filled in is kept, because the
    client was there. In a wide table, a session of which nothing is filled in did not happen.

    Parameters
    ----------
    path : path or "demo"
        The study file; ``"demo"`` is the bundled demonstration study, unless a file of that name is there.

    Raises
    ------
    StudyError
        If the study file, or an instrument file that it names, is wrong; all mistakes in one error.
    DataError
        If the tables break the contract; all problems in one error, each with file, row, column and value.
    """
    plan = read_plan(study_file_path(path))
    problems = Problems(plan.file.study)
    tables = _read_tables(plan, problems)
    frames = _read_frames(plan, tables, problems)
    problems.raise_if_any()
    return _build(plan, tables, frames)


@dataclass(frozen=True, slots=True)
class _Tables:
    sessions: RawTable
    clients: RawTable | None


@dataclass(frozen=True, slots=True)
class _Frames:
    """What the tables hold, parsed; all of ``keys``, ``answers`` have one row per client session."""

    keys: pd.DataFrame
    answers: Mapping[str, NDArray[np.float64]]
    baseline: Mapping[str, "pd.Series[float] | pd.Series[str]"]
    clients: ClientRows | None
    flow: SampleFlow


def _read_tables(plan: StudyPlan, problems: Problems) -> _Tables:
    """Both tables; raises at once if one cannot be read at all, with the problems of both."""
    spec = plan.file.tables
    sessions = _read_one(plan, spec.sessions, problems)
    clients = None
    if spec.clients is not None:
        clients = _read_one(plan, spec.clients, problems)
        if clients is not None:
            columns = spec.clients.columns.model_dump(exclude_none=True)
            in_sessions = set() if sessions is None else set(sessions.headers)
            baseline = [
                h for h in plan.file.baseline.values() if h in clients.headers or h not in in_sessions
            ]
            check_headers(clients, [*columns.values(), *baseline], problems)
    if sessions is None or (spec.clients is not None and clients is None):
        problems.raise_if_any()
    assert sessions is not None  # else there was a problem
    return _Tables(sessions, clients)


def _read_one(plan: StudyPlan, table: SessionsTable | ClientsTable, problems: Problems) -> RawTable | None:
    path = table_path(plan.path, table)
    return read_table(path, table.sheet, table.header_row, plan.dialect, problems)


def _read_frames(plan: StudyPlan, tables: _Tables, problems: Problems) -> _Frames:
    spec, dialect = plan.file, plan.dialect
    clients = None if tables.clients is None else read_clients(tables.clients, spec, problems)
    cells, filled, empty_rows = _session_cells(plan, tables, problems)
    keys = read_keys(cells, clients, spec, dialect, problems)
    keys, flow = _reading_flow(keys, filled, empty_rows, tables.sessions.file)
    cells = cells.take(filled)
    if "session" not in cells.keys:
        keys["session"] = number_by_date(keys)
    check_contract(keys, tables.sessions.file, spec, problems)
    answers = read_answers(cells, plan.measures, dialect, problems)
    baseline = {
        name: one_per_client(keys["client"], column, dialect, problems)
        for name, column in cells.baseline.items()
    }
    if tables.clients is not None and clients is not None:
        for name in [n for n in spec.baseline if n not in baseline]:
            values = read_covariate(tables.clients.column(spec.baseline[name]), dialect, problems)
            values.index = clients.frame.index
            baseline[name] = values[~values.index.duplicated()]
    return _Frames(keys, answers, baseline, clients, flow)


def _session_cells(
    plan: StudyPlan, tables: _Tables, problems: Problems
) -> tuple[SessionCells, NDArray[np.bool_], int]:
    """Cells of the sessions table, which of them are client sessions, and the number of empty rows."""
    spec = plan.file.tables.sessions
    wanted = Wanted(
        keys=spec.columns.model_dump(exclude_none=True),
        measures={name: measure.headers for name, measure in plan.measures.items()},
        baseline={
            name: header
            for name, header in plan.file.baseline.items()
            if tables.clients is None
            or (header not in tables.clients.headers and header in tables.sessions.headers)
        },
    )
    not_empty = (tables.sessions.values != "").any(axis=1)
    table = tables.sessions.take(not_empty)
    empty_rows = int((~not_empty).sum())
    if spec.layout == "wide":
        return *wide_cells(table, spec, wanted, plan.dialect, problems), empty_rows
    table = drop_second_header(table, wanted, plan.dialect, problems)
    cells = long_cells(table, wanted, problems)
    return cells, np.ones(len(cells), dtype=bool), empty_rows


def _reading_flow(
    keys: pd.DataFrame, filled: NDArray[np.bool_], empty_rows: int, file: str
) -> tuple[pd.DataFrame, SampleFlow]:
    """The client sessions among ``keys``, and the flow from the file to them."""
    people = keys[["client", *(["therapist"] if "therapist" in keys else [])]].replace("", None)
    read = pd.concat([people, people.iloc[:0].reindex(range(empty_rows))], ignore_index=True)
    flow = SampleFlow().record(read, read, f"rows read from {file}", "")
    if empty_rows:
        flow = flow.record(read, people, "rows that hold anything", "empty rows")
    if not filled.all():
        _, flow = flow.filter(
            people, pd.Series(filled), "client sessions", "nothing filled in for that session"
        )
    return keys.loc[filled].reset_index(drop=True), flow


def _build(plan: StudyPlan, tables: _Tables, frames: _Frames) -> Study:
    keys = frames.keys.copy()
    if keys.groupby("client")["therapist"].nunique().gt(1).any():
        keys["seen_by"] = keys["therapist"]
        keys["therapist"] = analysed_under(keys, plan.file.transfers)
    keys["week"] = weeks_since_first(keys)
    findings = [*simulated_findings(plan), *key_findings(keys, plan)]
    if frames.clients is not None:
        findings += client_findings(keys, frames.clients.frame.index)
    parts = [_key_columns(keys, plan)]
    for name, measure in plan.measures.items():
        columns, remarks = score_measure(frames.answers[name], measure)
        parts.append(columns)
        findings += remarks
    sessions = pd.concat(parts, axis=1).sort_values(["client", "session"], kind="stable", ignore_index=True)
    first, last = plan.file.early_window
    return Study(
        title=plan.file.study,
        measures={name: planned.measure for name, planned in plan.measures.items()},
        early_window=(first, last),
        covariates=tuple(plan.file.baseline),
        flow=frames.flow,
        findings=tuple(findings),
        sources=_sources(plan, tables),
        simulated=plan.simulated,
        small_cells=plan.file.small_cells,
        _sessions=sessions,
        _clients=_client_frame(sessions, frames, plan),
    )


def _key_columns(keys: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    """The key columns of ``study.sessions`` in their final types and order."""
    out = keys[["client", "therapist"]].copy()
    for role in ("seen_by", "clinic"):
        if role in keys:
            out[role] = keys[role]
    out = out.astype(str)
    out["session"] = keys["session"].astype("int64")
    out["week"] = keys["week"].astype(float)
    if plan.file.tables.sessions.columns.date is not None:
        out["date"] = keys["day"]
    return out


def _client_frame(sessions: pd.DataFrame, frames: _Frames, plan: StudyPlan) -> pd.DataFrame:
    roles = [role for role in ("client", "therapist", "clinic") if role in sessions]
    clients = sessions.drop_duplicates("client")[roles].reset_index(drop=True)
    for name in plan.file.baseline:
        clients[name] = clients["client"].map(frames.baseline[name])
    return clients


def _sources(plan: StudyPlan, tables: _Tables) -> tuple[Source, ...]:
    """Every file that the study was read from: the study file first (its rows do not count), then the tables."""
    digest = hashlib.sha256(plan.path.read_bytes()).hexdigest()
    sources = [Source(plan.path.name, digest, 0), tables.sessions.source]
    return (*sources, *([tables.clients.source] if tables.clients else []))
