"""Which case of the therapist each client is, who is followed long enough, and the rows of the models."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Number, at_intake, say
from alliance_longitudinal.analyses.kit.covariates import declared
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError

DAYS_OF_YEAR, DAYS_OF_WEEK = 365.25, 7.0
#: Cases of which a change is given.
TEN = 10
#: A column that differs by less than this says nothing.
CONSTANT = 1e-9


@dataclass(frozen=True, slots=True)
class Cases:
    """One row per client.

    Attributes
    ----------
    clients : DataFrame
        ``client, therapist, case`` (1 is the therapist's first in the data), ``years`` (since the therapist's first client; missing
        without dates), ``experience`` (of the therapist), ``alliance`` (mean early score), ``intake`` and ``end`` (of symptoms); missing
        where not known.
    dated : bool
        Whether the order is that of dates.
    horizon : float
        Weeks within which the end score was taken.
    """

    clients: pd.DataFrame
    dated: bool
    horizon: float

    def rows(self, outcome: str) -> pd.DataFrame:
        """Those with all that a model of ``outcome`` (``alliance``, ``end`` or ``intake``) needs."""
        needed = [outcome, "intake"] if outcome == "end" else [outcome]
        return self.clients.dropna(subset=[*needed, "case"]).reset_index(drop=True)


def number_cases(study: Study, column: str | None) -> pd.DataFrame | None:
    """``client, therapist, start, case, years`` of every client of the study; None if the order of cases is not known.

    Parameters
    ----------
    column : str or None
        Covariate of clients that holds the number of the case; None takes the order of first sessions.

    Raises
    ------
    StudyError
        If there is no such covariate of clients, or it is a category.
    """
    sessions = study.sessions
    if "therapist" not in sessions:
        return None
    people = sessions.dropna(subset=["therapist"]).drop_duplicates("client")[["client", "therapist"]]
    people = people.assign(start=pd.NaT, years=np.nan)
    dated = "date" in sessions and bool(sessions["date"].notna().any())
    if dated:
        people["start"] = people["client"].map(sessions.groupby("client")["date"].min())
        first = people.groupby("therapist")["start"].transform("min")
        people["years"] = (people["start"] - first).dt.total_seconds() / 86_400 / DAYS_OF_YEAR
    if column is not None:
        found = declared(study).get(column)
        if found is None or found.level != "client" or found.categories:
            known = [n for n, c in declared(study).items() if c.level == "client" and not c.categories]
            raise StudyError(
                f"Parameter 'case_number': {column!r} is not a covariate of clients that is a number. There are: "
                f"{', '.join(known) or 'none'}."
            )
        people["case"] = found.values(study).reindex(people["client"]).to_numpy(float)
        return people
    if not dated:
        return None
    people["case"] = people.groupby("therapist")["start"].rank(method="average")
    return people


def find_experience(study: Study, name: str | None) -> str | None:
    """The therapists' covariate that holds experience; None if there is none.

    Raises
    ------
    StudyError
        If ``name`` is not a covariate of therapists that is a number.
    """
    numbers = [n for n, c in declared(study).items() if c.level == "therapist" and not c.categories]
    if name is not None and name not in numbers:
        raise StudyError(
            f"Parameter 'experience': {name!r} is not a covariate of therapists that is a number. There are: "
            f"{', '.join(numbers) or 'none'}."
        )
    if name is not None:
        return name
    named = [n for n in numbers if "experience" in n.lower()]
    return named[0] if len(named) == 1 else None


def cases_of(
    draft: Draft,
    people: pd.DataFrame,
    a: Measure | None,
    y: Measure | None,
    window: tuple[int, int],
    horizon: float,
    experience: str | None,
) -> Cases:
    """The clients of the draft's sessions, with their scores."""
    sessions = draft.sessions
    here = people[people["client"].isin(set(sessions["client"]))].set_index("client")
    clients = here[["therapist", "case", "years"]].copy()
    clients["experience"] = np.nan
    if experience is not None:
        of = draft.study.therapists.set_index("therapist")[experience].astype(float)
        clients["experience"] = of.reindex(clients["therapist"]).to_numpy()
    for column in ("alliance", "intake", "end"):
        clients[column] = np.nan
    if a is not None:
        early = sessions[sessions["session"].between(*window)]
        clients["alliance"] = early.groupby("client")[a.name].mean()
    if y is not None:
        clients["intake"] = at_intake(sessions, y.name)
        clients["end"] = _last_within(sessions, y.name, horizon)
    dated = bool(people["start"].notna().any())
    return Cases(clients.rename_axis("client").reset_index(), dated, horizon)


