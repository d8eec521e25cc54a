"""One client beside the expected course: for the people who treat the client, never for outsiders."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.charts import client_figure, course_rows
from alliance_longitudinal.analyses.expected_course.compute import Judged, Validated, fit_course
from alliance_longitudinal.analyses.expected_course.design import Rule, Track
from alliance_longitudinal.analyses.kit import Draft, Number, say
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.present import Column, Table

_WHERE = {1: "worse than the band", 0: "within the band", -1: "better than the band"}


@dataclass(frozen=True, slots=True)
class Person:
    """One client's scores of one measure, and what the other clients' course says of them.

    Attributes
    ----------
    found : Validated
    scores : DataFrame
        ``time, score`` and, from the second score on, ``mean, low, high`` expected from the first score and ``side``: 1 worse than
        the band, 0 within, -1 better.
    ahead : DataFrame
        ``time, mean, sd, lower, upper`` after the last score, given all scores.
    picture : DataFrame
        The rows of the figure.
    """

    found: Validated
    scores: pd.DataFrame
    ahead: pd.DataFrame
    picture: pd.DataFrame

    @property
    def last(self) -> Any:
        """The last score's row."""
        return self.scores.iloc[-1]


def check_client(sessions: pd.DataFrame, client: str, audience: str) -> None:
    """Refuse a report on one client to outsiders, and a client who is not there.

    Raises
    ------
    StudyError
        Without naming other clients.
    """
    if audience != "internal":
        raise StudyError(
            "Parameter 'client': a report on one client is for the people who treat this client. Make it with audience='internal', and "
            "do not pass it on."
        )
    if client not in set(sessions["client"]):
        raise StudyError(
            f"Parameter 'client': the data have no client {client!r} (in the clinic and group that you asked for). Write the identifier "
            "as the file has it, with its zeros."
        )


def person_of(found: Validated, sessions: pd.DataFrame, every: Track, client: str) -> Person | None:
    """A client's scores beside a course fitted to all other clients; None without any score.

    Parameters
    ----------
    found : Validated
    sessions : DataFrame
        All sessions.
    every : Track
        The rows of all clients, which hold the client's covariates.
    """
    track, name = found.track, found.track.measure.name
    own = sessions[sessions["client"] == client]
    start = own["week"].min()
    own = own[own[name].notna() & own["week"].notna()]
    if own.empty:
        return None
    scores = pd.DataFrame({"time": (own["week"] - start).to_numpy(float), "score": own[name].to_numpy(float)})
    others = track.rows[track.rows["client"] != client]
    course = fit_course(track, others, found.settings.shape)
    mine = every.rows[every.rows["client"] == client]
    given: dict[str, Any] = {"intake": scores["score"].iloc[0]}
    for column in track.covariates:
        if mine.empty:
            return None
        given[column] = float(mine[column].iloc[0])
    if track.known and own["therapist"].notna().any():
        given["therapist"] = own["therapist"].iloc[0]
    later = scores.iloc[1:].assign(**given)
    nothing = pd.DataFrame({"time": [0.0], "score": [np.nan]}).assign(**given)
    low, high = track.limits
    rows = scores.assign(mean=np.nan, low=np.nan, high=np.nan, side=np.nan)
    if len(later):
        band = course.predict(nothing, later["time"].to_numpy(float), band=found.settings.band)
        z = track.worse * (later["score"].to_numpy(float) - band["mean"]) / band["sd"]
        side = (z > found.settings.z).astype(float) - (z < -found.settings.z).astype(float)
        rows.loc[rows.index[1:], ["mean", "low", "high", "side"]] = np.column_stack(
            [band["mean"].clip(low, high), band["lower"].clip(low, high), band["upper"].clip(low, high), side]
        )
    last = float(scores["time"].iloc[-1])
    end = max(found.held.at, last + 2)
    so_far = later if len(later) else nothing
    ahead = course.predict(so_far, np.linspace(last, end, 12)[1:], band=found.settings.band)
    first, now = "expected from the first score", "expected from now on"
    times = np.linspace(min(1.0, end / 2), end, 30)
    picture = pd.concat(
        [
            course_rows(found, course, nothing, times, first),
            pd.DataFrame({"label": first, "time": scores["time"], "y": scores["score"], "kind": "observed"}),
            course_rows(found, course, so_far, np.linspace(last, end, 12), now),
        ],
        ignore_index=True,
    )
    return Person(found, rows, ahead, picture)


def show_client(
    draft: Draft,
    symptoms: Person,
    alliance: Person | None,
    judged: Judged | None,
    rule: Rule | None,
    unit: str,
) -> None:
    """Sentences, figures and tables on the client, before all others of the report."""
    draft.say("This report is about one client. It is for the people who treat this client only.")
    _symptom_words(draft, symptoms, judged, rule, unit)
    if alliance is not None:
        _alliance_words(draft, alliance, unit)
    for person, name in ((symptoms, "client_symptoms"), (alliance, "client_alliance")):
        if person is not None:
            track = person.found.track
            draft.show(client_figure(person.picture, track.label, unit, track.limits, name))
            draft.show(_scores_table(person, name, unit))
    draft.say("About all clients.")


