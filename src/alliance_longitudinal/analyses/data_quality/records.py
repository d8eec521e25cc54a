"""What the checks look at: the sessions, which forms were to be filled in, and which were."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.schedule import WEEKS, nearest_planned
from alliance_longitudinal.data.study import Measure, Study

#: A form that fewer clients than this have at a session number was not meant to be given there.
PLANNED_SHARE, ENOUGH_CLIENTS = 0.05, 20
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Records:
    """The sessions of the chosen clinic.

    Attributes
    ----------
    study : Study
    sessions : DataFrame
        Ordered by client and session; the index counts the rows of ``study.sessions``.
    today : date
        Later dates lie in the future.
    """

    study: Study
    sessions: pd.DataFrame
    today: date

    def __post_init__(self) -> None:
        if "therapist" not in self.sessions:  # then no check over therapists finds enough of them
            object.__setattr__(self, "sessions", self.sessions.assign(therapist=None))

    @property
    def n_of_study(self) -> int:
        """Sessions of the whole study, chosen or not."""
        forms = self.study.forms
        return len(self.study.sessions) if forms is None else int(forms.session.max(initial=-1)) + 1

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Every measure of the study."""
        return tuple(self.study.measures.values())

    @property
    def rows(self) -> NDArray[np.intp]:
        """Row of ``study.sessions`` of each session."""
        return np.asarray(self.sessions.index, dtype=np.intp)

    @property
    def same_client(self) -> Bools:
        """Whether a session's client is that of the row before; shape (n,)."""
        client = self.sessions["client"].to_numpy()
        return np.asarray(np.r_[False, client[1:] == client[:-1]][: len(client)], dtype=bool)


@dataclass(frozen=True, slots=True)
class Filled:
    """The forms of one measure that were to be filled in, and which of them were.

    Attributes
    ----------
    measure : Measure
    expected, present : bool array, shape (n,)
        By session: whether a form was to be filled in, and whether it was.
    forms : DataFrame
        One row per form that was to be filled in, each client's in order of time: ``client``, ``therapist``, ``at`` (the
        session's number, or the planned time where the study has a schedule for the measure), ``made``, ``row`` (of
        ``study.sessions``; -1 for a planned form without a session).
    scheduled : bool
        Whether the study plans when the form is given.
    """

    measure: Measure
    expected: Bools
    present: Bools
    forms: pd.DataFrame
    scheduled: bool = False

    @classmethod
    def attended(cls, records: Records, measure: Measure, expected: Bools, present: Bools) -> "Filled":
        """Forms that were to be filled in at sessions that took place."""
        sessions = records.sessions
        forms = pd.DataFrame(
            {
                "client": sessions["client"].to_numpy(object),
                "therapist": sessions["therapist"].to_numpy(object),
                "at": sessions["session"].to_numpy(float),
                "made": present,
                "row": records.rows,
            }
        )
        return cls(measure, expected, present, forms[expected].reset_index(drop=True))

    @property
    def missing(self) -> Bools:
        """Sessions at which a form should be there and is not."""
        return self.expected & ~self.present


def filled_in(records: Records, measure: Measure) -> Filled:
    """Which forms of ``measure`` are there.

    A form is there if any of its answers is, or any score where the answers are not known. Where the study has a
    schedule for the measure, that says which forms were to be filled in, whether the client came or not. Otherwise session
    numbers at which fewer than 5 % of the clients have one (nobody, where fewer than 20 came) are taken as not planned,
    such as alliance at intake.
    """
    sessions = records.sessions
    present = _present(records, measure)
    if measure.name in records.study.schedule:
        return _by_plan(records, measure, present)
    at = pd.Series(present).groupby(sessions["session"].to_numpy())
    share, n = at.transform("mean").to_numpy(), at.transform("size").to_numpy()
    planned = np.where(n >= ENOUGH_CLIENTS, share >= PLANNED_SHARE, share > 0)
    return Filled.attended(records, measure, planned | present, present)


def _present(records: Records, measure: Measure) -> Bools:
    """Sessions with a form."""
    sessions, forms = records.sessions, records.study.forms
    if forms is not None and measure.name in forms.answers:
        answered = ~np.isnan(forms.answers[measure.name]).all(axis=1)
        hits = np.bincount(forms.session[answered], minlength=records.n_of_study)
        return np.asarray(hits[records.rows] > 0, dtype=bool)
    parts = (*measure.instrument.subscales, *measure.instrument.derived)
    own = [c for c in (measure.name, *(f"{measure.name}_{p}" for p in parts)) if c in sessions]
    return np.asarray(sessions[own].notna().any(axis=1), dtype=bool)


def _by_plan(records: Records, measure: Measure, present: Bools) -> Filled:
    """Every planned form of every client that is due by the last date of the study."""
    study, sessions = records.study, records.sessions
    times = np.asarray(study.schedule[measure.name], dtype=float)
    place = nearest_planned(sessions, times, study.time_unit)
    near = sessions.assign(place=place, present=present, row=records.rows)[place >= 0]
    # Of several sessions near one planned time, the one with a form counts, else the first.
    near = near.sort_values("present", ascending=False, kind="stable").drop_duplicates(["client", "place"])
    clients = sessions.drop_duplicates("client")
    every = clients[["client", "therapist"]].merge(pd.DataFrame({"place": range(len(times))}), how="cross")
    every = every.merge(near[["client", "place", "present", "row"]], on=["client", "place"], how="left")
    forms = pd.DataFrame(
        {
            "client": every["client"].to_numpy(object),
            "therapist": every["therapist"].to_numpy(object),
            "at": times[every["place"].to_numpy()],
            "made": every["present"].eq(True).to_numpy(),
            "row": every["row"].fillna(-1).to_numpy(np.intp),
        }
    )
    forms = forms[forms["made"] | _due(records, forms)].reset_index(drop=True)
    expected = np.isin(records.rows, forms["row"])
    return Filled(measure, expected | present, present, forms, scheduled=True)


def _due(records: Records, forms: pd.DataFrame) -> Bools:
    """Whether the planned time lies before the last date of the study; without dates every one does."""
    sessions, study = records.sessions, records.study
    if "date" not in sessions or study.time_unit == "sessions":
        return np.ones(len(forms), dtype=bool)
    start = sessions["date"] - pd.to_timedelta(7 * sessions["week"], unit="D")
    first = start.groupby(sessions["client"].to_numpy()).min().reindex(forms["client"]).to_numpy()
    due = first + pd.to_timedelta(7 * WEEKS[study.time_unit] * forms["at"].to_numpy(), unit="D").to_numpy()
    return np.asarray(~(due > np.datetime64(sessions["date"].max())), dtype=bool)
