"""One client beside the expected course: for the people who treat the client, never for outsiders."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.charts import client_figure, course_rows
from alliance_longitudinal.analyses.expected_course.client_words import (
    WHERE,
    Person,
    alliance_words,
    symptom_words,
)
from alliance_longitudinal.analyses.expected_course.compute import Judged, Validated, fit_course
from alliance_longitudinal.analyses.expected_course.design import Rule, Track, track_of
from alliance_longitudinal.analyses.kit import Draft, Number, say
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.present import Column, Table


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


def show_one(
    draft: Draft,
    every: pd.DataFrame,
    client: str,
    found: tuple[Validated, Validated | None],
    known: tuple[Judged | None, Rule | None],
    unit: str,
) -> None:
    """The part on one client.

    Raises
    ------
    StudyError
        If the client has no score, or no value of a covariate.
    """
    symptoms, ratings = found
    person = person_of(symptoms, every, track_of(draft, every, symptoms.track.measure), client)
    if person is None:
        raise StudyError(
            f"Parameter 'client': client {client!r} has no {symptoms.track.label} score, or no value of a covariate, so nothing can be expected."
        )
    other = None
    if ratings is not None:
        other = person_of(ratings, every, track_of(draft, every, ratings.track.measure), client)
    show_client(draft, person, other, known[0], known[1], unit)


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
    so_far = later if len(later) and found.settings.update else nothing
    ahead = course.predict(so_far, np.linspace(last, end, 12)[1:], band=found.settings.band)
    first, now = "expected from the first score", "expected from now on"
    times = np.linspace(min(1.0, end / 2), end, 30)
    picture = pd.concat(
        [
            course_rows(found, course, nothing, times, first),
            pd.DataFrame({"label": first, "time": scores["time"], "y": scores["score"], "kind": "observed"}),
            *(
                [course_rows(found, course, so_far, np.linspace(last, end, 12), now)]
                if found.settings.update
                else []
            ),
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
    symptom_words(draft, symptoms, judged, rule, unit)
    if alliance is not None:
        alliance_words(draft, alliance, unit)
    for person, name in ((symptoms, "client_symptoms"), (alliance, "client_alliance")):
        if person is not None:
            track = person.found.track
            draft.show(client_figure(person.picture, track.label, unit, track.limits, name))
            draft.show(_scores_table(person, name, unit))
    draft.say("The rest of this report is about all clients.")


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
            "where": "the first score" if np.isnan(r.side) else WHERE[int(r.side)],
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
