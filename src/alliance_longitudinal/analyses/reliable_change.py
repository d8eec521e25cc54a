"""Reliable and clinically significant change of each client, by seven methods and published points."""

from typing import Literal

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.change_parts import words
from alliance_longitudinal.analyses.change_parts.charts import bars_figure, map_figure
from alliance_longitudinal.analyses.change_parts.compute import AllMethods, all_methods, published, told_apart
from alliance_longitudinal.analyses.change_parts.notes import change_findings
from alliance_longitudinal.analyses.change_parts.scores import ClientScores, client_scores
from alliance_longitudinal.analyses.change_parts.shares import (
    category_shares,
    joint_shares,
    therapist_shares,
)
from alliance_longitudinal.analyses.change_parts.tables import change_tables
from alliance_longitudinal.analyses.kit.former import Analysis, protected
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.selection import choose_clinic, choose_measure, require_clients
from alliance_longitudinal.analyses.result import AnalysisResult, Estimate, estimate_frame
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.psychometrics.change.joint import joint_recovery

TITLE = "Reliable and clinically significant change"
QUESTION = (
    "How many clients changed by more than measurement error, and how many returned to the functional range?"
)
MIN_CLIENTS = 10
Method = Literal["points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM"]


class ReliableChangeParams(Params):
    """Parameters of the reliable-change analysis.

    Attributes
    ----------
    outcome : str or None
        Symptom measure; None takes the study's first.
    method : str or None
        The method that the answer speaks of; all others are shown beside it. None takes JT where a reliability is
        known, else the published points.
    first, last : int or None
        Sessions before and after; None takes each client's first and last score.
    reliability, reliability_post, sd, points : float or None
        In place of the registry's facts; ``reliability_post`` for method NK.
    cutoff : float, "a", "b", "c" or None
        None takes the registry's, if it knows exactly one.
    m_functional, sd_functional : float or None
        People without the disorder, for cut-offs b and c.
    joint : str or None
        A second symptom measure for joint recovery over both.
    clinic : str or None
        Analyse this clinic only.
    """

    outcome: str | None = None
    method: Method | None = None
    first: int | None = Field(default=None, ge=0)
    last: int | None = Field(default=None, ge=0)
    reliability: float | None = Field(default=None, ge=0, lt=1)
    reliability_post: float | None = Field(default=None, ge=0, lt=1)
    sd: float | None = Field(default=None, gt=0)
    points: float | None = Field(default=None, gt=0)
    cutoff: float | Literal["a", "b", "c"] | None = None
    m_functional: float | None = None
    sd_functional: float | None = Field(default=None, gt=0)
    joint: str | None = None
    clinic: str | None = None


