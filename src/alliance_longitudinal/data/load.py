"""``load_study``: from a study file to a checked, scored, frozen study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Private
from alliance_longitudinal.data.build import Parsed, build_study
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.answers import read_answers
from alliance_longitudinal.data.cleaning.contract import check_contract
from alliance_longitudinal.data.cleaning.covariates import (
    TWO_ARMS,
    mixed_findings,
    one_per_client,
    read_covariate,
)
from alliance_longitudinal.data.cleaning.endings import TWO_ENDINGS, check_endings
from alliance_longitudinal.data.cleaning.episodes import WORDS, episode_findings, find_episodes
from alliance_longitudinal.data.cleaning.keys import ClientRows, read_clients, read_keys
from alliance_longitudinal.data.cleaning.layout import (
    SessionCells,
)
from alliance_longitudinal.data.cleaning.matching import refuse_strangers
from alliance_longitudinal.data.cleaning.raters import check_raters, one_date_a_session
from alliance_longitudinal.data.cleaning.remarks import empty_findings, missing_code_finding
from alliance_longitudinal.data.cleaning.therapists import read_therapists
from alliance_longitudinal.data.cleaning.timeline import number_by_date
from alliance_longitudinal.data.demo import study_file_path
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.read import Tables, read_tables, session_cells, sound_plan
from alliance_longitudinal.data.readers.tables import LeftOut, RawTable
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.blocks import Covariate
from alliance_longitudinal.data.study_file.checks import ARM
from alliance_longitudinal.data.study_file.plan import StudyPlan
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say


def load_study(path: str | Path, *, forms: bool = False) -> Study:
    """Read, score and check the study that the file at ``path`` describes.

    Empty rows are left out. A session in which nothing was filled in is kept, because the client attended it. In a
    wide table, a session with nothing filled in counts as not held.

    Parameters
    ----------
    path : path or "demo"
        The study file; ``"demo"`` is the bundled demonstration study, unless a file of that name exists.
    forms : bool
        Whether the study keeps the single answers and the place of each row in its file, for checks of the data.

    Raises
    ------
    StudyError
        If the study file, or an instrument file that it names, is wrong. One error lists all mistakes.
    DataError
        If the tables break the contract. One error lists all problems, each with file, row, column and value.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> study = al.load_study("demo")
    >>> study.title, list(study.measures), len(study.clients)
    ('Demonstration clinic group', ['alliance', 'phq9'], 900)
    >>> study.sessions[["client", "therapist", "session", "phq9"]].head(2)
      client therapist  session  phq9
    0   0001       T01        0  23.0
    1   0001       T01        1  18.0
    """
    plan = sound_plan(study_file_path(path))
    problems = Problems(plan.file.study)
    tables = read_tables(plan, problems)
    parsed = _parse(plan, tables, problems)
    problems.raise_if_any()
    return build_study(plan, parsed, forms=forms)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that are analysed: their cells and keys, aligned, and how they were chosen."""

    cells: SessionCells
    keys: pd.DataFrame
    flow: SampleFlow
    findings: tuple[Finding, ...]


def _parse(plan: StudyPlan, tables: Tables, problems: Problems) -> Parsed:
    spec, dialect, sessions = plan.file, plan.dialect, tables.sessions
    clients = None if tables.clients is None else read_clients(tables.clients, spec, problems)
    rows = _analysed_rows(plan, sessions, clients, problems)
    rows.keys.attrs["file"] = sessions.file
    check_contract(_for_contract(rows.keys), rows.cells.places, spec, problems)
    answers = read_answers(rows.cells, plan.measures, dialect, problems)
    if "rater" in rows.keys:
        check_raters(rows.keys, rows.cells.places, answers, plan.measures, problems)
    of_clients = _of_clients(plan, rows, sessions, clients, problems)
    therapists, of_therapists = read_therapists(
        tables.therapists, rows.cells, rows.keys, sessions.labels, spec, dialect, problems
    )
    of_sessions = {
        name: read_covariate(column, sessions.labels.get(column.header, {}), dialect, problems, known)
        for name, known in spec.covariates.session.items()
        for column in [rows.cells.covariates[name]]
    }
    used = rows.cells.headers | {c.column for c in spec.of_clients.values()}
    return Parsed(
        keys=rows.keys,
        answers=answers,
        places=rows.cells.places,
        of_clients=of_clients,
        by_person=frozenset() if clients is None else frozenset(set(of_clients) - set(rows.cells.baseline)),
        therapists=therapists,
        of_sessions=of_sessions,
        endings=_endings(plan, rows, clients, problems),
        clients=clients,
        flow=rows.flow,
        findings=(
            *tables.findings,
            *rows.findings,
            *mixed_findings(of_clients, spec.of_clients, dialect),
            *of_therapists,
            *mixed_findings(of_sessions, spec.covariates.session, dialect),
            *missing_code_finding(tables.all, used),
            *empty_findings(answers, rows.keys, plan),
        ),
        sources=tuple(source for one in tables.all for source in one.sources),
    )


