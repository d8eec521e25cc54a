"""Early alliance and later symptom change, between clients of one therapist and between therapists."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from alliance_longitudinal.analyses.early_parts import charts, words
from alliance_longitudinal.analyses.early_parts.design import Choices, EarlyDesign, build_design
from alliance_longitudinal.analyses.early_parts.effects import (
    EarlyModels,
    correlation_estimates,
    effect_estimates,
    fit_models,
    point_estimates,
)
from alliance_longitudinal.analyses.early_parts.findings import early_findings
from alliance_longitudinal.analyses.early_parts.sensitivity import sensitivity
from alliance_longitudinal.analyses.early_parts.tables import early_tables
from alliance_longitudinal.analyses.early_parts.variance import variance_estimates
from alliance_longitudinal.analyses.kit.charts import shares_figure
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.analyses.kit.former import Analysis, ShareParams, protected
from alliance_longitudinal.analyses.kit.selection import (
    choose_clinic,
    choose_measure,
    require_clients,
    require_variation,
    time_unit,
)
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.result import AnalysisResult, Estimate, estimate_frame
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.present import FigureSpec
from alliance_longitudinal.timing import TimeWindow

TITLE = "Early alliance and symptom change"
QUESTION = "Do clients with a better early alliance improve more afterwards, and do therapists with better alliances have clients who improve more?"
MIN_CLIENTS = 20


class EarlyAllianceParams(ShareParams):
    """Parameters of the early-alliance analysis.

    Attributes
    ----------
    window : pair of int, or None
        First and last early session; None takes the study file's early window.
    min_rated : int
        Sessions in the window that must have an alliance score.
    alliance, outcome : str or None
        Names of measures in the study file; None takes the first of each kind.
    clinic : str or None
        Analyse this clinic only.
    adjust_intake, adjust_early_change : bool
        Adjust for intake severity, and for symptom change up to the end of the window.
    n_boot, seed : int
        See `ShareParams`.
    """

    window: tuple[int, int] | None = None
    min_rated: int = Field(default=1, ge=1)
    alliance: str | None = None
    outcome: str | None = None
    clinic: str | None = None
    adjust_intake: bool = True
    adjust_early_change: bool = True

    @field_validator("window", mode="before")
    @classmethod
    def _window(cls, value: object) -> tuple[int, int] | None:
        if value is None:
            return None
        window = TimeWindow.parse(value)
        return window.first, window.last


def early_alliance(
    study: Study,
    window: object = None,
    min_rated: int = 1,
    alliance: str | None = None,
    outcome: str | None = None,
    clinic: str | None = None,
    adjust_intake: bool = True,
    adjust_early_change: bool = True,
    n_boot: int = 0,
    seed: int = 20_260_101,
    audience: str = "internal",
) -> AnalysisResult:
    """Relate early alliance to later symptom change, separating therapists and clients.

    Parameters
    ----------
    study : Study
        From ``al.load_study``.
    window, min_rated, alliance, outcome, clinic, adjust_intake, adjust_early_change, n_boot, seed, audience
        See ``EarlyAllianceParams``. ``window`` also takes a single session or text such as ``"1,5"``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study.
    DataError
        If too few clients remain.
    FitError
        If no model can be fitted.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, EarlyAllianceParams.from_mapping(asked))


@protected
def run(study: Study, params: EarlyAllianceParams) -> AnalysisResult:
    """The analysis in named steps."""
    sessions, flow = choose_clinic(study, params.clinic)
    choices = _choices(study, params)
    design = build_design(sessions, flow, choices, MIN_THERAPISTS)
    require_clients(design.n_clients, MIN_CLIENTS, "the early-alliance analysis", design.flow)
    require_variation(design.clients["early"], f"Early {choices.alliance.instrument.label}")
    models = fit_models(design)
    weeks = _typical_followup(design)
    effects = effect_estimates(models, design)
    variance, variance_models = variance_estimates(design, params.n_boot, params.seed)
    estimates = [
        *effects,
        *point_estimates(effects, design, weeks),
        *correlation_estimates(effects, design),
        *variance,
    ]
    table = sensitivity(sessions, choices)
    fitted = {m.name: m for m in (*models.all(), *variance_models)}
    return AnalysisResult(
        analysis="early_alliance",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=_recorded(params, choices),
        facts=tuple(words.facts(design, params.clinic)),
        answer=words.answer(estimates, design, weeks),
        estimates=estimate_frame(estimates),
        models={name: m.result for name, m in fitted.items()},
        notes=early_findings(study, design, list(fitted.values()), sessions, params.clinic, estimates),
        flow=design.flow,
        tables=early_tables(study, design, models, list(fitted.values()), estimates, table),
        figure_specs=_figures(models, design, estimates, table, weeks),
        methods_parts=words.methods(design, models, params.n_boot, versions_sentence()),
        limits=words.limits(design),
        seed=params.seed,
    )


def _choices(study: Study, params: EarlyAllianceParams) -> Choices:
    window = TimeWindow(*(params.window or study.early_window))
    if params.min_rated > window.sessions:
        raise StudyError(
            f"Parameter 'min_rated': {params.min_rated} rated sessions cannot be had in {window}. "
            f"Give at most {window.sessions}, or widen the window."
        )
    return Choices(
        choose_measure(study, "alliance", params.alliance),
        choose_measure(study, "symptoms", params.outcome),
        window,
        params.min_rated,
        params.adjust_intake,
        params.adjust_early_change,
        time_unit(study),
    )


def _recorded(params: EarlyAllianceParams, choices: Choices) -> dict[str, Any]:
    """The parameters with every default resolved, as the report states them."""
    resolved = {
        "window": [choices.window.first, choices.window.last],
        "alliance": choices.alliance.name,
        "outcome": choices.outcome.name,
    }
    return params.to_dict() | resolved


def _typical_followup(design: EarlyDesign) -> float:
    """Whole weeks (or sessions: see ``Choices.time``) that half of the clients were followed after the window, at least one."""
    return float(max(np.floor(design.clients["weeks_followed"].median()), 1))


def _figures(
    models: EarlyModels, design: EarlyDesign, estimates: list[Estimate], table: pd.DataFrame, weeks: float
) -> tuple[FigureSpec, ...]:
    bars = {"share_level": "Symptom level", "share_change": "Rate of change"}
    figures = (
        charts.course_figure(models.growth, design, weeks),
        charts.correlation_figure(estimates),
        shares_figure(estimates, bars, "Who differs: therapists, clients, sessions"),
        charts.sensitivity_figure(table, design),
    )
    return tuple(f for f in figures if f is not None)


ANALYSIS = Analysis("early_alliance", TITLE, QUESTION, EarlyAllianceParams, run)
