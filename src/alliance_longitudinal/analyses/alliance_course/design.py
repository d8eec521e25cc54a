"""The rows of the report on the course of the alliance: time, phases, and early and late alliance."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow

#: Sessions of a treatment from which it has a beginning, a middle and an end.
MIN_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Courses:
    """Rated sessions.

    Attributes
    ----------
    rows : DataFrame
        ``client, therapist, session``; ``y``, the rating; ``time``, the sessions since the first (0 in session 1); ``share``, how far
        the client's own treatment had come, times the median length, so that it has the unit of ``time`` (missing for short ones).
    knots : tuple of float
        In ``time``: where the phases meet.
    length : float
        Median number of sessions of the treatments behind ``share``, less one.
    """

    rows: pd.DataFrame
    knots: tuple[float, ...]
    length: float

    @property
    def phase(self) -> "pd.Series[int]":
        """Phase of each row, from 1."""
        cut = np.searchsorted(np.array(self.knots), self.rows["time"].to_numpy(float), side="left")
        return pd.Series(cut + 1, index=self.rows.index)

    def phase_words(self) -> list[str]:
        """The sessions of each phase, in words."""
        last = int(self.rows["session"].max())
        ends = [*(int(np.floor(k)) + 1 for k in self.knots), last]
        starts = [int(self.rows["session"].min()), *(e + 1 for e in ends[:-1])]
        return [
            f"sessions {a} to {b}" if b > a else f"session {a}" for a, b in zip(starts, ends, strict=True)
        ]


def courses_of(
    rated: pd.DataFrame, every: pd.DataFrame, score: str, knots: tuple[int, ...] | None
) -> Courses:
    """Rows with their times; ``every`` are the clients' sessions, rated or not, from which the length of a treatment comes."""
    rows = rated[["client", "therapist", "session"]].assign(y=rated[score], time=rated["session"] - 1.0)
    length = rows["client"].map(every.groupby("client")["session"].max())
    long = length >= MIN_LENGTH
    typical = float(length[long].groupby(rows["client"]).first().median() - 1) if long.any() else float("nan")
    rows["share"] = ((rows["session"] - 1) / (length - 1) * typical).where(long)
    times = np.unique(rows["time"])
    where = (
        tuple(float(np.quantile(times, q)) for q in (1 / 3, 2 / 3))
        if knots is None
        else tuple(float(k - 1) for k in sorted(set(knots)))
    )
    return Courses(rows.reset_index(drop=True), where, typical)


def check_knots(knots: tuple[int, ...] | None, sessions: "pd.Series[int]") -> None:
    """Knots have to lie within the sessions, with sessions between them.

    Raises
    ------
    StudyError
        Saying where the sessions are.
    """
    if knots is None:
        return
    first, last = int(sessions.min()), int(sessions.max())
    if not 1 <= len(set(knots)) <= 4 or min(knots) <= first or max(knots) >= last:
        raise StudyError(
            f"Parameter 'knots': give one to four sessions after session {first} and before session {last}, such as 5,10; got "
            f"{', '.join(map(str, knots)) or 'none'}."
        )


def late_rows(
    sessions: pd.DataFrame, alliance: str, outcome: str, window: TimeWindow, late: int
) -> pd.DataFrame:
    """One row per client: early and late alliance, and the outcome after both.

    The late alliance is the mean of the ratings in the ``late`` sessions before the last session with an outcome score, which have to come
    after the early window. ``before`` is the last score up to the first of them, ``intake`` the first score, ``end`` the last, and ``begin``
    the number of the first late session.
    """
    ordered = sessions.sort_values(["client", "session"], kind="stable")
    scored = ordered[ordered[outcome].notna()]
    last = scored.groupby("client")["session"].max()
    begin = ordered["client"].map(last).astype(float) - late
    early = ordered[ordered["session"].between(window.first, window.last)]
    part = ordered[(ordered["session"] >= begin) & (ordered["session"] < begin + late)]
    upto = scored[scored["session"] <= scored["client"].map(last).astype(float) - late]
    out = pd.DataFrame(
        {
            "therapist": ordered.groupby("client")["therapist"].first(),
            "early": early.groupby("client")[alliance].mean(),
            "late": part.groupby("client")[alliance].mean(),
            "intake": scored.groupby("client")[outcome].first(),
            "before": upto.groupby("client")[outcome].last(),
            "end": scored.groupby("client")[outcome].last(),
            "begin": last - late,
        }
    )
    out = out[out["begin"] > window.last]
    known = out.drop(columns="therapist").notna().all(axis=1)
    return out[known].rename_axis("client").reset_index()