def _symptom_words(draft: Draft, person: Person, judged: Judged | None, rule: Rule | None, unit: str) -> None:
    found, last = person.found, person.last
    track, band = found.track, Number(found.settings.band, "percent")
    label = track.label
    when = Number(round(float(last["time"])), "integer", unit)
    if len(person.scores) < 2:
        draft.say(
            "There is only the first {label} ({y}), so nothing can be compared yet.",
            label=label,
            y=_n(last["score"]),
        )
    else:
        low, high = _inside(track, last["low"], last["high"])
        draft.say(
            "The last {label} score, {when:noun} after the start, is {y}. From the first score ({first}), {mean} would be expected, and {band} of "
            "such clients have a score from {low} to {high}. The score is {where}.",
            label=label,
            y=_n(last["score"]),
            when=when,
            first=_n(person.scores["score"].iloc[0]),
            mean=_about(track, last["mean"]),
            band=band,
            low=low,
            high=high,
            where=_WHERE[int(last["side"])],
        )
        draft.say(_advice(int(last["side"])))
    end = person.ahead.iloc[-1]
    least, most = track.limits
    low, high = _inside(
        track, float(np.clip(end["lower"], least, most)), float(np.clip(end["upper"], least, most))
    )
    draft.say(
        "With all scores so far, {mean} is expected {when:noun} after the start ({band} band {low} to {high}).",
        mean=_about(track, float(np.clip(end["mean"], least, most))),
        when=Number(round(float(end["time"])), "integer", unit),
        band=band,
        low=low,
        high=high,
    )
    if rule is not None:
        _risk_words(draft, person, judged, rule)


def _risk_words(draft: Draft, person: Person, judged: Judged | None, rule: Rule) -> None:
    from alliance_longitudinal.methods import chance_beyond

    track, end = person.found.track, person.ahead.iloc[-1]
    limit = float(person.scores["score"].iloc[0]) + rule.limit(track.worse, track.step)
    risk = float(
        chance_beyond(
            np.array([end["mean"]]), np.array([end["sd"]]), np.array([limit]), above=track.worse > 0
        )[0]
    )
    draft.say(
        "Of clients with such scores, the model expects {risk} to {event} by then ({points} {label} points or more).",
        risk="fewer than one in a hundred" if risk < 0.01 else say("{r}", r=Number(risk, "percent")),
        event="have deteriorated"
        if rule.event == "deteriorated"
        else "have improved by less than the reliable change",
        points=_n(rule.points),
        label=track.label,
    )
    flagged = len(person.scores) > 1 and person.last["side"] == 1
    ppv = draft["ppv"]
    if flagged and judged is not None and ppv is not None:
        draft.say(
            "Among the clients of this study with such a warning, {ppv} (95 % interval {ppv:interval}) {event}. The warning is a reason to look, "
            "not a forecast.",
            ppv=ppv.share(),
            event="later deteriorated" if rule.event == "deteriorated" else "did not improve reliably",
        )


def _advice(side: int) -> str:
    if side > 0:
        return (
            "This is worse than expected. Check the score with the client, and ask what has changed: symptoms, life events, medication, "
            "motivation, the work in the sessions and the alliance. Consider supervision."
        )
    if side < 0:
        return "This is better than expected. Ask the client what helps, and whether the goals are still the right ones."
    return "The course is as expected. Go on, and keep looking at the scores."


def _alliance_words(draft: Draft, person: Person, unit: str) -> None:
    track, last = person.found.track, person.last
    label = track.label
    if len(person.scores) < 2:
        draft.say("There is only one rating of the alliance ({label} {y}).", label=label, y=_n(last["score"]))
        return
    low, high = _inside(track, last["low"], last["high"])
    draft.say(
        "The last {label} score, {when:noun} after the start, is {y}; {mean} would be expected from the first rating (band {low} to {high}). The "
        "rating is {where}.{more}",
        label=label,
        y=_n(last["score"]),
        when=Number(round(float(last["time"])), "integer", unit),
        mean=_about(track, last["mean"]),
        low=low,
        high=high,
        where=_WHERE[int(last["side"])],
        more=" Speak about the alliance: goals, tasks, and how the client feels with you."
        if last["side"] > 0
        else "",
    )


def _n(value: float) -> Number:
    """A score: whole ones without decimals."""
    value = float(value)
    return Number(value, "integer" if value == round(value) else "number")


def _inside(track: Track, low: float, high: float) -> tuple[Number, Number]:
    """Lowest and highest score within a band; of whole scores those that can occur."""
    if track.step and np.ceil(low) <= np.floor(high):
        return _n(np.ceil(low)), _n(np.floor(high))
    return _n(low), _n(high)


def _about(track: Track, value: float) -> Number:
    """An expected score, with no more precision than scores have."""
    return _n(round(float(value))) if track.step else _n(value)


def _kind(values: "pd.Series[float]") -> Literal["integer", "number"]:
    """Whole numbers are shown without decimals."""
    return "integer" if values.eq(values.round()).all() else "number"


def _scores_table(person: Person, name: str, unit: str) -> Table:
    track = person.found.track
    rows = [
        {
            "time": float(r.time),
            "score": float(r.score),
            "mean": r.mean,
            "low": r.low,
            "high": r.high,
            "where": "the first score" if np.isnan(r.side) else _WHERE[int(r.side)],
        }
        for r in person.scores.itertuples(index=False)
    ]
    columns = [
        Column("time", f"{unit.capitalize()}s since the start", _kind(person.scores["time"])),
        Column("score", track.label, _kind(person.scores["score"])),
        Column("mean", "Expected from the first score", "number"),
        Column("low", "Band, low", "number"),
        Column("high", "Band, high", "number"),
        Column("where", "The score is"),
    ]
    note = say(
        "{band} of single scores of clients with the same first score lie in the band. The model was fitted to all other clients.",
        band=Number(person.found.settings.band, "percent"),
    )
    return Table.from_rows(
        name, f"This client's {track.label} so far", "answer", rows, columns, note, single_people=True
    )
