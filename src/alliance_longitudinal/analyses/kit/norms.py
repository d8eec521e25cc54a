"""The instrument's facts about change, each with where it is from: given by the user, the registry, or this sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import listing
from alliance_longitudinal.measures.instrument import TOTAL, Cutoff, Instrument, ReliableChange
from alliance_longitudinal.methods.psychometrics.change.classify import Norms
from alliance_longitudinal.methods.psychometrics.change.cutoffs import Cut, Functional
from alliance_longitudinal.sentences import say

YOURS, SAMPLE = "given for this analysis", "this sample"


@dataclass(frozen=True, slots=True)
class Given:
    """What the user gave; None = not given."""

    reliability: float | None = None
    reliability_post: float | None = None
    sd: float | None = None
    points: float | None = None
    cutoff: Literal["a", "b", "c"] | float | None = None
    m_functional: float | None = None
    sd_functional: float | None = None
    z: float | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One number and its provenance."""

    what: str
    value: float | None
    source: str


@dataclass(frozen=True, slots=True)
class KnownNorms:
    """Norms that a method can use, and the facts behind them for the reader."""

    norms: Norms
    facts: tuple[Fact, ...]
    from_memory: tuple[str, ...]


def unchecked_findings(label: str, facts: Sequence[str]) -> list[Finding]:
    """Facts about an instrument that were not compared with a source."""
    if not facts:
        return []
    message = say(
        "These facts about {label} have no source yet: {facts}. Compare them with the manual before you rely on the counts.",
        label=label,
        facts=listing(list(facts)),
    )
    return [Finding("change_norms_unchecked", "caution", message, label)]


def sd_before(sessions: pd.DataFrame, measure: Measure) -> float:
    """SD of the score before treatment in this sample: each client's first, of the clients who have a later one, too.

    One rule for every analysis that computes points of reliable change, so that one study has one SD.

    Parameters
    ----------
    sessions : DataFrame
        ``client, session`` and the measure's column, in order of client and session, with the intake.
    """
    rated = sessions[sessions[measure.name].notna()]
    two = rated.groupby("client")["session"].transform("nunique") >= 2
    return float(rated[two].groupby("client")[measure.name].first().std())


def direction_of(measure: Measure) -> int:
    """1 if higher scores are better, -1 if lower.

    Raises
    ------
    StudyError
        If the instrument does not say.
    """
    known = {"higher_better": 1, "higher_worse": -1}
    if measure.instrument.direction not in known:
        raise StudyError(
            f"The package does not know whether a higher total of {measure.instrument.label} is "
            "better or worse, so it cannot tell improvement from deterioration. Add an instrument "
            "file with 'direction'."
        )
    return known[measure.instrument.direction]


def known_norms(measure: Measure, given: Given) -> KnownNorms:
    """What is known about change on ``measure``; what the user gave goes before the registry."""
    instrument = measure.instrument
    change, cut = _published_change(instrument), _published_cutoff(instrument)
    direction = direction_of(measure)
    facts: list[Fact] = []
    memory: list[str] = []

    def pick(what: str, own: float | None, published: float | None, source: str, fact: str) -> float | None:
        value = own if own is not None else published
        if value is not None:
            facts.append(Fact(what, value, YOURS if own is not None else source))
            if own is None and "memory" in instrument.evidence.get(fact, ()):
                memory.append(what.lower())
        return value

    basis = _basis(change) if change else ""
    change_fact = f"reliable change ({TOTAL})"
    points = pick(
        "Points of reliable change", given.points, change.points if change else None, basis, change_fact
    )
    reliability = pick("Reliability", given.reliability, *_published_reliability(instrument, change))
    sd = pick("SD before treatment", given.sd, change.sd if change else None, basis, change_fact)
    if sd is None and reliability is not None:
        facts.append(Fact("SD before treatment", None, SAMPLE))
    z = pick("Critical value z", given.z, change.z if change else None, basis, change_fact)
    post = pick("Reliability after treatment", given.reliability_post, None, "", "")
    return KnownNorms(
        norms=Norms(
            direction=direction,
            reliability=reliability,
            reliability_post=post,
            sd=sd,
            functional=_functional(given, facts),
            points=points,
            points_inclusive=given.points is not None or change is None or change.operator != ">",
            cut=_cut(given, cut, direction, instrument, facts, memory),
            z=z,
        ),
        facts=tuple(facts),
        from_memory=tuple(dict.fromkeys(memory)),
    )


def _published_change(instrument: Instrument) -> ReliableChange | None:
    """Reliable change of the total if the registry knows exactly one; between several the user has to choose."""
    return instrument.reliable_change


def _published_cutoff(instrument: Instrument) -> Cutoff | None:
    known = [c for c in instrument.cutoffs if c.scale == TOTAL and c.metric == "points"]
    return known[0] if len(known) == 1 else None


def _published_reliability(
    instrument: Instrument, change: ReliableChange | None
) -> tuple[float | None, str, str]:
    if change is not None and change.reliability is not None:
        return change.reliability, _basis(change), f"reliable change ({TOTAL})"
    known = [r for r in instrument.reliabilities if r.scale == TOTAL and r.low == r.high]
    if len(known) != 1:
        return None, "", ""
    return known[0].low, f"instrument file: {known[0].kind}, {known[0].sample}", f"reliability ({TOTAL})"


def _basis(change: ReliableChange) -> str:
    parts = [
        change.basis,
        f"SD {change.sd:g}" if change.sd else "",
        f"{change.reliability_kind or 'reliability'} {change.reliability:g}" if change.reliability else "",
        f"z {change.z:g}" if change.z else "",
        f"population: {change.population}" if change.population else "population not stated",
        "" if change.operator else "a change of exactly this size counts (the source does not say)",
    ]
    return "instrument file: " + "; ".join(p for p in parts if p)


def _functional(given: Given, facts: list[Fact]) -> Functional | None:
    if given.m_functional is None or given.sd_functional is None:
        return None
    facts.append(Fact("Mean of people without the disorder", given.m_functional, YOURS))
    facts.append(Fact("SD of people without the disorder", given.sd_functional, YOURS))
    return Functional(given.m_functional, given.sd_functional)


def _cut(
    given: Given,
    published: Cutoff | None,
    direction: int,
    instrument: Instrument,
    facts: list[Fact],
    memory: list[str],
) -> Cut | Literal["a", "b", "c"] | None:
    if given.cutoff == "a" or given.cutoff == "b" or given.cutoff == "c":
        return given.cutoff
    if given.cutoff is not None:
        facts.append(Fact("Cut-off", given.cutoff, YOURS))
        return Cut(float(given.cutoff), "given", direction, ">=" if direction < 0 else "<")
    if published is None:
        return None
    operator = _clinical_operator(published, direction)
    unsure = "" if published.operator else "; the source does not say whether the value itself counts"
    facts.append(Fact("Cut-off", published.value, f"instrument file: {published.name}{unsure}"))
    if "memory" in instrument.evidence.get(f"cut-off ({TOTAL}, {published.name})", ()):
        memory.append("cut-off")
    return Cut(published.value, "published", direction, operator)


def _clinical_operator(published: Cutoff, direction: int) -> str:
    """Which scores are clinical: the registry's operator may name the clinical or the functional side."""
    if published.operator is None:
        return ">=" if direction < 0 else "<"
    names_clinical = (published.operator in (">=", ">")) == (direction < 0)
    opposite = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
    return published.operator if names_clinical else opposite[published.operator]