def reliable_change(
    study: Study,
    outcome: str | None = None,
    method: Method | None = None,
    first: int | None = None,
    last: int | None = None,
    reliability: float | None = None,
    reliability_post: float | None = None,
    sd: float | None = None,
    points: float | None = None,
    cutoff: float | Literal["a", "b", "c"] | None = None,
    m_functional: float | None = None,
    sd_functional: float | None = None,
    joint: str | None = None,
    clinic: str | None = None,
    audience: str = "internal",
) -> AnalysisResult:
    """Classify each client's change as recovered, improved, unchanged, deteriorated or harmed.

    Parameters
    ----------
    study : Study
        From ``al.load_study``.
    outcome, method, first, last, reliability, reliability_post, sd, points, cutoff, m_functional, sd_functional, joint, clinic, audience
        See ``ReliableChangeParams``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study, or too little is known of the instrument.
    DataError
        If too few clients remain.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, ReliableChangeParams.from_mapping(asked))


@protected
def run(study: Study, params: ReliableChangeParams) -> AnalysisResult:
    """The analysis in named steps."""
    sessions, flow = choose_clinic(study, params.clinic)
    measure = choose_measure(study, "symptoms", params.outcome)
    label = measure.instrument.label
    second = _second(study, measure, params.joint)
    _check_sessions(params)
    scores = client_scores(sessions, measure, flow, params.first, params.last)
    require_clients(len(scores.ends), MIN_CLIENTS, f"reliable change in {label}", scores.flow)
    known = known_norms(measure, _given(params))
    methods = all_methods(scores, known, params.method, label)
    if params.audience == "shareable":
        methods = told_apart(methods, study.small_cells)
    therapist = scores.ends["therapist"]
    estimates = _estimates(methods, scores)
    if second is not None:
        estimates += _joint(sessions, scores, measure, second, params)
    by_therapist = therapist_shares(
        methods.chosen, _therapist_of(methods, scores, methods.main), study.small_cells
    )
    figures = (map_figure(methods, label, study.small_cells), bars_figure(methods))
    models = {} if "HLM" not in methods.done else {"HLM": methods.done["HLM"].slopes.result}  # type: ignore[union-attr]
    return AnalysisResult(
        analysis="reliable_change",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=params.to_dict() | {"outcome": measure.name, "method": methods.main},
        facts=_facts(measure, scores, therapist, params.clinic),
        answer=words.answer(methods, estimates, label),
        estimates=estimate_frame(estimates),
        models=models,
        notes=_notes(study, measure, change_findings(methods, known, scores.ends, label)),
        flow=scores.flow,
        tables=change_tables(methods, known, estimates, by_therapist, study.small_cells),
        figure_specs=tuple(f for f in figures if f is not None),
        methods_parts=words.methods_parts(methods, known, measure, _when(params), second),
        limits=words.LIMITS,
    )


def _given(params: ReliableChangeParams) -> Given:
    names = (
        "reliability",
        "reliability_post",
        "sd",
        "points",
        "cutoff",
        "m_functional",
        "sd_functional",
    )
    return Given(**{name: getattr(params, name) for name in names})


def _second(study: Study, measure: Measure, name: str | None) -> Measure | None:
    if name is None:
        return None
    second = choose_measure(study, "symptoms", name)
    if second.name == measure.name:
        raise StudyError(
            f"Parameter 'joint': {name!r} is the outcome itself. Joint recovery needs a second symptom measure."
        )
    return second


def _check_sessions(params: ReliableChangeParams) -> None:
    if params.first is not None and params.last is not None and params.last <= params.first:
        raise StudyError(
            f"Parameter 'last': session {params.last} does not lie after session {params.first}, which is the first."
        )


def _estimates(methods: AllMethods, scores: ClientScores) -> list[Estimate]:
    """The main method's shares first, then those of the others."""
    order = [methods.main, *(m for m in methods.done if m != methods.main)]
    out: list[Estimate] = []
    for name in order:
        out += category_shares(methods.done[name], _therapist_of(methods, scores, name))
    return out


def _therapist_of(methods: AllMethods, scores: ClientScores, name: str) -> pd.Series:
    """Therapist of each row of a method's frame; HLM has fewer clients."""
    frame = methods.done[name].frame
    if name != "HLM":
        return scores.ends["therapist"]
    return frame["client"].map(scores.ends.set_index("client")["therapist"])


def _joint(
    sessions: pd.DataFrame,
    scores: ClientScores,
    measure: Measure,
    second: Measure,
    params: ReliableChangeParams,
) -> list[Estimate]:
    """Joint outcomes of the clients who have scores before and after on both measures."""
    other = client_scores(sessions, second, scores.flow, params.first, params.last)
    shared = sorted(set(scores.ends["client"]) & set(other.ends["client"]))
    what = f"joint recovery in {measure.instrument.label} and {second.instrument.label}"
    require_clients(len(shared), MIN_CLIENTS, what)
    changes = []
    for part, one, given in ((scores, measure, _given(params)), (other, second, Given())):
        ends = part.ends.set_index("client").loc[shared].reset_index()
        both = ClientScores(ends, part.course, part.flow)
        changes.append(published(both, known_norms(one, given), one.instrument.label))
    therapist = scores.ends.set_index("client").loc[shared, "therapist"].reset_index(drop=True)
    return joint_shares(joint_recovery(changes), therapist)


def _when(params: ReliableChangeParams) -> str:
    start = "each client's first score" if params.first is None else f"session {params.first}"
    end = "the last" if params.last is None else f"session {params.last}"
    return f"{start} to {end}"


def _facts(
    measure: Measure, scores: ClientScores, therapist: pd.Series, clinic: str | None
) -> tuple[tuple[str, str], ...]:
    between = (scores.ends["post_session"] - scores.ends["pre_session"]).median()
    facts = [
        ("Outcome", measure.label),
        ("Clients", number(len(scores.ends), "integer")),
        ("Therapists", number(therapist.nunique(), "integer")),
        ("Sessions between the scores (median)", number(float(between), "integer")),
    ]
    return tuple([("Clinic", clinic), *facts] if clinic else facts)


def _notes(study: Study, measure: Measure, found: list[Finding]) -> tuple[Finding, ...]:
    others = set(study.measures) - {measure.name}
    every = [*(f for f in study.findings if f.where not in others), *found]
    return tuple(sorted(dict.fromkeys(every), key=lambda f: -SEVERITIES.index(f.severity)))


ANALYSIS = Analysis("reliable_change", TITLE, QUESTION, ReliableChangeParams, run, reliable_change)
