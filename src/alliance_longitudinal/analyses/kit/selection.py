"""Chooses the measures and the clinic that the parameters ask for, or says what there is."""

import difflib

import pandas as pd

from alliance_longitudinal.counts import Count
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.sentences import Sentence, say


def choose_measure(study: Study, construct: str, name: str | None) -> Measure:
    """The measure called ``name``, or the study's first of ``construct``.

    Raises
    ------
    StudyError
        If the study has none, or none of that name.
    """
    known = [m.name for m in study.measures.values() if m.construct == construct]
    if name is not None and name in study.measures and name not in known:
        own = study.measures[name].construct.replace("_", " ")
        there = (
            f"The study's measures of {construct}: {', '.join(known)}."
            if known
            else f"The study has none of {construct}."
        )
        raise StudyError(
            f"Measure {name!r} of the study measures {own}, but here a measure of {construct} is needed. {there}"
        )
    if not known:
        raise StudyError(f"The study has no {construct} measure. Add one under 'measures' in the study file.")
    if name is None:
        return study.measures[known[0]]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise StudyError(f"The study has no {construct} measure {name!r}.{hint} It has: {', '.join(known)}.")
    return study.measures[name]


def choose_clinic(study: Study, clinic: str | None) -> tuple[pd.DataFrame, SampleFlow]:
    """The sessions of ``clinic`` (all if None), and the flow that led to them.

    Raises
    ------
    StudyError
        If the study names no clinics, or not this one.
    """
    sessions = study.sessions
    if clinic is None:
        return sessions, study.flow
    if "clinic" not in sessions:
        raise StudyError(
            f"You asked for the clinic {clinic!r}, but the study file names no column 'clinic'. Name "
            "it, or leave the clinic out."
        )
    known = sorted(sessions["clinic"].dropna().unique())
    if clinic not in known:
        near = difflib.get_close_matches(clinic, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise StudyError(f"There is no clinic {clinic!r} in the data.{hint} There are: {', '.join(known)}.")
    return study.flow.filter(sessions, sessions["clinic"].eq(clinic), f"Clinic {clinic}", "other clinics")


def time_unit(study: Study) -> str:
    """What one unit of the time column is: ``session`` where the study has neither dates nor weeks, else ``week``."""
    return "session" if any(f.code == "time_is_session_number" for f in study.findings) else "week"


def greatest_loss(flow: SampleFlow | None) -> Sentence:
    """At which step of the flow most clients were lost; empty if none were."""
    step = max(flow.steps, key=lambda s: s.clients_lost, default=None) if flow else None
    if step is None or not step.clients_lost:
        return Sentence("")
    return say(
        " Most clients were left out at the step '{step}' ({n:noun}: {reason}).",
        step=step.step,
        n=Count(step.clients_lost, "client"),
        reason=step.reason,
    )


def at_intake(sessions: pd.DataFrame, measure: str) -> "pd.Series[float]":
    """Score by client at the earliest session up to the first; missing where there is no score by then."""
    scored = sessions[sessions["session"].le(1) & sessions[measure].notna()]
    found: pd.Series[float] = (
        scored.sort_values(["client", "session"], kind="stable").groupby("client")[measure].first()
    )
    return found.astype(float)
