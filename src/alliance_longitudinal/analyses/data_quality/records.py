"""What the checks look at: the sessions, which forms were to be filled in, and which were."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    """Of one measure, by session: whether a form was to be filled in, and whether it was; shape (n,)."""

    measure: Measure
    expected: Bools
    present: Bools

    @property
    def missing(self) -> Bools:
        """Forms that should be there and are not."""
        return self.expected & ~self.present


def filled_in(records: Records, measure: Measure) -> Filled:
    """Which forms of ``measure`` are there.

    A form is there if any of its answers is, or any score where the answers are not known. Session numbers at which
    fewer than 5 % of the clients have one (nobody, where fewer than 20 came) are taken as not planned, such as alliance at
    intake.
    """
    sessions = records.sessions
    forms = records.study.forms
    if forms is not None and measure.name in forms.answers:
        answered = ~np.isnan(forms.answers[measure.name]).all(axis=1)
        hits = np.bincount(forms.session[answered], minlength=records.n_of_study)
        present = hits[records.rows] > 0
    else:
        parts = (*measure.instrument.subscales, *measure.instrument.derived)
        own = [c for c in (measure.name, *(f"{measure.name}_{p}" for p in parts)) if c in sessions]
        present = sessions[own].notna().any(axis=1).to_numpy()
    at = pd.Series(present).groupby(sessions["session"].to_numpy())
    share, n = at.transform("mean").to_numpy(), at.transform("size").to_numpy()
    planned = np.where(n >= ENOUGH_CLIENTS, share >= PLANNED_SHARE, share > 0)
    return Filled(measure, planned | present, np.asarray(present, dtype=bool))
