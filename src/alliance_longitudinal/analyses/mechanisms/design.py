"""The cause, and the rows from which paths are estimated: sessions in order of time, or clients before and after the early window."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    Draft,
    neutral,
    number_of_therapists,
    spread,
    together,
    usable_therapists,
)
from alliance_longitudinal.analyses.kit.covariates import declared, unknown_covariate
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import Landmark, TimeWindow, landmark, split_by_therapist

#: Fewest clients for paths between clients, and for paths within them.
MIN_CLIENTS, MIN_SERIES = 40, 20
#: Fewest therapists for paths between therapists.
MIN_THERAPISTS = 10
#: Complete steps (cause, next session's alliance, outcome after it) that a client needs.
MIN_STEPS = 4
#: Fewest clients with two later scores for a model of the course.
MIN_COURSE = 20
CONSTANT = 1e-9
Level = Literal["session", "client", "therapist"]
Detrend = Literal["mean", "common", "client"]


@dataclass(frozen=True, slots=True)
class Cause:
    """What comes first.

    Attributes
    ----------
    name, label : str
    level : {"session", "client", "therapist"}
        At which it differs.
    values : Series or None
        By client, or by therapist; None for a column of sessions.
    measured : bool
        Whether it is a measure of sessions, which has a mean in the early window, too.
    """

    name: str
    label: str
    level: Level
    values: "pd.Series[float] | None"
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Measures, early window, unit of time, and what is held constant."""

    alliance: Measure
    outcome: Measure
    window: TimeWindow
    time: str
    min_rated: int
    adjust: tuple[str, ...]


def find_cause(draft: Draft, name: str | None, asked: Asked) -> Cause:
    """The cause that is asked for, or the first one that the study offers.

    Raises
    ------
    StudyError
        If the study has none of that name, or it is the alliance or the outcome itself.
    """
    study = draft.study
    taken = {asked.alliance.name, asked.outcome.name}
    measures = [m for m in study.measures if m not in taken]
    if name is None:
        # Another rater's alliance or symptoms is not what comes before them.
        kinds = ("alliance", "symptoms")
        others = [m for m in measures if study.measures[m].construct not in kinds]
        offered = [*others, *study.therapist_covariates]
        if not offered:
            raise draft.too_little(
                "The study names no cause that may come before the alliance, such as empathy or attachment. Name a measure or a covariate "
                "of therapists in the study file, or give a covariate of clients as the parameter 'cause'.",
                "no_cause",
            )
        name = offered[0]
    if name in taken:
        raise StudyError(
            f"Parameter 'cause': {name} is the alliance or the outcome of this analysis. The cause is another measure or a covariate."
        )
    draft.resolved["cause"] = name
    if name in measures:
        found = _measured(draft, draft.named_measure(name), asked)
    else:
        found = _declared(study, draft, name, measures)
    draft.fact("Cause", found.label)
    return found


def _measured(draft: Draft, measure: Measure, asked: Asked) -> Cause:
    """A measure: of sessions if enough clients have a series of it, otherwise each client's first score."""
    taken = (asked.alliance.instrument.label, asked.outcome.instrument.label)
    label = measure.label if measure.instrument.label in taken else measure.instrument.label
    rated = draft.sessions.dropna(subset=[measure.name]).sort_values(["client", "session"]).groupby("client")
    draft.measures.append(measure)
    draft.references += measure.instrument.citations
    if int((rated.size() >= MIN_STEPS + 2).sum()) >= MIN_SERIES:
        return Cause(measure.name, label, "session", None, True)
    return Cause(measure.name, f"{label}, first score", "client", rated[measure.name].first())


def _declared(study: Study, draft: Draft, name: str, measures: list[str]) -> Cause:
    known = declared(study)
    if name not in known:
        raise StudyError(
            f"Parameter 'cause': {unknown_covariate(name, [*measures, *known], 'measure or covariate')}"
        )
    covariate = known[name]
    if len(covariate.categories) > 2:
        raise StudyError(
            f"Parameter 'cause': {name} has {len(covariate.categories)} categories. A path needs a number or two categories."
        )
    if covariate.level == "session" and not covariate.categories:
        return Cause(name, name, "session", None, True)
    if covariate.level == "session":
        raise StudyError(
            f"Parameter 'cause': {name} is a category of sessions. A path within clients needs a number."
        )
    values = covariate.values(study)
    label = name
    if covariate.categories:
        label = f"{name}: {covariate.categories[-1]}"
        values = values.map({c: float(k) for k, c in enumerate(covariate.categories)}).astype(float)
    return Cause(name, label, covariate.level, values.astype(float))


# --- within clients ---------------------------------------------------------------------------------------------------


