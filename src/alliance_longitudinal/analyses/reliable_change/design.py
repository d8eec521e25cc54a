"""Each client's score before and after treatment, from the sessions of a study."""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure


@dataclass(frozen=True, slots=True)
class ClientScores:
    """Scores before and after, and the course between them.

    Attributes
    ----------
    ends : DataFrame
        One row a client: ``client, therapist, pre, post`` and the session of each, ``pre_session, post_session``.
    course : DataFrame
        All scores from the first to the last: ``client, time, score``; time in the study's unit.
    flow : SampleFlow
    """

    ends: pd.DataFrame
    course: pd.DataFrame
    flow: SampleFlow


def client_scores(
    sessions: pd.DataFrame, measure: Measure, flow: SampleFlow, first: int | None, last: int | None
) -> ClientScores:
    """First and last score of each client, or those of sessions ``first`` and ``last``.

    Parameters
    ----------
    sessions : DataFrame
        ``client, therapist, session, week`` and the measure's column, in order of client and session.
    first, last : int or None
        Session numbers; None = the client's first (last) score.
    """
    label, name = measure.instrument.label, measure.name
    rated, flow = flow.filter(
        sessions, sessions[name].notna(), f"Sessions with {label}", f"no {label} score at the session"
    )
    if first is not None:
        started = rated["client"].isin(rated.loc[rated["session"].eq(first), "client"])
        keep = started & rated["session"].ge(first)
        rated, flow = flow.filter(
            rated,
            keep,
            f"Clients with {label} at session {first}",
            f"no score at session {first}, or before it",
        )
    if last is not None:
        ended = rated["client"].isin(rated.loc[rated["session"].eq(last), "client"])
        keep = ended & rated["session"].le(last)
        rated, flow = flow.filter(
            rated, keep, f"Clients with {label} at session {last}", f"no score at session {last}, or after it"
        )
    two = rated.groupby("client")["session"].transform("nunique") >= 2
    rated, flow = flow.filter(rated, two, "Clients with a score before and after", "one score only")
    grouped = rated.groupby("client", sort=True)
    ends = pd.DataFrame(
        {
            "therapist": grouped["therapist"].first(),
            "pre": grouped[name].first(),
            "post": grouped[name].last(),
            "pre_session": grouped["session"].first(),
            "post_session": grouped["session"].last(),
        }
    ).reset_index()
    course = rated[["client", "week", name]].rename(columns={"week": "time", name: "score"})
    return ClientScores(ends, course.reset_index(drop=True), flow)
