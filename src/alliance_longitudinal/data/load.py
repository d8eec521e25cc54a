"""``load_study``: from a study file to a checked, scored, frozen study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.build import Parsed, build_study
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.answers import read_answers
from alliance_longitudinal.data.cleaning.contract import check_contract
from alliance_longitudinal.data.cleaning.covariates import one_per_client, read_covariate
from alliance_longitudinal.data.cleaning.endings import TWO_ENDINGS, check_endings
from alliance_longitudinal.data.cleaning.episodes import WORDS, episode_findings, find_episodes
from alliance_longitudinal.data.cleaning.keys import ClientRows, read_clients, read_keys
from alliance_longitudinal.data.cleaning.layout import (
    SessionCells,
    Wanted,
    drop_second_header,
    long_cells,
    wide_cells,
)
from alliance_longitudinal.data.cleaning.raters import check_raters, one_date_a_session
from alliance_longitudinal.data.cleaning.remarks import missing_code_finding
from alliance_longitudinal.data.cleaning.timeline import number_by_date
from alliance_longitudinal.data.demo import study_file_path
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.readers.tables import RawTable, check_headers, read_table
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.plan import StudyPlan, read_plan
from alliance_longitudinal.findings import Finding

Baseline = Mapping[str, "pd.Series[float] | pd.Series[str]"]


def load_study(path: str | Path, *, forms: bool = False) -> Study:
    """Read, score and check the study that the file at ``path`` describes.

    Rows that are wholly empty are left out; a session in which nothing was filled in is kept, because the
    client was there. In a wide table, a session of which nothing is filled in did not happen.

    Parameters
    ----------
    path : path or "demo"
        The study file; ``"demo"`` is the bundled demonstration study, unless a file of that name is there.
    forms : bool
        Whether the study keeps the single answers and where each row stands in its file, for checks of the data.

    Raises
    ------
    StudyError
        If the study file, or an instrument file that it names, is wrong; all mistakes in one error.
    DataError
        If the tables break the contract; all problems in one error, each with file, row, column and value.
    """
    plan = read_plan(study_file_path(path))
    problems = Problems(plan.file.study)
    sessions, clients = _read_tables(plan, problems)
    parsed = _parse(plan, sessions, clients, problems)
    problems.raise_if_any()
    return build_study(plan, parsed, forms=forms)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that are analysed: their cells and keys, aligned, and how they were chosen."""

    cells: SessionCells
    keys: pd.DataFrame
    flow: SampleFlow
    findings: tuple[Finding, ...]


def _read_tables(plan: StudyPlan, problems: Problems) -> tuple[RawTable, RawTable | None]:
    """Both tables; raises at once if one cannot be read at all, with the problems of both."""
    spec = plan.file.tables
    folder, baseline_headers = plan.path.parent, frozenset(plan.file.baseline.values())
    sessions = read_table(folder, spec.sessions, baseline_headers, plan.dialect, problems)
    clients = None
    if spec.clients is not None:
        clients = read_table(folder, spec.clients, baseline_headers, plan.dialect, problems)
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
    return sessions, clients


def _parse(plan: StudyPlan, sessions: RawTable, table: RawTable | None, problems: Problems) -> Parsed:
    spec, dialect = plan.file, plan.dialect
    clients = None if table is None else read_clients(table, spec, problems)
    rows = _analysed_rows(plan, sessions, clients, problems)
    check_contract(_for_contract(rows.keys), rows.cells.places, spec, problems)
    answers = read_answers(rows.cells, plan.measures, dialect, problems)
    if "rater" in rows.keys:
        check_raters(rows.keys, rows.cells.places, answers, plan.measures, problems)
    baseline = {
        name: one_per_client(
            rows.keys["client"], column, sessions.labels.get(column.header, {}), dialect, problems
        )
        for name, column in rows.cells.baseline.items()
    }
    if clients is not None:
        baseline |= _from_clients(plan, clients, [n for n in spec.baseline if n not in baseline], problems)
    endings = _endings(plan, rows, clients, problems)
    tables = (sessions,) if table is None else (sessions, table)
    used = {h for plan_ in plan.measures.values() for h in plan_.headers} | set(spec.baseline.values())
    return Parsed(
        keys=rows.keys,
        answers=answers,
        places=rows.cells.places,
        baseline=baseline,
        endings=endings,
        clients=clients,
        flow=rows.flow,
        findings=(*rows.findings, *missing_code_finding(tables, used)),
        sources=tuple(source for one in tables for source in one.sources),
    )


