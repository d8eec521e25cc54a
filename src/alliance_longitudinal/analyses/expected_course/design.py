"""The rows of one measure that courses are expected from, and how each client's treatment ended."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.kit.norms import Given, direction_of, known_norms
from alliance_longitudinal.analyses.kit.people import clusters
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.methods.psychometrics.change.classify import by_index

Event = Literal["deteriorated", "not_improved"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as the event.

    Attributes
    ----------
    event : str
    points : float
        Points of reliable change.
    inclusive : bool
        Whether exactly so many points are reliable change.
    source : str
        Where the points are from.
    """

    event: Event
    points: float
    inclusive: bool
    source: str

    def limit(self, worse: int, step: float) -> float:
        """Change in points, of single scores, beyond which the event has happened; ``worse`` is the sign of getting worse.

        Scores in steps lie on both sides of the limit, never on it.
        """
        needed = self.points
        if step:
            whole = np.ceil(needed / step - 1e-9) * step
            if not self.inclusive and abs(whole - needed) < 1e-9:
                whole += step
            needed = float(whole) - step / 2
        return worse * needed if self.event == "deteriorated" else -worse * needed


@dataclass(frozen=True, slots=True)
class Track:
    """One measure's scores after each client's first.

    Attributes
    ----------
    measure : Measure
    worse : int
        1 if higher is worse, else -1.
    rows : DataFrame
        ``client, therapist, time, score, intake`` and the covariates; ``time`` since the client's first session.
    covariates : tuple of str
    known : bool
        Whether the rows' therapists are a level of the model.
    """

    measure: Measure
    worse: int
    rows: pd.DataFrame
    covariates: tuple[str, ...]
    known: bool

    @property
    def label(self) -> str:
        """The instrument's short name."""
        return self.measure.instrument.label

    @property
    def therapist(self) -> str | None:
        """The column of therapists for the model."""
        return "therapist" if self.known else None

    @property
    def cluster(self) -> pd.Series:
        """By client: who goes together with whom."""
        first = self.rows.drop_duplicates("client")
        made = (
            clusters(first["client"], first["therapist"]) if self.known else first["client"].to_numpy(object)
        )
        return pd.Series(made, index=first["client"].to_numpy(object))

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest possible score."""
        known = self.measure.instrument.total_range
        return (-np.inf, np.inf) if known is None else (float(known[0]), float(known[1]))

    @property
    def step(self) -> float:
        """1 if scores are whole numbers, else 0."""
        every = pd.concat([self.rows["score"], self.rows["intake"]])
        return 1.0 if every.eq(every.round()).all() else 0.0


#: Fewest therapists with two or more clients for a therapist level.
MIN_THERAPISTS = 5


def track_of(draft: Draft, sessions: pd.DataFrame, measure: Measure) -> Track:
    """Scores after each client's first one, with time counted from the client's first session.

    Parameters
    ----------
    draft : Draft
        For the covariates, and whether therapists are known.
    sessions : DataFrame
        All sessions of the clients, in order.
    """
    rated = sessions[sessions[measure.name].notna() & sessions["week"].notna()]
    start = sessions.groupby("client")["week"].min()
    first = rated.groupby("client")[measure.name].transform("first")
    rows = pd.DataFrame(
        {
            "client": rated["client"].to_numpy(object),
            "therapist": clusters(rated["client"], rated["therapist"]),
            "time": (rated["week"] - rated["client"].map(start).astype(float)).to_numpy(float),
            "score": rated[measure.name].to_numpy(float),
            "intake": first.to_numpy(float),
        }
    )
    rows = rows[rows.duplicated("client")].reset_index(drop=True)
    rows, terms = draft.adjusters(rows)
    size = rows.groupby("therapist")["client"].nunique()
    known = draft.therapists_known and int((size >= 2).sum()) >= MIN_THERAPISTS
    return Track(measure, -direction_of(measure), rows, tuple(terms), known)


#: Times up to which scores are known in weekly data.
WEEKLY = (0.0, 2.0, 4.0)


def usual_times(track: Track) -> tuple[float, ...]:
    """Times up to which scores are known: 0, 2 and 4, or, where scores are rarer, 0 and the usual times of the next two scores.

    Scores are rarer if fewer than half of the clients have one up to time 4 and one later.
    """
    times = track.rows.groupby("client")["time"]
    if ((times.min() <= WEEKLY[-1]) & (times.max() > WEEKLY[-1])).mean() >= 0.5:
        return WEEKLY
    place = times.rank(method="first")
    usual = [
        float(np.ceil(track.rows.loc[place == k, "time"].median())) for k in (1, 2) if (place == k).any()
    ]
    return tuple(sorted({0.0, *(t for t in usual if t >= 1)}))


def only_from_the_start(draft: Draft) -> None:
    """Refuse covariates that are not known before the first session.

    Raises
    ------
    StudyError
        For a covariate of sessions.
    """
    late = [c.name for c in draft.covariates if c.level == "session"]
    if late:
        raise StudyError(
            f"Parameter 'covariates': {', '.join(late)} is a covariate of sessions. A course can be expected only from what is "
            "known at the start, so use covariates of clients or therapists."
        )


def rule_of(sessions: pd.DataFrame, measure: Measure, event: Event, points: float | None) -> Rule | None:
    """What counts as the event; None where neither points nor a reliability of the measure are known."""
    known = known_norms(measure, Given(points=points))
    ends = _ends(sessions, measure)
    for method in ("points", "JT"):
        try:
            index = by_index(ends, method, known.norms).index
        except DataError:
            continue
        if index is not None:
            named = {fact.what: fact.source for fact in known.facts}
            source = named.get("Points of reliable change") or "computed from the reliability and the SD"
            return Rule(event, float(index.points), index.inclusive, source)
    return None


def _ends(sessions: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """First and last score of each client with two or more."""
    scores = sessions[sessions[measure.name].notna()].groupby("client")[measure.name]
    ends = scores.agg(["first", "last", "size"])
    return ends[ends["size"] > 1].rename(columns={"first": "pre", "last": "post"})


def alliance_of(draft: Draft, study: Study, name: str | None, wanted: bool) -> Measure | None:
    """The alliance measure, if the study has one or one was asked for."""
    if not wanted:
        return None
    if name is None and not any(m.construct == "alliance" for m in study.measures.values()):
        draft.find(
            "no_alliance",
            "info",
            "The study has no alliance measure, so the report is about symptoms only.",
            "the alliance",
        )
        return None
    return draft.measure("alliance", name)


def so_far(every: pd.DataFrame, a: Measure | None) -> pd.DataFrame | None:
    """Every alliance rating with its time since the client's first session."""
    if a is None:
        return None
    start = every.groupby("client")["week"].transform("min")
    rows = pd.DataFrame({"client": every["client"], "time": every["week"] - start, "score": every[a.name]})
    return rows.dropna()


def ends_of(track: Track, rule: Rule) -> pd.DataFrame:
    """By client: ``intake``, ``last``, ``last_time`` and whether the event happened (``event``) by the last score."""
    grouped = track.rows.sort_values(["client", "time"], kind="stable").groupby("client")
    out = grouped.agg(intake=("intake", "first"), last=("score", "last"), last_time=("time", "last"))
    beyond = rule.limit(track.worse, track.step)
    change = out["last"] - out["intake"]
    if track.step == 0:  # whole scores are never on the limit
        size = np.sign(beyond) * change
        over = size >= abs(beyond) if rule.inclusive else size > abs(beyond)
        happened = over if rule.event == "deteriorated" else ~over
    else:
        happened = change > beyond if track.worse > 0 else change < beyond
    return out.assign(event=happened.astype(bool))
