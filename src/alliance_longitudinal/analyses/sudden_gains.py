"""Sudden gains and losses from one session to the next, and how many mere fluctuation would show."""

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from alliance_longitudinal.analyses.gain_parts import words
from alliance_longitudinal.analyses.gain_parts.charts import around_figure, rules_figure
from alliance_longitudinal.analyses.gain_parts.compute import (
    Gains,
    find_all,
    gain_estimates,
    points_for,
    variants_of,
)
from alliance_longitudinal.analyses.gain_parts.notes import gain_findings
from alliance_longitudinal.analyses.gain_parts.tables import gain_tables
from alliance_longitudinal.analyses.kit.former import Analysis, protected
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.selection import choose_clinic, choose_measure, require_clients
from alliance_longitudinal.analyses.result import AnalysisResult, estimate_frame
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.psychometrics.gains.events import (
    Rules,
    Stability,
    intervals,
    ordered_scores,
)

TITLE = "Sudden gains and losses"
QUESTION = "How many clients improved suddenly from one session to the next, and is that more than mere fluctuation would show?"
MIN_CLIENTS = 10


class SuddenGainsParams(Params):
    """Parameters of the sudden-gains analysis.

    Attributes
    ----------
    outcome : str or None
        Symptom measure; None takes the study's first.
    points : float or None
        Criterion 1: points of a sudden change. None takes reliable change: from ``reliability`` if it is given, else the
        registry's points.
    percent : float or None
        Criterion 2: percent of the score before the change. None leaves it out.
    stability : {"adjusted", "fixed", "t-test", "none"}
        Criterion 3, and how its critical value is chosen.
    alpha : float
        Two-sided level of criterion 3.
    reliability, sd : float or None
        For points from reliable change, in place of the registry's facts.
    other_points : list of float, or None
        Other points to compare with; None takes three and five quarters of the main ones.
    intake : bool
        Whether session 0 counts as a session.
    simulations : int
        Simulated data sets for what steady change would show; 0 for none.
    seed : int
        Seed of the simulation.
    clinic : str or None
        Analyse this clinic only.
    """

    outcome: str | None = None
    points: float | None = Field(default=None, gt=0)
    percent: float | None = Field(default=25.0, gt=0, lt=100)
    stability: Stability = "adjusted"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    reliability: float | None = Field(default=None, ge=0, lt=1)
    sd: float | None = Field(default=None, gt=0)
    other_points: tuple[float, ...] | None = None
    intake: bool = False
    simulations: int = Field(default=200, ge=0, le=10_000)
    seed: int = Field(default=20_260_101, ge=0)
    clinic: str | None = None

    @field_validator("other_points", mode="before")
    @classmethod
    def _other_points(cls, value: object) -> object:
        parts = [p.strip() for p in value.strip("[]() ").split(",")] if isinstance(value, str) else value
        return [parts] if isinstance(parts, int | float) else parts

    @field_validator("other_points")
    @classmethod
    def _above_zero(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and any(not p > 0 for p in value):
            message = "points have to be above 0"
            raise ValueError(message)
        return value


def sudden_gains(
    study: Study,
    outcome: str | None = None,
    points: float | None = None,
    percent: float | None = 25.0,
    stability: Stability = "adjusted",
    alpha: float = 0.05,
    reliability: float | None = None,
    sd: float | None = None,
    other_points: tuple[float, ...] | None = None,
    intake: bool = False,
    simulations: int = 200,
    seed: int = 20_260_101,
    clinic: str | None = None,
    audience: str = "internal",
) -> AnalysisResult:
    """Find sudden gains and losses by the criteria of Tang and DeRubeis (1999), and what fluctuation alone would show.

    Parameters
    ----------
    study : Study
        From ``al.load_study``.
    outcome, points, percent, stability, alpha, reliability, sd, other_points, intake, simulations, seed, clinic, audience
        See ``SuddenGainsParams``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study, or too little is known of the instrument.
    DataError
        If too few clients have enough consecutive sessions.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, SuddenGainsParams.from_mapping(asked))


@protected
def run(study: Study, params: SuddenGainsParams) -> AnalysisResult:
    """The analysis in named steps."""
    sessions, flow = choose_clinic(study, params.clinic)
    measure = choose_measure(study, "symptoms", params.outcome)
    label = measure.instrument.label
    rated, flow = _rated(sessions, measure, flow, params.intake)
    ordered = ordered_scores(rated, score=measure.name)
    flow = _tested(rated, ordered, flow, label)
    require_clients(flow.steps[-1].clients_out, MIN_CLIENTS, f"sudden gains in {label}", flow)
    given = Given(points=params.points, reliability=params.reliability, sd=params.sd)
    known = known_norms(measure, given)
    points, points_from = points_for(known, given, ordered, label)
    share = None if params.percent is None else params.percent / 100
    others = (0.75 * points, 1.25 * points) if params.other_points is None else params.other_points
    gains = find_all(
        ordered,
        rated.groupby("client")["therapist"].first(),
        variants_of(Rules(points, share, params.stability, params.alpha), others),
        fall=known.norms.direction < 0,
        points_from=points_from,
        limits=measure.instrument.total_range,
        n=params.simulations,
        seed=params.seed,
    )
    smallest = study.small_cells if params.audience == "shareable" else 0
    estimates = gain_estimates(gains, smallest)
    figures = (rules_figure(gains), around_figure(gains, label))
    return AnalysisResult(
        analysis="sudden_gains",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=params.to_dict()
        | {"outcome": measure.name, "points": points, "other_points": list(others)},
        facts=_facts(measure, gains, params.clinic),
        answer=words.answer(gains, estimates, label),
        estimates=estimate_frame(estimates),
        models={} if gains.steady is None else {"Steady change": gains.steady.result},
        notes=_notes(study, measure, gain_findings(gains, known, measure)),
        flow=flow,
        tables=gain_tables(gains, estimates, smallest),
        figure_specs=tuple(f for f in figures if f is not None),
        methods_parts=words.methods_parts(gains, measure, params.simulations, params.seed, params.intake),
        limits=words.LIMITS,
        seed=params.seed,
    )


def _rated(
    sessions: pd.DataFrame, measure: Measure, flow: SampleFlow, intake: bool
) -> tuple[pd.DataFrame, SampleFlow]:
    label = measure.instrument.label
    rated, flow = flow.filter(
        sessions, sessions[measure.name].notna(), f"Sessions with {label}", f"no {label} score at the session"
    )
    if intake:
        return rated, flow
    return flow.filter(rated, rated["session"].ge(1), f"Sessions with {label} from session 1", "intake")


def _tested(rated: pd.DataFrame, ordered: pd.DataFrame, flow: SampleFlow, label: str) -> SampleFlow:
    """Record the clients with an interval that can be tested; all their scores stay."""
    found = intervals(ordered)
    tested = np.unique(ordered["client"].to_numpy(object)[found.row[found.testable]])
    reason = "no two consecutive sessions with a score at both, and another one before and after"
    _, flow = flow.filter(
        rated, rated["client"].isin(tested), f"Clients whose changes in {label} can be tested", reason
    )
    return flow


def _facts(measure: Measure, gains: Gains, clinic: str | None) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Outcome", measure.label),
        ("Clients", number(gains.clients, "integer")),
        ("Therapists", number(gains.table["therapist"].nunique(), "integer")),
        ("Intervals tested", number(len(gains.table), "integer")),
        ("Points of a sudden change", f"{gains.main.rules.points:.4g}"),
    ]
    return tuple([("Clinic", clinic), *facts] if clinic else facts)


def _notes(study: Study, measure: Measure, found: list[Finding]) -> tuple[Finding, ...]:
    others = set(study.measures) - {measure.name}
    every = [*(f for f in study.findings if f.where not in others), *found]
    return tuple(sorted(dict.fromkeys(every), key=lambda f: -SEVERITIES.index(f.severity)))


ANALYSIS = Analysis("sudden_gains", TITLE, QUESTION, SuddenGainsParams, run, sudden_gains)
