"""The landmark design: predictors up to the end of the early window, outcome after it.

Predictors come from sessions up to the window's last one, the outcome from later sessions of the clients who
were still in treatment then. Conditioning on being in treatment is a step of the sample flow, so that its
cost is seen (landmark analysis: Anderson, Cain & Gelber 1983, doi 10.1200/JCO.1983.1.11.710).
"""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.timing.window import TimeWindow


@dataclass(frozen=True, slots=True)
class Landmark:
    """What a landmark analysis starts from.

    Attributes
    ----------
    clients : DataFrame, one row per analysed client
        ``client, therapist, early`` (mean alliance in the window), ``n_rated``, ``intake`` (first outcome score),
        ``change`` (last score in the window minus intake; missing if there is only one), ``end`` (last score
        after the window), ``end_change`` (``end - intake``), ``weeks_followed``, ``n_after``, ``intake_session``
        (session of the first outcome score).
    followup : DataFrame, one row per outcome score after the window
        ``client, therapist, session, weeks`` (since the client's last session in the window), ``y``.
    flow : SampleFlow
    """

    clients: pd.DataFrame
    followup: pd.DataFrame
    flow: SampleFlow


def landmark(
    sessions: pd.DataFrame,
    flow: SampleFlow,
    *,
    alliance: str,
    outcome: str,
    window: TimeWindow,
    min_rated: int,
    need_change: bool,
) -> Landmark:
    """Select the clients and build their predictors and outcomes.

    Parameters
    ----------
    sessions : DataFrame
        ``study.sessions``: ``client, therapist, session, week`` and the two score columns.
    flow : SampleFlow
        Continued here.
    alliance, outcome : str
        Score columns.
    window : TimeWindow
    min_rated : int
        Sessions in the window that must have an alliance score.
    need_change : bool
        Whether a client must have two outcome scores up to the window's end.
    """
    there = _in_treatment(sessions, window)
    now, flow = flow.filter(
        sessions,
        sessions["client"].isin(there),
        "In treatment at the end of the early window",
        f"ended treatment before session {window.last}",
    )
    table = _predictors(now, alliance, outcome, window)
    now, flow = flow.filter(
        now,
        now["client"].map(table["n_rated"]).ge(min_rated),
        "Early alliance rated",
        f"no alliance score in {window}"
        if min_rated == 1
        else f"fewer than {min_rated} rated sessions in {window}",
    )
    now, flow = flow.filter(
        now,
        now["client"].map(table["intake"]).notna(),
        "Intake severity known",
        "no outcome score up to the end of the window",
    )
    if need_change:
        now, flow = flow.filter(
            now,
            now["client"].map(table["change"]).notna(),
            "Change up to the end of the window known",
            "only one outcome score up to the end of the window",
        )
    after, flow = flow.filter(
        now,
        now["session"].gt(window.last),
        "Sessions after the early window",
        "sessions up to the end of the window, which give the predictors; clients without a later session",
    )
    followup, flow = flow.filter(
        after,
        after[outcome].notna(),
        "Outcome scores after the early window",
        "no outcome score at the session",
    )
    placed = followup["week"].notna() & followup["client"].map(table["week_zero"]).notna()
    if not placed.all():
        followup, flow = flow.filter(
            followup,
            placed,
            "Outcome scores with a known time",
            "no date or week at the session, or at any session up to the end of the window",
        )
    return _assemble(table, followup, outcome, flow)


def _in_treatment(sessions: pd.DataFrame, window: TimeWindow) -> "pd.Index[str]":
    last = sessions.groupby("client")["session"].max()
    return last.index[last >= window.last]


def _predictors(now: pd.DataFrame, alliance: str, outcome: str, window: TimeWindow) -> pd.DataFrame:
    """Per client: early alliance, intake severity, change up to the window's end, and when the window ended."""
    inside = now[now["session"].between(window.first, window.last)]
    rated = inside.dropna(subset=[alliance]).groupby("client")[alliance]
    until = now[now["session"] <= window.last]
    known = until.dropna(subset=[outcome]).sort_values(["client", "session"])
    scored = known.groupby("client")[outcome]
    table = pd.DataFrame(index=pd.Index(now["client"].unique(), name="client"))
    table["therapist"] = now.groupby("client")["therapist"].first()
    table["early"] = rated.mean()
    table["n_rated"] = rated.count().reindex(table.index, fill_value=0)
    table["intake"] = scored.first()
    table["intake_session"] = known.groupby("client")["session"].first()
    table["change"] = (scored.last() - scored.first()).where(scored.count() >= 2)
    table["week_zero"] = until.groupby("client")["week"].max()
    return table


def _assemble(table: pd.DataFrame, after: pd.DataFrame, outcome: str, flow: SampleFlow) -> Landmark:
    after = after.sort_values(["client", "session"])
    clients = table.loc[table.index.isin(after["client"])].copy()
    weeks = after["week"] - after["client"].map(clients["week_zero"]).astype(float)  # no row left: text
    followup = pd.DataFrame(
        {
            "client": after["client"],
            "therapist": after["client"].map(clients["therapist"]),
            "session": after["session"],
            "weeks": weeks,
            "y": after[outcome],
        }
    ).reset_index(drop=True)
    by_client = followup.groupby("client")
    clients["end"] = by_client["y"].last()
    clients["end_change"] = clients["end"] - clients["intake"]
    clients["weeks_followed"] = by_client["weeks"].max()
    clients["n_after"] = by_client["y"].count()
    return Landmark(clients.drop(columns="week_zero").reset_index(), followup, flow)
