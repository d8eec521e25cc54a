"""Pairs of sessions: the alliance of one, the outcome of a later one, and their parts within and between clients."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    neutral,
    number_of_therapists,
    together,
    usable_therapists,
)

Detrend = Literal["none", "common", "client", "lines"]
Treatment = Literal["keep", "sd3", "sd2", "winsor3", "winsor2"]
#: Fewest clients with two or more pairs of sessions.
MIN_CLIENTS = 20
#: Fewest pairs of sessions for a mean of their own in the common course.
PER_SESSION = 10
#: A column that differs by less than this says nothing.
CONSTANT = 1e-9
#: Standard deviations from the mean at which a treatment begins; the others clip instead of leaving out.
_LIMITS = {"sd3": 3.0, "sd2": 2.0, "winsor3": 3.0, "winsor2": 2.0}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of sessions of the analysed clients.

    Attributes
    ----------
    rows : DataFrame
        One row per pair: ``client, therapist, session`` (of the outcome), ``y``, ``alliance`` (of the earlier session), its
        parts ``within``, ``alliance_client``, ``alliance_therapist``; ``lines`` (``within`` less the client's line over
        sessions); ``time`` (session less the mean), ``course`` (the session as a category); parts of the first score and
        of the session between clients and therapists; columns of covariates.
    between : bool
        Whether therapists are a level of their own; otherwise parts are those between all clients.
    adjusted : tuple of str
        Columns of covariates.
    intake : bool
        Whether the models adjust for the first score.
    """

    rows: pd.DataFrame
    between: bool
    adjusted: tuple[str, ...]
    intake: bool

    @property
    def n_clients(self) -> int:
        """Clients with a pair."""
        return int(self.rows["client"].nunique())

    @property
    def n_therapists(self) -> int:
        """Their therapists."""
        return number_of_therapists(self.rows["therapist"])

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the parts between people."""
        return ("client", "therapist") if self.between else ("client",)

    def terms(self, detrend: Detrend, *, length: bool = True) -> list[str]:
        """Predictors of a model; ``length`` adds the mean session of clients and of therapists, divided like the alliance."""
        alliance = ["lines" if detrend == "lines" else "within"]
        alliance += [f"alliance_{level}" for level in self.levels]
        time = [] if detrend == "none" else ["course"]
        if time and length:
            time += [f"session_{level}" for level in self.levels]
        first = [f"intake_{level}" for level in self.levels] if self.intake else []
        return [t for t in (*alliance, *time, *first, *self.adjusted) if self._varies(t)]

    def therapist_terms(self, detrend: Detrend) -> int:
        """How many of the predictors are of therapists."""
        return sum(t.endswith("_therapist") for t in self.terms(detrend))

    def _varies(self, column: str) -> bool:
        values = self.rows[column]
        if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
            return len(values.unique()) > 1
        return bool(values.max() - values.min() > CONSTANT)

    def two_level(self) -> "Pairs":
        """The same pairs without therapists as a level."""
        return _divided(replace(self, between=False)) if self.between else self

    def treated(self, treatment: Treatment) -> "Pairs":
        """Pairs with outlying alliance scores left out (``sd``) or moved to the limit (``winsor``), divided anew."""
        if treatment == "keep":
            return self
        values = self.rows["alliance"]
        reach = _LIMITS[treatment] * float(values.std())
        low, high = float(values.mean()) - reach, float(values.mean()) + reach
        rows = self.rows
        if treatment.startswith("winsor"):
            rows = rows.assign(alliance=values.clip(low, high))
        else:
            rows = rows[values.between(low, high)]
        return _divided(replace(self, rows=rows))


def intake_of(sessions: pd.DataFrame, outcome: str) -> "pd.Series[float]":
    """The first outcome score of each client, indexed by client."""
    scored = sessions[sessions[outcome].notna()].sort_values(["client", "session"])
    return scored.groupby("client")[outcome].first()


def lagged(sessions: pd.DataFrame, alliance: str, steps: int) -> "pd.Series[float]":
    """The alliance ``steps`` sessions before each session, in row order; missing where a session between is not recorded."""
    from alliance_longitudinal.methods import lag

    frame = sessions[["client", "session"]].assign(value=sessions[alliance].astype(float))
    for _ in range(steps):
        frame = lag(frame, "value").drop(columns="value").rename(columns={"value_lag": "value"})
    return frame["value"]


def pairs_of(
    sessions: pd.DataFrame,
    outcome: str,
    adjusters: Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]],
    *,
    therapists: bool,
    intake: bool,
) -> Pairs:
    """Pairs from sessions that have ``before`` (the earlier alliance), ``first`` (the first score) and the outcome."""
    rows = sessions[["client", "therapist", "session"]].assign(
        y=sessions[outcome].astype(float), alliance=sessions["before"], intake=sessions["first"]
    )
    rows, adjusted = adjusters(rows)
    usable = usable_therapists(rows)
    found = Pairs(together(rows), therapists and usable >= MIN_THERAPISTS, tuple(adjusted), intake)
    divided = _divided(found)
    if divided.between and not divided._varies("alliance_therapist"):
        return divided.two_level()
    return divided


def _divided(found: Pairs) -> Pairs:
    """The parts of alliance, first score and session, from the values that the rows have now."""
    from alliance_longitudinal.methods import decompose

    names = ("alliance", "intake", "session")
    rows = found.rows.drop(
        columns=[c for c in found.rows if str(c).startswith(tuple(f"{n}_" for n in names))]
    )
    rows = rows.drop(columns=["within"], errors="ignore")
    rows = decompose(rows, names, by=found.levels if found.between else "client")
    rows = neutral(rows) if found.between else rows
    if not found.between:
        rows = rows.assign(**{f"{n}_client": rows[f"{n}_client"] - rows[f"{n}_client"].mean() for n in names})
    rows = rows.rename(columns={"alliance_within": "within"})
    time = rows["session"] - float(rows["session"].mean())
    rows = rows.assign(time=time, course=_course(rows["session"]))
    return replace(found, rows=rows.assign(lines=without_lines(rows)))


def _course(session: "pd.Series[int]") -> "pd.Series[str]":
    """The session as a category; late sessions with few rows are one category with the one before."""
    sizes = session.value_counts().sort_index()
    label: dict[int, str] = {}
    current, held = "", PER_SESSION
    for at, n in sizes.items():
        if held >= PER_SESSION:
            current, held = f"s{at}", 0
        label[int(str(at))] = current
        held += int(n)
    if held < PER_SESSION and len(set(label.values())) > 1:
        last = current
        before = [v for v in label.values() if v != last][-1]
        label = {at: before if v == last else v for at, v in label.items()}
    return session.map(label)


def without_lines(rows: pd.DataFrame) -> "pd.Series[float]":
    """``within`` less each client's least-squares line over sessions; zero where a client has fewer than three pairs."""
    client = rows["client"]
    time = rows["session"] - rows["session"].groupby(client).transform("mean")
    squares = (time**2).groupby(client).transform("sum")
    products = (time * rows["within"]).groupby(client).transform("sum")
    slope = (products / squares.where(squares > 0)).fillna(0.0)
    rest = rows["within"] - slope * time
    return rest.where(rest.abs() > CONSTANT, 0.0).astype(np.float64)