def _analysed_rows(plan: StudyPlan, table: RawTable, clients: ClientRows | None, problems: Problems) -> _Rows:
    """The rows of the sessions table that hold a session of an analysed episode, numbered."""
    cells, filled, empty_rows = _session_cells(plan, table, clients, problems)
    keys = read_keys(cells, clients, plan.file, plan.dialect, problems)
    people = _people(keys)
    flow = _reading_flow(people, filled, {**table.left_out, "empty rows": empty_rows}, table.file)
    if not filled.all():
        cells, keys = cells.take(filled), _only(keys, filled)
    findings: tuple[Finding, ...] = ()
    episodes = find_episodes(keys, cells.places, plan.file, problems)
    if episodes is not None and plan.file.episodes is not None:
        findings = episode_findings(keys["client"], episodes.number, plan.file.episodes)
        words = WORDS[plan.file.episodes.analyse]
        if words:
            _, flow = flow.filter(
                _people(keys), pd.Series(episodes.keep), words, "another episode of care of the same client"
            )
        keys = keys.assign(
            person=keys["client"].array,
            client=episodes.client,
            session=episodes.session,
            episode=episodes.number,
        )
        cells, keys = cells.take(episodes.keep), _only(keys, episodes.keep)
    if "session" not in cells.keys:
        keys["session"] = number_by_date(keys, several_rows="rater" in keys)
    if "rater" in keys:
        keys = one_date_a_session(keys)
    return _Rows(cells, keys, flow, findings)


def _session_cells(
    plan: StudyPlan, table: RawTable, clients: ClientRows | None, problems: Problems
) -> tuple[SessionCells, NDArray[np.bool_], int]:
    """Cells of the sessions table, which of them are client sessions, and the number of empty rows."""
    spec = plan.file.tables.sessions
    in_clients = () if clients is None else clients.table.headers
    wanted = Wanted(
        keys=spec.columns.model_dump(exclude_none=True),
        measures={name: measure.headers for name, measure in plan.measures.items()},
        baseline={
            name: header
            for name, header in plan.file.baseline.items()
            if clients is None or (header not in in_clients and header in table.headers)
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


def _only(keys: pd.DataFrame, keep: NDArray[np.bool_]) -> pd.DataFrame:
    """The rows ``keep``, without categories that no longer occur."""
    kept = keys.loc[keep].reset_index(drop=True)
    texts = kept.select_dtypes("category").columns
    return kept.assign(**{name: kept[name].cat.remove_unused_categories() for name in texts})


def _for_contract(keys: pd.DataFrame) -> pd.DataFrame:
    """Rows that have to keep the contract: of several raters who agree on who and when, the first."""
    if "rater" not in keys:
        return keys
    return keys.drop_duplicates(["client", "session", "therapist", "day", "week"])


def _people(keys: pd.DataFrame) -> pd.DataFrame:
    """Client and therapist of each row, missing where there is none."""
    names = [name for name in ("client", "therapist") if name in keys]
    known = {name: keys[name] for name in names}
    for name, ids in known.items():
        if "" in ids.cat.categories:
            known[name] = ids.cat.remove_categories([""])
    return pd.DataFrame(known)


def _reading_flow(
    people: pd.DataFrame, filled: NDArray[np.bool_], left_out: Mapping[str, int], file: str
) -> SampleFlow:
    """The flow from the table to the client sessions; ``people`` has the rows that hold anything."""
    lost = {reason: n for reason, n in left_out.items() if n}
    frames = [people]
    for n in reversed(list(lost.values())):
        frames.insert(0, pd.concat([frames[0], people.iloc[:0].reindex(range(n))], ignore_index=True))
    flow = SampleFlow().record(frames[0], frames[0], f"rows read from {file}", "")
    for (reason, _), before, after in zip(lost.items(), frames, frames[1:], strict=False):
        step = "rows that hold anything" if reason == "empty rows" else f"without {reason}"
        flow = flow.record(before, after, step, reason)
    if not filled.all():
        _, flow = flow.filter(
            people, pd.Series(filled), "client sessions", "nothing filled in for that session"
        )
    return flow


def _from_clients(plan: StudyPlan, clients: ClientRows, names: list[str], problems: Problems) -> Baseline:
    """Baseline columns of the clients table, indexed by client."""
    table, found = clients.table, {}
    for name in names:
        header = plan.file.baseline[name]
        labels = table.labels.get(header, {})
        values = read_covariate(table.column(header), labels, plan.dialect, problems)
        values.index = clients.frame.index
        found[name] = values[~values.index.duplicated()]
    return found


def _endings(
    plan: StudyPlan, rows: _Rows, clients: ClientRows | None, problems: Problems
) -> "pd.Series[str] | None":
    """The words about how each client's treatment ended, indexed by client; None without such a column."""
    rule, block = plan.file.ending, plan.file.tables.clients
    if rule is None or rule.dropout_below is not None:
        return None
    if "ending" in rows.cells.keys:
        column = rows.cells.keys["ending"]
        check_endings(column, rule, plan.dialect, problems)
        return one_per_client(rows.keys["client"], column, {}, plan.dialect, problems, twice=TWO_ENDINGS)
    assert clients is not None
    assert block is not None
    column = clients.table.column(str(block.columns.ending))
    check_endings(column, rule, plan.dialect, problems)
    words = pd.Series(column.text.spread(), index=clients.frame.index)
    return words[~words.index.duplicated()]
