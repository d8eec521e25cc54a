"""Whose ratings are compared, whether they share a scale, and the rows of the models."""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, choose_measure
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow

#: Clients of whom both rated two sessions or more, from which there is a part within clients.
MIN_SEVERAL = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Two raters of the alliance; ``apart`` says why their numbers do not mean the same (empty where they do)."""

    first: Measure
    second: Measure
    apart: str

    @property
    def unit(self) -> str:
        """The unit of their difference."""
        return f"{self.first.instrument.label} points"


@dataclass(frozen=True, slots=True)
class Rated:
    """Sessions that both rated.

    Attributes
    ----------
    rows : DataFrame
        ``client, therapist, session``; ``c`` and ``t``, the ratings; ``y``, the second less the mean of the first; ``apart``, the second
        less the first; ``within`` and ``between``, the first rating's parts around that mean; ``time``, the session less the mean.
    several : bool
        Whether clients have several such sessions.
    """

    rows: pd.DataFrame
    several: bool

    @property
    def clients(self) -> int:
        """Clients in the rows."""
        return int(self.rows["client"].nunique())


def choose_pair(draft: Draft, alliance: str | None, raters: tuple[str, ...] | None, items: str) -> Pair:
    """The two measures that were asked for, noted in the header and the parameters.

    Raises
    ------
    StudyError
        If a name is not one of the study's, or both are by the same rater.
    """
    study = draft.study
    first, second = _asked(study, alliance, raters)
    if second is None:
        others = [m for m in _of_alliance(study) if m.rater != first.rater]
        alike = sorted(others, key=lambda m: (m.rater != "therapist", m.instrument.id != first.instrument.id))
        if not alike:
            raise draft.too_little(
                "Only one rater ({rater}) rated the alliance in this study, and the comparison needs a second one, such as the "
                "therapist. Name the second rater's measure in the study file.",
                "one_rater",
                rater=first.rater,
            )
        second = alike[0]
    draft.measure("alliance", first.name)
    draft.measure("alliance", second.name, "raters", "Compared with")
    draft.resolved["raters"] = [first.name, second.name]
    return Pair(first, second, _apart(first, second, items))


def _of_alliance(study: Study) -> list[Measure]:
    return [m for m in study.measures.values() if m.construct == "alliance"]


def _asked(
    study: Study, alliance: str | None, raters: tuple[str, ...] | None
) -> tuple[Measure, Measure | None]:
    """The first measure, and the second where it was asked for."""
    named = [_named(study, name) for name in raters or ()]
    if len(named) > 2:
        raise StudyError(f"Parameter 'raters': give two raters, not {len(named)}.")
    if len(named) == 2:
        if alliance not in (None, named[0].name):
            raise StudyError(
                f"Parameter 'raters' begins with {named[0].name!r}, but 'alliance' is {alliance!r}. Leave 'alliance' out."
            )
        first: Measure = named[0]
    else:
        known = _of_alliance(study)
        default = next((m.name for m in known if m.rater == "client"), None)
        taken = {m.name for m in named}
        first = choose_measure(study, "alliance", alliance or (default if default not in taken else None))
    second = named[-1] if named else None
    if second is not None and second.rater == first.rater:
        raise StudyError(
            f"Parameter 'raters': {first.name} and {second.name} are both by the {first.rater}. Compare two different raters. For the "
            "agreement of several observers see al.measurement."
        )
    return first, second


def _named(study: Study, name: str) -> Measure:
    """The alliance measure of this name, or the first by this rater."""
    known = _of_alliance(study)
    found = next((m for m in known if name == m.name), None) or next(
        (m for m in known if name == m.rater), None
    )
    if found is None:
        there = ", ".join(f"{m.name} ({m.rater})" for m in known) or "none"
        raise StudyError(
            f"Parameter 'raters': the study has no alliance measure or rater {name!r}. It has: {there}."
        )
    return found


def _apart(first: Measure, second: Measure, items: str) -> str:
    """Why equal numbers of two forms do not mean the same; empty where they do.

    Raises
    ------
    StudyError
        If it was stated that the forms have the same items, and they cannot.
    """
    one, other = first.instrument, second.instrument
    if one.id == other.id and one.label == other.label:
        return ""
    if items == "matched":
        return f"{first.label} and {second.label} are different forms, so equal numbers may not mean the same"
    for what in ("n_items", "response_min", "response_max"):
        a, b = getattr(one, what), getattr(other, what)
        if a != b:
            words = {
                "n_items": "number of items",
                "response_min": "lowest answer",
                "response_max": "highest answer",
            }
            raise StudyError(
                f"Parameter 'items': {first.label} and {second.label} cannot have the same items, because the {words[what]} is {a:g} "
                f"in one and {b if b is None else format(b, 'g')} in the other."
                if a is not None
                else f"Parameter 'items': the {words[what]} of {first.label} is not known, so it cannot be compared."
            )
    return ""


def rated_by_both(draft: Draft, pair: Pair) -> Rated:
    """Keep the sessions that both rated, and split the first rating into its parts."""
    c, t = pair.first.name, pair.second.name
    rows = draft.sessions[["client", "therapist", "session", c, t]]
    rows = rows.rename(columns={c: "c", t: "t"}).dropna(subset=["c", "t"]).reset_index(drop=True)
    return parts_of(rows)


def parts_of(rows: pd.DataFrame) -> Rated:
    """The rows with the parts of the first rating."""
    center = rows["c"].mean()
    mean = rows.groupby("client")["c"].transform("mean")
    made = rows.assign(
        y=rows["t"] - center,
        apart=rows["t"] - rows["c"],
        within=rows["c"] - mean,
        between=mean - center,
        time=rows["session"] - rows["session"].mean(),
    )
    several = int((made.groupby("client").size() >= 2).sum()) >= MIN_SEVERAL
    varies = several and bool(made["within"].abs().max() > 1e-9)
    return Rated(made, varies)


def client_means(
    sessions: pd.DataFrame, window: TimeWindow, alliances: list[Measure], outcomes: list[Measure]
) -> pd.DataFrame:
    """One row per client: means of the ratings within the window, and outcome before and after its end.

    Columns ``client, therapist, a_<k>`` (mean rating), ``start_<k>`` (last score up to the end of the window), ``end_<k>`` (last score after
    it); missing where there is none.
    """
    ordered = sessions.sort_values(["client", "session"], kind="stable")
    by_client = ordered.groupby("client", sort=True)
    out = {"therapist": by_client["therapist"].first()}
    early = ordered[ordered["session"].between(window.first, window.last)]
    for k, measure in enumerate(alliances):
        out[f"a_{k}"] = early.groupby("client")[measure.name].mean()
    before, after = (
        ordered[ordered["session"] <= window.last],
        ordered[ordered["session"] > window.last],
    )
    for k, measure in enumerate(outcomes):
        out[f"start_{k}"] = before.groupby("client")[measure.name].last()
        out[f"end_{k}"] = after.groupby("client")[measure.name].last()
    return pd.DataFrame(out).rename_axis("client").reset_index()


def outcomes_of(study: Study, main: Measure) -> list[Measure]:
    """The main outcome, and the first one by another rater if there is one."""
    others = [m for m in study.measures.values() if m.construct == "symptoms" and m.rater != main.rater]
    return [main, *others[:1]]
