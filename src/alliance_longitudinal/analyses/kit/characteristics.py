"""Table 1 of a report: the clients, therapists, sessions and scores that were analysed (STROBE, items 13 and 14)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.covariates import Covariate, Level, declared
from alliance_longitudinal.analyses.kit.groups import Groups
from alliance_longitudinal.counts import Count, Number, Private, Share
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.present import Column, Table
from alliance_longitudinal.sentences import Sentence, say

_NOTHING = Sentence("\u2013")
#: How treatment ended, as ``study.clients`` names it.
_ENDINGS = {"planned": "ended as planned", "dropout": "ended by dropout", "other": "ended in another way"}


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one column of the table: one row per client, per session, and per therapist."""

    clients: pd.DataFrame
    sessions: pd.DataFrame
    therapists: pd.DataFrame

    def of(self, level: Level) -> pd.DataFrame:
        """The rows of a level."""
        return {"client": self.clients, "therapist": self.therapists, "session": self.sessions}[level]


#: A line of the table: its words, its cell in one column, and whose value is not known.
Line = tuple[str, Callable[[Part], str], Callable[[Part], str]]

_NUMBERS = "Numbers: mean (SD), or median (quartiles) if the row says so. Categories: number and share of those with a known value. "
_SMALL = "Very small groups have no column."
NOTE = f"{_NUMBERS}Therapists are shown only as a distribution. {_SMALL}"


def sample_table(
    study: Study,
    sessions: pd.DataFrame,
    measures: Sequence[Measure],
    groups: Groups | None,
    *,
    therapists_known: bool,
    further: pd.DataFrame | None = None,
) -> Table | None:
    """Who was analysed, in all and by group; None without clients.

    Parameters
    ----------
    study : Study
    sessions : DataFrame
        The sessions of the analysed clients.
    measures : sequence of Measure
        Those in use.
    groups : Groups or None
        Groups that the analysis compares; without them, the study's arms.
    therapists_known : bool
        Whether ``sessions["therapist"]`` names therapists.
    further : DataFrame, optional
        Sessions of clients whom only the comparison of groups has: they are in the columns of their groups.
    """
    if sessions.empty:
        return None
    groups = groups or _arms(study, sessions)
    whole = _part(study, sessions, therapists_known)
    parts = {"": whole}
    if groups is not None:
        every = sessions if further is None else pd.concat([sessions, further])
        split = [(name, rows) for name, rows in groups.split(every) if len(rows)]
        parts |= {name: _part(study, rows, therapists_known) for name, rows in split}
    used = None if groups is None else groups.name
    rows = []
    for words, cell, unknown in _lines(study, measures, whole, used):
        cells = {f"group_{k}": cell(part) for k, part in enumerate(parts.values())}
        rows.append({"what": words, **cells, "unknown": unknown(whole)})
    heads = ["All" if not name else f"{used} {name}" for name in parts]
    columns = [
        Column("what", "Characteristic"),
        *(Column(f"group_{k}", head) for k, head in enumerate(heads)),
        Column("unknown", "Missing"),
    ]
    note = NOTE if therapists_known else _NUMBERS + _SMALL
    if further is not None:
        note += " All: the clients of the main results, without groups in which no client has a therapist."
    return Table.from_rows("sample", "Characteristics of the sample", "sample", rows, columns, note)


def _arms(study: Study, sessions: pd.DataFrame) -> Groups | None:
    arm = declared(study).get("arm")
    if arm is None:
        return None
    of = arm.values(study)
    people = of.reindex(sessions["client"].unique()).value_counts()
    names = tuple(c for c in arm.categories if people.get(c, 0) >= study.small_cells)
    return Groups("arm", names, of) if len(names) > 1 else None


def _part(study: Study, sessions: pd.DataFrame, therapists_known: bool) -> Part:
    clients = study.clients
    clients = clients[clients["client"].isin(sessions["client"].unique())]
    therapists = study.therapists
    known = sessions["therapist"] if therapists_known and "therapist" in sessions else []
    return Part(clients, sessions, therapists[therapists["therapist"].isin(known)])


def _lines(study: Study, measures: Sequence[Measure], whole: Part, used: str | None) -> Iterator[Line]:
    every = [c for c in declared(study).values() if c.name != used]
    # Severity at the start is that of all of a client's sessions, also where the analysis leaves the intake out.
    scored = [m.name for m in measures if m.name in whole.sessions]
    firsts = study.sessions.groupby("client")[scored].first() if scored else pd.DataFrame()
    yield "Clients", lambda p: _count(len(p.clients), "client"), _nobody
    for found in every:
        if found.level == "client":
            yield from _of_covariate(found, whole)
    for measure in measures:
        if measure.name in whole.sessions:
            yield _first_score(measure, firsts)
    if "ending" in whole.clients:
        ending = Covariate(
            "ending", "client", tuple(k for k in _ENDINGS if k in set(whole.clients["ending"]))
        )
        yield from _of_covariate(ending, whole, [_ENDINGS[k] for k in ending.categories])
    if len(whole.therapists):
        yield "Therapists", lambda p: say("{n}", n=Number(len(p.therapists), "integer")), _nobody
        for found in every:
            if found.level == "therapist":
                yield from _of_covariate(found, whole)
        yield "Analysed clients per therapist, median (quartiles)", _caseload, _nobody
        if study.caseload is not None or "caseload" in whole.therapists:
            yield _seen(study, whole)
    yield "Sessions", lambda p: _count(len(p.sessions), "session"), _nobody
    yield "Sessions per client, median (quartiles)", _sessions_per_client, _nobody
    if _time_passes(whole.sessions):
        yield "Weeks from first to last session, median (quartiles)", _weeks, _nobody
    for found in every:
        if found.level == "session":
            yield from _of_covariate(found, whole)
    for measure in measures:
        if measure.name in whole.sessions:
            yield _scores(measure)