def steps_of(sessions: pd.DataFrame, cause: str, asked: Asked, detrend: Detrend) -> pd.DataFrame:
    """Cause, the next session's alliance, and the outcome one session later, each less the client's mean.

    Returns
    -------
    DataFrame
        ``client, therapist, session`` (of the outcome), ``x, m, y``; clients with `MIN_STEPS` complete steps or more.
    """
    from alliance_longitudinal.methods import lag

    columns = ["client", "therapist", "session", cause, asked.alliance.name, asked.outcome.name]
    frame = lag(sessions[list(dict.fromkeys(columns))], [cause, asked.alliance.name])
    frame = lag(frame, [f"{cause}_lag"])
    rows = pd.DataFrame(
        {
            "client": frame["client"],
            "therapist": frame["therapist"],
            "session": frame["session"].astype(float),
            "x": frame[f"{cause}_lag_lag"],
            "m": frame[f"{asked.alliance.name}_lag"],
            "y": frame[asked.outcome.name],
        }
    ).dropna(subset=["x", "m", "y"])
    rows = rows[rows.groupby("client")["session"].transform("size") >= MIN_STEPS].reset_index(drop=True)
    return _without_time(rows, detrend) if len(rows) else rows


def _without_time(rows: pd.DataFrame, detrend: Detrend) -> pd.DataFrame:
    """Deviations from the client's mean, and from the common course (a parabola over sessions) or from each client's own line."""
    out = rows.copy()
    time = rows["session"]
    by = rows["client"]
    centred = {name: rows[name] - rows.groupby("client")[name].transform("mean") for name in ("x", "m", "y")}
    linear = time - time.groupby(by).transform("mean")
    square = time**2 - (time**2).groupby(by).transform("mean")
    for name, values in centred.items():
        if detrend == "common":
            design = np.column_stack([linear, square])
            out[name] = values - design @ np.linalg.lstsq(design, values.to_numpy())[0]
        elif detrend == "client":
            slope = (values * linear).groupby(by).transform("sum") / (linear**2).groupby(by).transform("sum")
            out[name] = values - slope * linear
        else:
            out[name] = values
    return out


# --- between clients, and between therapists ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Before:
    """Clients with cause and early alliance, and their later scores.

    Attributes
    ----------
    clients, rows : DataFrame
        ``x``, ``early`` and what is held constant, each with its parts by therapist (``_client, _therapist, _total``).
    terms : tuple of str
        The study's covariates.
    between : bool
        Whether therapist means are predictors.
    """

    asked: Asked
    clients: pd.DataFrame
    rows: pd.DataFrame
    terms: tuple[str, ...]
    between: bool

    @property
    def course(self) -> bool:
        """Whether enough clients have two or more later scores for a model of the course."""
        return int((self.clients["n_after"] >= 2).sum()) >= MIN_COURSE

    @property
    def weeks(self) -> float:
        """Whole units of time that half of the clients were followed, at least one."""
        return float(max(self.clients["weeks_followed"].median() // 1, 1))

    @property
    def therapists(self) -> int:
        """Therapists of the clients."""
        return number_of_therapists(self.clients["therapist"])

    def parts(self, column: str) -> list[str]:
        """The parts of a column that differ; the total where neither can be separated."""
        wanted = [f"{column}_client"] + [f"{column}_therapist"] * self.between
        found = [c for c in wanted if spread(self.clients, c) > CONSTANT]
        alone = self.clients["therapist"].nunique() == len(self.clients)
        return [f"{column}_total"] if alone or not found else found

    def held(self) -> list[str]:
        """What both models hold constant."""
        return [p for c in self.asked.adjust for p in self.parts(c)] + list(self.terms)


def before_of(
    draft: Draft, sessions: pd.DataFrame, cause: Cause, asked: Asked, *, flow: bool = True
) -> Before:
    """Clients in treatment at the end of the early window whose cause is known."""
    found = _landmark(draft, sessions, asked)
    clients = found.clients
    if cause.level == "session":
        inside = sessions[sessions["session"].between(asked.window.first, asked.window.last)]
        values = clients["client"].map(inside.groupby("client")[cause.name].mean())
    else:
        assert cause.values is not None
        values = clients["therapist" if cause.level == "therapist" else "client"].map(cause.values)
    clients = clients.assign(x=values.astype(float))
    clients = clients[clients["x"].notna()]
    if flow:
        draft.flow = found.flow
        kept = sessions["client"].isin(clients["client"])
        if len(clients) < len(found.clients):
            draft.find(
                "cause_missing",
                "info",
                "Clients whose {cause} is not known are not in the paths between clients.",
                cause.label,
                cause=cause.label,
            )
        draft.analysed = sessions.loc[kept, "client"].drop_duplicates()
    clients = together(clients)
    for column in ("x", "early", *asked.adjust):
        clients = split_by_therapist(clients, column)
    clients = neutral(clients)
    parts = [
        str(c)
        for c in clients
        if str(c).rpartition("_")[2] in ("total", "therapist", "client") and "_" in str(c)
    ]
    rows = found.followup.merge(clients[["client", *parts]], on="client", how="inner", validate="many_to_one")
    clients, terms = draft.adjusters(clients)
    rows, _ = draft.adjusters(rows)
    return Before(asked, clients, rows, tuple(terms), usable_therapists(clients) >= MIN_THERAPISTS)


def _landmark(draft: Draft, sessions: pd.DataFrame, asked: Asked) -> Landmark:
    return landmark(
        sessions,
        draft.flow,
        alliance=asked.alliance.name,
        outcome=asked.outcome.name,
        window=asked.window,
        min_rated=asked.min_rated,
        need_change="change" in asked.adjust,
    )
