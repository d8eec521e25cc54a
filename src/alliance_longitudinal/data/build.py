"""From parsed tables that keep the contract to the study: scores, sessions, clients, findings."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cleaning.answers import score_measure
from alliance_longitudinal.data.cleaning.covariates import as_declared
from alliance_longitudinal.data.cleaning.endings import ending_finding, ending_of_clients
from alliance_longitudinal.data.cleaning.forms import Forms
from alliance_longitudinal.data.cleaning.keys import ClientRows
from alliance_longitudinal.data.cleaning.nobody import nobody_findings
from alliance_longitudinal.data.cleaning.raters import Rows, over_raters, own_rows, rows_of_sessions
from alliance_longitudinal.data.cleaning.remarks import (
    arm_findings,
    client_findings,
    gap_finding,
    key_findings,
    simulated_findings,
    therapist_findings,
)
from alliance_longitudinal.data.cleaning.timeline import (
    analysed_under,
    changes_therapist,
    weeks_since_first,
    weeks_since_last,
)
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.readers.source import Source
from alliance_longitudinal.data.schedule import planned_pause
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.checks import ARM, names_therapists
from alliance_longitudinal.data.study_file.plan import StudyPlan
from alliance_longitudinal.findings import Finding


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the tables hold; all of ``keys``, ``answers`` have one row per row of the sessions table.

    Attributes
    ----------
    keys : DataFrame
        As of :func:`alliance_longitudinal.data.cleaning.keys.read_keys`, sessions numbered.
    answers : mapping of str to float array, shape (n, columns)
    places : Places
        Of the same rows.
    of_clients : mapping of str to Series, indexed by client
    by_person : frozenset of str
        Those of them that are indexed by the person also where each episode is a client.
    therapists : DataFrame, indexed by therapist
    of_sessions : mapping of str to Series
    endings : Series of str, indexed by client, or None
    clients : ClientRows or None
    flow : SampleFlow
    findings : tuple of Finding
    sources : tuple of Source
    """

    keys: pd.DataFrame
    answers: Mapping[str, NDArray[np.float64]]
    places: Places
    of_clients: Mapping[str, "pd.Series[float] | pd.Series[str]"]
    by_person: frozenset[str]
    therapists: pd.DataFrame
    of_sessions: Mapping[str, "pd.Series[float] | pd.Series[str]"]
    endings: "pd.Series[str] | None"
    clients: ClientRows | None
    flow: SampleFlow
    findings: tuple[Finding, ...]
    sources: tuple[Source, ...]


def build_study(plan: StudyPlan, parsed: Parsed, *, forms: bool = False) -> Study:
    """The study of ``parsed``, which breaks no rule of the contract; with its single answers if ``forms``."""
    keys, flow = parsed.keys, parsed.flow
    if changes_therapist(keys):
        keys = keys.assign(seen_by=keys["therapist"], therapist=analysed_under(keys, plan.file.transfers))
    keys = keys.assign(week=weeks_since_first(keys))
    rows = rows_of_sessions(keys)
    if rows.session is not None:
        flow = flow.record(keys, keys.iloc[rows.first], "sessions", "several raters' rows of one session")
    findings = [*simulated_findings(plan), *key_findings(keys.iloc[rows.first], plan), *parsed.findings]
    if parsed.clients is not None:
        findings += client_findings(keys, parsed.clients.frame.index)
    findings += therapist_findings(keys, plan)
    parts = [_key_columns(keys.iloc[rows.first], plan)]
    for name in plan.measures:
        columns, remarks = _scores(keys, plan, parsed, name, rows)
        parts.append(columns)
        findings += remarks
    parts.append(_session_covariates(parsed, plan, rows))
    sessions = pd.concat(parts, axis=1)
    person = keys["client"].cat.codes.to_numpy()[rows.first].astype(np.int64)
    starts = np.r_[True, person[1:] != person[:-1]][: len(person)]
    clients = _client_frame(sessions, starts, keys, parsed, plan)
    if ARM in clients:
        sessions.insert(
            _place_of_arm(sessions), ARM, sessions["client"].map(clients.set_index("client")[ARM])
        )
        findings += arm_findings(clients)
    findings += nobody_findings(clients)
    if plan.file.ending is not None:
        findings.append(ending_finding(clients["ending"], plan.file.ending))
    if plan.file.episodes is None and ("date" in sessions or parsed.keys["week"].notna().any()):
        weeks = sessions["week"].to_numpy()
        findings += gap_finding(
            weeks_since_last(person, weeks) - planned_pause(person, sessions, plan.file),
            person,
            planned=bool(plan.file.schedule),
        )
    first, last = plan.file.early_window
    digest = hashlib.sha256(plan.path.read_bytes()).hexdigest()
    return Study(
        title=plan.file.study,
        measures={name: planned.measure for name, planned in plan.measures.items()},
        early_window=(first, last),
        covariates=tuple(name for name in plan.file.of_clients if name != ARM),
        therapist_covariates=tuple(plan.file.covariates.therapist),
        session_covariates=tuple(plan.file.covariates.session),
        time_unit=plan.file.time_unit,
        schedule={name: tuple(times) for name, times in plan.file.schedule.items()},
        caseload=plan.file.caseload if isinstance(plan.file.caseload, float) else None,
        reporting=plan.file.reporting.stated(),
        flow=flow,
        findings=tuple(findings),
        sources=(Source(plan.path.name, digest, 0), *parsed.sources),
        simulated=plan.simulated,
        small_cells=plan.file.small_cells,
        forms=_forms(plan, parsed, rows) if forms else None,
        _sessions=sessions,
        _clients=clients,
        _therapists=_therapist_frame(clients, parsed, plan),
    )