def _of_covariate(found: Covariate, whole: Part, labels: Sequence[str] = ()) -> Iterator[Line]:
    rows = whole.of(found.level)
    unit = "therapist" if found.level == "therapist" else "client"

    def unknown(part: Part) -> str:
        return _count(int(part.of(found.level)[found.name].isna().sum()), found.level)

    if not found.categories:
        yield (
            say("{name}, mean (SD)", name=found.name),
            lambda p: _mean(p.of(found.level)[found.name]),
            unknown,
        )
    for k, category in enumerate(found.categories):
        n = int(rows.loc[rows[found.name].eq(category), unit].nunique())
        name = Private(category, "another category", n)
        words = labels[k] if labels else say("{covariate}: {name}", covariate=found.name, name=name)

        def cell(part: Part, category: str = category) -> str:
            known = part.of(found.level)[found.name].dropna()
            return _share(int(known.eq(category).sum()), len(known), found.level)

        yield words, cell, unknown if k == 0 else lambda _: Sentence("")


def _first_score(measure: Measure, firsts: pd.DataFrame) -> Line:
    def first(part: Part) -> "pd.Series[float]":
        return firsts[measure.name].reindex(part.clients["client"])

    return (
        say("{label}, first score, mean (SD)", label=measure.label),
        lambda p: _mean(first(p)),
        lambda p: _count(int(first(p).isna().sum()), "client"),
    )


def _scores(measure: Measure) -> Line:
    return (
        say("Scores of {label}", label=measure.label),
        lambda p: _count(int(p.sessions[measure.name].notna().sum()), "score"),
        lambda p: _count(int(p.sessions[measure.name].isna().sum()), "session"),
    )


def _sessions_per_client(part: Part) -> str:
    return _quartiles(part.sessions.groupby("client").size())


def _weeks(part: Part) -> str:
    by_client = part.sessions.groupby("client")["week"]
    return _quartiles((by_client.max() - by_client.min()).dropna())


def _time_passes(sessions: pd.DataFrame) -> bool:
    """Whether ``week`` is a time and not the session's number."""
    week = sessions["week"]
    return bool(week.max() > week.min() and not week.eq(sessions["session"]).all())


def _caseload(part: Part) -> str:
    """How many analysed clients therapists have: for outsiders in rounded numbers."""
    own = part.clients["therapist"].dropna()
    own = own[own.isin(part.therapists["therapist"])]
    if own.empty:
        return _NOTHING
    low, middle, high = own.value_counts().quantile([0.25, 0.5, 0.75])
    counts = {k: Count(round(v), "client") for k, v in (("low", low), ("middle", middle), ("high", high))}
    return say("{middle} ({low} to {high})", **counts)


def caseload_findings(study: Study, sessions: pd.DataFrame) -> list[Finding]:
    """Therapists of whom more clients are analysed than they are said to see."""
    therapists = study.therapists
    if "therapist" not in sessions or (study.caseload is None and "caseload" not in therapists):
        return []
    own = sessions.drop_duplicates("client")["therapist"].value_counts()
    load = therapists.set_index("therapist")["caseload"] if "caseload" in therapists else study.caseload
    more = int((own > (load.reindex(own.index) if isinstance(load, pd.Series) else load)).sum())
    if not more:
        return []
    message = say(
        "{n:noun} {n:has|have} more clients in the analysis than the caseload in the study file. "
        "Correct 'caseload'; it has to cover the whole study period.",
        n=Number(more, "integer", "therapist"),
    )
    return [Finding("caseload_exceeded", "caution", message, "therapists")]


def _seen(study: Study, whole: Part) -> Line:
    """The caseload is the therapist's in all groups together, so that groups have no share of their own."""

    def cell(part: Part) -> str:
        own = part.clients["therapist"].value_counts()
        people = part.therapists.set_index("therapist")
        load = people["caseload"] if "caseload" in people else pd.Series(study.caseload, index=people.index)
        shares = (own.reindex(load.index) / load.astype(float)).dropna()
        return _quartiles(shares, "percent") if part is whole else Sentence("")

    def unknown(part: Part) -> str:
        missing = int(part.therapists["caseload"].isna().sum()) if "caseload" in part.therapists else 0
        return _count(missing, "therapist")

    return "Share of a therapist's caseload that is analysed, median (quartiles)", cell, unknown


def _count(n: int, noun: str) -> Sentence:
    return say("{n}", n=Count(n, noun))


def _nobody(_: Part) -> str:
    return Sentence("")


def _share(part: int, whole: int, noun: str) -> Sentence:
    if not whole:
        return _NOTHING
    return say("{n} ({share})", n=Count(part, noun), share=Share(part, whole))


def _mean(values: pd.Series) -> Sentence:
    known = values.dropna().astype(float)
    if known.empty:
        return _NOTHING
    mean = Number(float(known.mean()), n=len(known))
    if len(known) < 2:
        return say("{mean}", mean=mean)
    return say("{mean} ({sd})", mean=mean, sd=Number(float(known.std()), n=len(known)))


def _quartiles(values: pd.Series, kind: str = "number") -> Sentence:
    if values.empty:
        return _NOTHING
    low, middle, high = (float(v) for v in np.quantile(values.to_numpy(float), [0.25, 0.5, 0.75]))
    if kind == "number" and all(v.is_integer() for v in (low, middle, high)):
        kind = "integer"
    n = len(values)
    shown = {k: Number(v, kind, n=n) for k, v in (("low", low), ("middle", middle), ("high", high))}
    return say("{middle} ({low} to {high})", **shown)
