"""Reliability and structure of a questionnaire in this study."""

import pandas as pd
from pydantic import field_validator

from alliance_longitudinal.analyses.kit.former import Analysis, protected
from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.selection import choose_clinic, require_clients
from alliance_longitudinal.analyses.measurement_parts import words
from alliance_longitudinal.analyses.measurement_parts.answers import Answers, item_answers
from alliance_longitudinal.analyses.measurement_parts.compute import Found, compare, from_items, side_by_side
from alliance_longitudinal.analyses.measurement_parts.estimates import (
    MIN_CLIENTS,
    observer_agreement,
    reliability_estimates,
    subscale_correlations,
)
from alliance_longitudinal.analyses.measurement_parts.tables import (
    loadings_figure,
    measurement_tables,
    reliability_figure,
)
from alliance_longitudinal.analyses.result import AnalysisResult, estimate_frame
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.labels import number

TITLE = "Reliability and structure"
QUESTION = "How reliably does the questionnaire tell clients apart and see their change, and does it measure the same thing over sessions and raters?"


class MeasurementParams(Params):
    """Parameters of the measurement analysis.

    Attributes
    ----------
    measure : str or None
        A measure of the study; None takes the first alliance measure, else the first of all.
    sessions : list of int, or None
        Occasions whose forms are examined and compared; None takes the first and last early session and the latest one
        that half as many clients filled in.
    crossed : bool
        Also the coefficients that take session numbers as common to all clients (RkF, R1R, RkR, Rc); their model takes
        minutes for thousands of forms.
    other : str or None
        A measure of another rater with the same items, for invariance over raters at the first of ``sessions``.
    clinic : str or None
        Analyse this clinic only.
    """

    measure: str | None = None
    sessions: tuple[int, ...] | None = None
    crossed: bool = False
    other: str | None = None
    clinic: str | None = None

    @field_validator("sessions", mode="before")
    @classmethod
    def _sessions(cls, value: object) -> object:
        parts = [p.strip() for p in value.strip("[]() ").split(",")] if isinstance(value, str) else value
        if isinstance(parts, int):
            parts = [parts]
        if isinstance(parts, list | tuple) and len(set(map(str, parts))) != len(parts):
            message = "a session is named twice"
            raise ValueError(message)
        return parts