def _place_of_arm(sessions: pd.DataFrame) -> int:
    """Where the arm goes among the columns: before the session's number."""
    return list(sessions.columns).index("episode" if "episode" in sessions else "session")


def _session_covariates(parsed: Parsed, plan: StudyPlan, rows: Rows) -> pd.DataFrame:
    """Covariates of single sessions, one row each; of several raters' rows, the first that has a value."""
    out = {}
    for name, known in plan.file.covariates.session.items():
        values = as_declared(parsed.of_sessions[name], known)
        if rows.session is not None:
            values = values.groupby(rows.session).first().reindex(range(len(rows.first)))
            out[name] = values.reset_index(drop=True)
        else:
            out[name] = values.iloc[rows.first].reset_index(drop=True)
    return pd.DataFrame(out, index=range(len(rows.first)))


def _therapist_frame(clients: pd.DataFrame, parsed: Parsed, plan: StudyPlan) -> pd.DataFrame:
    """One row per therapist who has clients, with what is known of him or her."""
    if "therapist" not in clients:
        return pd.DataFrame({"therapist": pd.Series([], dtype=object)})
    frame = pd.DataFrame({"therapist": sorted(clients["therapist"].dropna().unique())})
    for name in parsed.therapists:
        values = frame["therapist"].map(parsed.therapists[name])
        known = plan.file.covariates.therapist.get(str(name))
        frame[name] = values if known is None else as_declared(values, known)
    return frame


def _forms(plan: StudyPlan, parsed: Parsed, rows: Rows) -> Forms:
    with_items = {name: planned for name, planned in plan.measures.items() if planned.items}
    return Forms(
        places=parsed.places,
        session=np.argsort(rows.first) if rows.session is None else rows.session,
        answers={name: parsed.answers[name] for name in with_items},
        items={name: planned.items for name, planned in with_items.items()},
        reversed={
            name: (planned.form.reverse or ()) if planned.block.entry == "raw" else ()
            for name, planned in with_items.items()
        },
    )


def _scores(
    keys: pd.DataFrame, plan: StudyPlan, parsed: Parsed, name: str, rows: Rows
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Score columns of one measure, one row per session, and what a reader has to know about them."""
    planned = plan.measures[name]
    columns, findings = score_measure(parsed.answers[name], planned)
    columns = over_raters(columns, name, own_rows(keys, planned), rows)
    if rows.session is None:
        return columns, findings
    counts = columns.pop(f"{name}_raters")
    if not planned.block.average:
        return columns, findings
    rated = counts[counts > 0]
    message = (
        f"{planned.measure.label} is the mean over {rated.min() if len(rated) else 0} to "
        f"{rated.max() if len(rated) else 0} raters per session (median {rated.median():g}). Means "
        "of more raters are more precise."
    )
    columns[f"{name}_raters"] = counts
    return columns, (*findings, Finding("mean_over_raters", "info", message, name))


def _key_columns(keys: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    """The key columns of ``study.sessions`` in their final types and order."""
    out = {}
    for role in ("client", "therapist", "seen_by", "clinic", "group", "family", "mode"):
        if role in keys and (role != "therapist" or names_therapists(plan.file)):
            out[role] = _as_text(keys[role], optional=role != "client")
    if plan.file.episodes is not None:
        out["episode"] = keys["episode"].astype("int64")
    out["session"] = keys["session"].astype("int64")
    out["week"] = keys["week"].astype(float)
    if plan.file.tables.sessions.columns.date is not None:
        out["date"] = keys["day"]
    return pd.DataFrame(out).reset_index(drop=True)


def _as_text(ids: "pd.Series[str]", *, optional: bool) -> "pd.Series[str]":
    """A categorical as text; where the text may be missing, an empty one is."""
    if optional and "" in ids.cat.categories:
        ids = ids.cat.remove_categories([""])
    names = pd.Series(ids.cat.categories.astype(object)).astype(str)
    codes = ids.cat.codes.to_numpy()
    if not optional:
        return pd.Series(names.array.take(codes), index=ids.index)
    return pd.Series(names.array.take(codes, allow_fill=True), index=ids.index)


def _client_frame(
    sessions: pd.DataFrame, starts: NDArray[np.bool_], keys: pd.DataFrame, parsed: Parsed, plan: StudyPlan
) -> pd.DataFrame:
    """One row per client; ``starts`` marks the first session of each."""
    roles = [role for role in ("client", "therapist", "clinic", "family") if role in sessions]
    clients = sessions.loc[starts, roles].reset_index(drop=True)
    for role in {"clinic", "family"}.intersection(roles):  # the first that is named
        first = sessions[sessions[role].notna()].drop_duplicates("client").set_index("client")[role]
        clients[role] = clients["client"].map(first).astype("str")
    person = clients["client"]
    if "person" in keys:
        once = keys.drop_duplicates("client")
        person = person.map(
            dict(zip(once["client"].astype(object), once["person"].astype(object), strict=True))
        )
    for name, known in plan.file.of_clients.items():
        if name in parsed.of_clients:
            values = (person if name in parsed.by_person else clients["client"]).map(parsed.of_clients[name])
            clients[name] = as_declared(values, known)
    if plan.file.ending is not None:
        words = parsed.endings
        endings = ending_of_clients(words, sessions, plan.file.ending)
        own = plan.file.tables.sessions.columns.ending is not None or words is None
        clients["ending"] = (clients["client"] if own else person).map(endings)
    return clients
