"""Can the data carry an analysis: what is missing, impossible, repeated or odd, and what to do about it."""

from dataclasses import replace
from datetime import date

import pandas as pd

from alliance_longitudinal.analyses.kit.former import Analysis, protected
from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.selection import choose_clinic
from alliance_longitudinal.analyses.quality_parts import charts, words
from alliance_longitudinal.analyses.quality_parts.answers import answer_checks
from alliance_longitudinal.analyses.quality_parts.check import Check, coarse
from alliance_longitudinal.analyses.quality_parts.completion import completion_checks
from alliance_longitudinal.analyses.quality_parts.dates import date_checks
from alliance_longitudinal.analyses.quality_parts.modes import mode_checks
from alliance_longitudinal.analyses.quality_parts.patterns import pattern_checks
from alliance_longitudinal.analyses.quality_parts.predict import Answered, predictions
from alliance_longitudinal.analyses.quality_parts.records import Filled, Records, filled_in
from alliance_longitudinal.analyses.quality_parts.scores import score_checks
from alliance_longitudinal.analyses.quality_parts.tables import quality_tables
from alliance_longitudinal.analyses.result import AnalysisResult, estimate_frame
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.labels import number

TITLE = "Data quality"
#: Sessions up to which the models take seconds.
QUICK = 50_000
QUESTION = "Which forms are there, which values are odd, and what follows for an analysis?"


class DataQualityParams(Params):
    """Parameters of the data-quality report.

    Attributes
    ----------
    clinic : str or None
        Look at this clinic only.
    models : bool
        Also fit the models of what predicts missing forms and leaving.
    today : date or None
        Later dates lie in the future; None takes the day on which the report is made.
    """

    clinic: str | None = None
    models: bool = True
    today: date | None = None


def data_quality(
    study: Study,
    clinic: str | None = None,
    models: bool = True,
    today: date | None = None,
    audience: str = "internal",
) -> AnalysisResult:
    """Check what is missing, impossible, repeated or odd in a study; each check with its n, rule, verdict and remedy.

    Parameters
    ----------
    study : Study
        From ``al.load_study(path, forms=True)``; without ``forms``, checks of single answers are left out.
    clinic, models, today, audience
        See ``DataQualityParams``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study.
    DataError
        If the study has no session.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, DataQualityParams.from_mapping(asked))


def quality_checks(
    study: Study, clinic: str | None = None, today: date | None = None, *, models: bool = True
) -> list[Check]:
    """Every check with the rows that it found; for the person who holds the files.

    The models of what predicts missing forms are left to the report where there are more than 50 000 sessions.

    Raises
    ------
    StudyError
        If the clinic is not in the study.
    DataError
        If the study has no session.
    """
    sessions, _ = choose_clinic(study, clinic)
    records = _records(study, sessions, today)
    filled = [filled_in(records, m) for m in records.measures]
    answered = predictions(records, filled) if models and len(sessions) <= QUICK else []
    return [*_checks(records, filled), *(a.check for a in answered)]


@protected
def run(study: Study, params: DataQualityParams) -> AnalysisResult:
    """The analysis in named steps."""
    sessions, flow = choose_clinic(study, params.clinic)
    records = _records(study, sessions, params.today)
    filled = [filled_in(records, m) for m in records.measures]
    answered = predictions(records, filled) if params.models else []
    checks = [*_checks(records, filled), *(a.check for a in answered)]
    smallest = study.small_cells if params.audience == "shareable" else 1
    checks = [coarse(c, smallest) for c in checks]
    figures = (
        charts.session_figure(records, filled),
        charts.therapist_figure(records, filled),
        charts.pattern_figure(records, filled, smallest),
        charts.distribution_figure(records, smallest),
        charts.prediction_figure(answered),
    )
    return AnalysisResult(
        analysis="data_quality",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=params.to_dict() | {"today": records.today.isoformat()},
        facts=_facts(records, filled, checks, params.clinic),
        answer=words.answer(checks, filled),
        estimates=estimate_frame(words.estimates_of(checks, filled, answered)),
        models={a.question.title: a.result for a in answered if a.result is not None},
        notes=_notes(study, checks, answered),
        flow=flow,
        tables=quality_tables(records, checks, answered, filled),
        figure_specs=tuple(f for f in figures if f is not None),
        methods_parts=words.methods_parts(records, checks, answered),
        limits=words.LIMITS,
    )


def _records(study: Study, sessions: pd.DataFrame, today: date | None) -> Records:
    if sessions.empty:
        raise DataError(
            "The study has no session, so there is nothing to check. Look at the sample flow (alliance check)."
        )
    return Records(study, sessions, today or date.today())


def _checks(records: Records, filled: list[Filled]) -> list[Check]:
    return [
        *completion_checks(records, filled),
        *pattern_checks(records, filled),
        *score_checks(records),
        *answer_checks(records),
        *date_checks(records),
        *mode_checks(records),
    ]


def _facts(
    records: Records, filled: list[Filled], checks: list[Check], clinic: str | None
) -> tuple[tuple[str, str], ...]:
    sessions = records.sessions
    facts = [
        ("Clients", number(sessions["client"].nunique(), "integer")),
        ("Therapists", number(sessions["therapist"].nunique(), "integer")),
        ("Sessions", number(len(sessions), "integer")),
        ("Forms", number(sum(int(f.present.sum()) for f in filled), "integer")),
        ("Checks made", number(sum(c.verdict != "not checked" for c in checks), "integer")),
    ]
    return tuple([("Clinic", clinic), *facts] if clinic else facts)


def _notes(study: Study, checks: list[Check], answered: list[Answered]) -> tuple[Finding, ...]:
    found = [*study.findings, *words.check_findings(checks)]
    found += [
        replace(f, severity="info" if f.severity == "caution" else f.severity, where=a.question.title)
        for a in answered
        if a.result is not None
        for f in a.result.findings
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda f: -SEVERITIES.index(f.severity)))


ANALYSIS = Analysis("data_quality", TITLE, QUESTION, DataQualityParams, run, data_quality)