def _last_within(sessions: pd.DataFrame, column: str, horizon: float) -> "pd.Series[float]":
    """The last score after the first session and up to the horizon, by client."""
    scored = sessions[sessions[column].notna() & sessions["session"].gt(1) & sessions["week"].le(horizon)]
    ordered = scored.sort_values(["client", "session"], kind="stable")
    found: pd.Series[float] = ordered.groupby("client")[column].last()
    return found.astype(float)


def usual_length(sessions: pd.DataFrame) -> float:
    """Median over clients of the weeks from the first to the last session, in whole weeks."""
    return float(np.round(sessions.groupby("client")["week"].max().median()))


def keep_followed(draft: Draft, people: pd.DataFrame, horizon: float) -> None:
    """Keep the clients whose case number is known and who began early enough to be followed up to the horizon."""
    known = people.dropna(subset=["case"])
    numbered = draft.sessions["client"].isin(set(known["client"]))
    if not numbered.all():
        draft.keep(numbered, "Clients whose case number is known", "the case number is not known")
    if not people["start"].notna().any():
        draft.find(
            "follow_up_not_known",
            "caution",
            "Without dates the report cannot leave out clients who began shortly before the end of the data. If there are such clients, "
            "the last cases of each therapist look worse than they are.",
            "dates",
        )
        return
    last = draft.study.sessions["date"].max()
    latest = last - pd.Timedelta(days=DAYS_OF_WEEK * horizon)
    followed = known.loc[known["start"].le(latest) | known["start"].isna(), "client"]
    draft.keep(
        draft.sessions["client"].isin(set(followed)),
        "Clients who began early enough",
        say(
            "began less than {n:noun} before the end of the data, so the end of treatment may not be in them",
            n=Number(horizon, "integer", "week"),
        ),
    )


def with_time(rows: pd.DataFrame, column: str, unit: float) -> pd.DataFrame:
    """The rows with ``time`` (less the therapist's mean) and ``time_between`` (that mean less that of all), in ``unit``."""
    values = rows[column] / unit
    means = values.groupby(rows["therapist"]).transform("mean")
    out = rows.assign(time=values - means, time_between=means - values.mean())
    if "intake" in rows:
        out["intake_c"] = rows["intake"] - rows["intake"].mean()
    return out


def steps_of(case: "pd.Series[float]", smallest: int) -> "pd.Series[str]":
    """Steps of ten cases, such as ``"11 to 20"``; a step of fewer clients than ``smallest`` goes with the one before it."""
    step = np.ceil(case / TEN).clip(lower=1).astype(int)
    size = step.value_counts().sort_index()
    starts: list[int] = []
    for k, n in size.items():
        if not starts or n >= smallest:
            starts.append(int(k))
    last = int(np.ceil(case.max()))
    ends = [(k - 1) * TEN for k in starts[1:]] + [max(last, (starts[-1] - 1) * TEN + 1)]
    names = [f"{(k - 1) * TEN + 1} to {end}" for k, end in zip(starts, ends, strict=True)]
    place = np.searchsorted(starts, step.to_numpy(), side="right") - 1
    return pd.Series(pd.Categorical.from_codes(place, names, ordered=True), index=case.index)