def _of_clients(
    plan: StudyPlan, rows: _Rows, sessions: RawTable, clients: ClientRows | None, problems: Problems
) -> dict[str, "pd.Series[float] | pd.Series[str]"]:
    """What is known of clients, by name, indexed by client; from the sessions table or the clients table."""
    found = {}
    for name, known in plan.file.of_clients.items():
        words, twice = name == ARM, {"twice": TWO_ARMS} if name == ARM else {}
        if name in rows.cells.baseline:
            column = rows.cells.baseline[name]
            labels = sessions.labels.get(column.header, {})
            values = read_covariate(column, labels, plan.dialect, problems, known, words=words)
            found[name] = one_per_client(rows.keys["client"], column, values, problems, **twice)
        elif clients is not None:
            labels = clients.table.labels.get(known.column, {})
            column = clients.table.column(known.column)
            values = read_covariate(column, labels, plan.dialect, problems, known, words=words)
            values.index = clients.frame.index
            found[name] = values[~values.index.duplicated()]
    return found


def _analysed_rows(plan: StudyPlan, table: RawTable, clients: ClientRows | None, problems: Problems) -> _Rows:
    """The rows of the sessions table that hold a session of an analysed episode, numbered."""
    cells, filled, empty_rows = session_cells(plan, table, clients, problems)
    keys = read_keys(cells, clients, plan.file, plan.dialect, problems)
    people = _people(keys)
    flow = _reading_flow(people, filled, table.left_out, empty_rows, table.file)
    if not filled.all():
        cells, keys = cells.take(filled), _only(keys, filled)
    findings = cells.findings
    if clients is not None:
        seen = [c for c in keys["client"].cat.categories if c]
        refuse_strangers(seen, list(clients.frame.index), "client", table.file, clients.table.file, problems)
    episodes = find_episodes(keys, cells.places, plan.file, problems)
    if episodes is not None and plan.file.episodes is not None:
        findings += episode_findings(keys["client"], episodes.number, plan.file.episodes)
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
    people: pd.DataFrame, filled: NDArray[np.bool_], left_out: Sequence[LeftOut], empty_rows: int, file: str
) -> SampleFlow:
    """The flow from the table to the client sessions; ``people`` has the rows that hold anything."""
    steps = [*left_out, *([LeftOut("empty rows", empty_rows, {})] if empty_rows else [])]
    frames = [people]
    for step in reversed(steps):
        texts = {role: text.categorical() for role, text in step.people.items() if role in people}
        gone = pd.DataFrame(texts, index=range(step.n)).astype(object)
        gone = gone.where(gone != "").reindex(columns=people.columns)
        frames.insert(0, pd.concat([frames[0].astype(object), gone], ignore_index=True))
    flow = SampleFlow().record(
        frames[0], frames[0], say("rows read from {file}", file=Private(file, "the table")), ""
    )
    for step, before, after in zip(steps, frames, frames[1:], strict=False):
        rest = "rows that are not empty" if step.reason == "empty rows" else f"without {step.reason}"
        flow = flow.record(before, after, rest, step.reason)
    if not filled.all():
        _, flow = flow.filter(
            people, pd.Series(filled), "client sessions", "nothing was filled in for the session"
        )
    return flow


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
        words = read_covariate(
            column, {}, plan.dialect, problems, Covariate(column=column.header), words=True
        )
        return one_per_client(rows.keys["client"], column, words, problems, twice=TWO_ENDINGS)
    assert clients is not None
    assert block is not None
    column = clients.table.column(str(block.columns.ending))
    check_endings(column, rule, plan.dialect, problems)
    of_row = pd.Series(column.text.spread(), index=clients.frame.index)
    return of_row[~of_row.index.duplicated()]