def measurement(
    study: Study,
    measure: str | None = None,
    sessions: tuple[int, ...] | None = None,
    crossed: bool = False,
    other: str | None = None,
    clinic: str | None = None,
    audience: str = "internal",
) -> AnalysisResult:
    """Examine reliability, change reliability, factor structure and invariance of one questionnaire.

    Parameters
    ----------
    study : Study
        From ``al.load_study``.
    measure, sessions, crossed, other, clinic, audience
        See ``MeasurementParams``. ``sessions`` also takes text such as ``"1,3,15"``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study.
    DataError
        If too few clients remain.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, MeasurementParams.from_mapping(asked))


@protected
def run(study: Study, params: MeasurementParams) -> AnalysisResult:
    """The analysis in named steps."""
    rows, flow = choose_clinic(study, params.clinic)
    measure = _choose(study, params.measure)
    label = measure.instrument.label
    answers = item_answers(study, rows, measure)
    own = [c for c in rows if c == measure.name or str(c).startswith(f"{measure.name}_")]
    rated, flow = flow.filter(
        rows, rows[own].notna().any(axis=1), f"Sessions with {label}", f"no {label} at the session"
    )
    require_clients(int(rated["client"].nunique()), MIN_CLIENTS, f"the measurement of {label}", flow)
    occasions = _occasions(params, rated, study)
    found = None if answers is None else from_items(answers, occasions, label, params.crossed)
    extra: list[Finding] = [] if answers is not None else [_no_items(measure)]
    if answers is not None and found is not None and params.other is not None:
        _over_raters(found, study, rows, measure, answers, _choose(study, params.other), occasions[0])
    estimates = [] if found is None else reliability_estimates(found)
    correlations, said = subscale_correlations(rated, measure)
    agreement, more = observer_agreement(study, rows, measure)
    estimates += correlations + agreement
    figures = (reliability_figure(estimates, label), loadings_figure(found.models) if found else None)
    kept = found or Found()
    notes = [*study.findings, *extra, *kept.findings, *said, *more]
    return AnalysisResult(
        analysis="measurement",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=params.to_dict() | {"measure": measure.name, "sessions": list(occasions)},
        facts=_facts(measure, rated, occasions, answers, params.clinic),
        answer=words.answer(found, estimates, label),
        estimates=estimate_frame(estimates),
        models={f"{m.name}, {m.where}": m.fit for m in kept.models},
        notes=_sorted(notes, set(study.measures) - {measure.name}),
        flow=flow,
        tables=measurement_tables(kept, estimates),
        figure_specs=tuple(f for f in figures if f is not None),
        methods_parts=words.methods_parts(found, measure, occasions, estimates),
        limits=words.LIMITS,
    )


def _choose(study: Study, name: str | None) -> Measure:
    if name is None:
        known = list(study.measures.values())
        return next((m for m in known if m.construct == "alliance"), known[0])
    if name not in study.measures:
        raise StudyError(f"The study has no measure {name!r}. It has: {', '.join(study.measures)}.")
    return study.measures[name]


def _occasions(params: MeasurementParams, rated: pd.DataFrame, study: Study) -> tuple[int, ...]:
    forms = rated.groupby("session")["client"].nunique()
    if params.sessions is not None:
        missing = [s for s in params.sessions if s not in forms.index]
        if missing:
            raise StudyError(
                f"Parameter 'sessions': nobody filled the form in at session {', '.join(map(str, missing))}. "
                f"Sessions with forms: {', '.join(map(str, forms.index))}."
            )
        return params.sessions
    first, last = study.early_window
    chosen = [s for s in (first, last) if s in forms.index]
    enough = forms[forms >= forms.max() / 2].index
    return tuple(dict.fromkeys([*chosen, int(enough.max())])) if chosen else (int(forms.idxmax()),)


def _no_items(measure: Measure) -> Finding:
    message = (
        f"The loaded study holds no item answers of {measure.label}: alpha, omega, change reliability, factor models and invariance "
        "are left out. Give the items in the study file (items: ...) instead of a total, and read the study with "
        "load_study(path, forms=True)."
    )
    return Finding("no_items", "caution", message, measure.name)


def _over_raters(
    found: Found,
    study: Study,
    rows: pd.DataFrame,
    measure: Measure,
    answers: Answers,
    other: Measure,
    session: int,
) -> None:
    """Invariance of the same items over two raters."""
    second = item_answers(study, rows, other)
    if other.name == measure.name or second is None or set(second.items) != set(answers.items):
        raise StudyError(
            f"Parameter 'other': {other.label} does not have the same item answers as {measure.label}; only the same items can be "
            "compared between raters."
        )
    parts = [side_by_side(a.frame, answers.items, [session]) for a in (answers, second)]
    wide = pd.concat(
        [p.add_suffix(f" {m.rater}") for p, m in zip(parts, (measure, other), strict=True)], axis=1
    )
    compare(
        found,
        wide,
        answers,
        [measure.rater, other.rater],
        measure.instrument.label,
        f"over raters at session {session}",
    )


def _facts(
    measure: Measure,
    rated: pd.DataFrame,
    occasions: tuple[int, ...],
    answers: Answers | None,
    clinic: str | None,
) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Measure", measure.label),
        ("Items", "not kept" if answers is None else number(len(answers.items), "integer")),
        ("Clients", number(rated["client"].nunique(), "integer")),
        ("Forms", number(len(rated), "integer")),
        ("Sessions compared", ", ".join(map(str, occasions))),
    ]
    return tuple([("Clinic", clinic), *facts] if clinic else facts)


def _sorted(found: list[Finding], others: set[str]) -> tuple[Finding, ...]:
    kept = [f for f in found if f.where not in others]
    return tuple(sorted(dict.fromkeys(kept), key=lambda f: -SEVERITIES.index(f.severity)))


ANALYSIS = Analysis("measurement", TITLE, QUESTION, MeasurementParams, run, measurement)
