"""What is asked: measures, early window, clients and their later scores, moderators by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, together
from alliance_longitudinal.analyses.kit.covariates import Covariate, declared, unknown_covariate
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import Landmark, TimeWindow, landmark

#: Fewest clients for the analysis and for each moderator: a model with products has up to twelve coefficients of the rate of change.
MIN_CLIENTS = 40
#: Fewest clients with two later scores for a model of the course.
MIN_COURSE = 20
INTAKE = "intake"
Kind = Literal["slope", "end"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is related to what: measures, early window, unit of time."""

    alliance: Measure
    outcome: Measure
    window: TimeWindow
    time: str

    @property
    def good_sign(self) -> int:
        """+1 if a positive coefficient means that a better alliance comes with a better outcome, else -1."""
        better = [m.instrument.direction == "higher_better" for m in (self.alliance, self.outcome)]
        return 1 if better[0] == better[1] else -1

    @property
    def rate(self) -> str:
        """The unit of a change in one unit of time."""
        return f"{self.outcome.instrument.label} points per {self.time}"


@dataclass(frozen=True, slots=True)
class Moderator:
    """What the effect of the alliance may depend on.

    Attributes
    ----------
    name, label : str
        As it is asked for, and as the report calls it.
    level : {"client", "therapist"}
        Of which it is known.
    values : Series
        By client; missing where not known.
    categories : tuple of str
        Empty for a number; the first is the reference.
    """

    name: str
    label: str
    level: str
    values: "pd.Series[float] | pd.Series[str]"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Clients in treatment at the end of the window and their later scores, before moderators are looked at."""

    asked: Asked
    clients: pd.DataFrame
    rows: pd.DataFrame
    adjust: tuple[str, ...]

    @property
    def course(self) -> bool:
        """Whether enough clients have two or more later scores for a model of the course."""
        return int((self.clients["n_after"] >= 2).sum()) >= MIN_COURSE

    @property
    def weeks(self) -> float:
        """Whole units of time that half of the clients were followed, at least one."""
        return float(max(self.clients["weeks_followed"].median() // 1, 1))


def sample_of(draft: Draft, asked: Asked, *, min_rated: int, adjust_early_change: bool) -> Sample:
    """Clients and their later scores; the draft's sample flow counts who is lost."""
    found = _landmark(draft, asked, min_rated, adjust_early_change)
    if adjust_early_change and len(found.clients) < MIN_CLIENTS:
        without = _landmark(draft, asked, min_rated, False)
        if len(without.clients) >= MIN_CLIENTS:
            found, adjust_early_change = without, False
            draft.resolved["adjust_early_change"] = False
    draft.flow = found.flow
    draft.analysed = found.clients["client"]
    adjust = (INTAKE, "change") if adjust_early_change else (INTAKE,)
    return Sample(asked, together(found.clients), found.followup, adjust)


def _landmark(draft: Draft, asked: Asked, min_rated: int, need_change: bool) -> Landmark:
    return landmark(
        draft.sessions,
        draft.flow,
        alliance=asked.alliance.name,
        outcome=asked.outcome.name,
        window=asked.window,
        min_rated=min_rated,
        need_change=need_change,
    )


def choose(study: Study, names: Sequence[str] | None, planned: str | None) -> list[str]:
    """Names of the moderators in the order of the report, the planned one first.

    Raises
    ------
    StudyError
        If the study has no such covariate of clients or therapists.
    """
    known = {n: c for n, c in declared(study).items() if c.level != "session"}
    offered = [*known, *[INTAKE] * (INTAKE not in known)]
    first = [] if planned is None else [planned]
    wanted = list(dict.fromkeys([*first, *(names or ())]))
    for name in wanted:
        if name in declared(study) and name not in known:
            raise StudyError(
                f"Parameter 'moderators': {name} is a covariate of sessions. A moderator of the early alliance is a characteristic "
                f"of the client or the therapist: {', '.join(offered)}."
            )
        if name not in offered:
            asked_for = "planned" if name == planned else "moderators"
            raise StudyError(f"Parameter {asked_for!r}: {unknown_covariate(name, offered, 'moderator')}")
    if names is None:
        wanted += [name for name in offered if name not in wanted]
    return wanted


def moderator_of(study: Study, sample: Sample, name: str) -> Moderator:
    """The moderator called ``name``: a covariate that the study declares, or the severity at intake."""
    covariate = declared(study).get(name)
    if covariate is None:
        label = f"{sample.asked.outcome.instrument.label} at intake"
        return Moderator(name, label, "client", sample.clients.set_index("client")["intake"])
    values = _by_client(study, covariate, sample.clients)
    numbers = values.dropna()
    if not covariate.categories and numbers.nunique() == 2:
        words = {v: f"{v:g}" for v in sorted(numbers.unique())}
        values, categories = values.map(words), tuple(words.values())
    else:
        categories = covariate.categories
    return Moderator(name, name, covariate.level, values, categories)


def _by_client(
    study: Study, covariate: Covariate, clients: pd.DataFrame
) -> "pd.Series[float] | pd.Series[str]":
    values = covariate.values(study)
    key = "therapist" if covariate.level == "therapist" else "client"
    return pd.Series(
        values.reindex(clients[key]).to_numpy(), index=pd.Index(clients["client"]), dtype=values.dtype
    )
