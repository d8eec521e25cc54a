"""Is the study fit for an analysis: what is missing, impossible, repeated or odd, and what to do about it."""

from dataclasses import replace
from datetime import date
from typing import Annotated

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.data_quality import charts, words
from alliance_longitudinal.analyses.data_quality.answers import answer_checks
from alliance_longitudinal.analyses.data_quality.check import Check
from alliance_longitudinal.analyses.data_quality.completion import completion_checks
from alliance_longitudinal.analyses.data_quality.dates import date_checks
from alliance_longitudinal.analyses.data_quality.modes import mode_checks
from alliance_longitudinal.analyses.data_quality.patterns import pattern_checks
from alliance_longitudinal.analyses.data_quality.predict import predictions
from alliance_longitudinal.analyses.data_quality.records import Filled, Records, filled_in
from alliance_longitudinal.analyses.data_quality.scores import score_checks
from alliance_longitudinal.analyses.data_quality.tables import quality_tables
from alliance_longitudinal.analyses.data_quality.variation import variation_checks
from alliance_longitudinal.analyses.kit import Audience, By, Clinic, Count, Draft, Number, analysis
from alliance_longitudinal.analyses.kit.selection import choose_clinic
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import DataError

#: Sessions up to which the models take seconds.
QUICK = 50_000


@analysis(
    "Data quality",
    "Which forms are complete, which values are odd, and what follows for an analysis?",
    main="there-*",
    limits=(
        "A check finds only what its rule describes. It cannot find wrong values that look right.",
        "What a check finds may be correct: some clients change suddenly, and some honestly give "
        "the same answer to all items.",
        "The data cannot show whether scores are missing because of their value.",
        "Without a schedule in the study file, forms are counted among the sessions in the file. A "
        "session that was never entered does not count as missing.",
    ),
)
def data_quality(
    study: Study,
    by: By = None,
    clinic: Clinic = None,
    models: Annotated[
        bool, Field(description="Also fit models of what predicts missing forms and the end of treatment.")
    ] = True,
    today: Annotated[
        date | None,
        Field(
            description="Dates after this day count as future dates. None: the day on which the report is made."
        ),
    ] = None,
    audience: Audience = "internal",
) -> Draft:
    """Find what is missing, impossible, repeated or odd in a study; each check says what to do.

    Checks of single answers need ``al.load_study(path, forms=True)``.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.data_quality(al.load_study("demo"), models=False)
    >>> result.table("checks").rows[0][0]
    'Missing forms'
    """
    draft = Draft(study, clinic)
    draft.compare(by)
    draft.measures += study.measures.values()
    if draft.sessions.empty:
        raise draft.too_little(
            "The study has no session, so there is nothing to check. Look at the sample flow."
        )
    draft.begin()
    records = Records(study, draft.sessions, today or date.today())
    draft.resolved["today"] = records.today.isoformat()
    filled = [filled_in(records, m) for m in records.measures]
    answered = predictions(records, filled) if models else []
    checks = [*_checks(records, filled), *(a.check for a in answered)]
    _header(draft, filled, checks)
    draft.models = {a.question.title: a.result for a in answered if a.result is not None}
    draft.estimate(*words.estimates_of(checks, filled, answered))
    words.answer(draft, checks, filled)
    draft.show(*quality_tables(records, checks, answered, filled))
    draft.shares_by_group(
        words.hits_of(filled),
        "Shares of the planned forms, and of clients with at least two planned forms.",
    )
    draft.show(
        *charts.session_figures(records, filled),
        charts.therapist_figure(filled),
        charts.pattern_figure(filled),
        charts.distribution_figure(records),
        charts.prediction_figure(answered),
    )
    words.check_findings(draft, checks)
    draft.findings += [
        replace(f, severity="info" if f.severity == "caution" else f.severity, where=a.question.title)
        for a in answered
        if a.result is not None
        for f in a.result.findings
    ]
    words.methods(draft, records, checks, answered, filled)
    return draft


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
    if sessions.empty:
        raise DataError(
            "The study has no session, so there is nothing to check. Look at the sample flow (alliance check)."
        )
    records = Records(study, sessions, today or date.today())
    filled = [filled_in(records, m) for m in records.measures]
    answered = predictions(records, filled) if models and len(sessions) <= QUICK else []
    return [*_checks(records, filled), *(a.check for a in answered)]


def _checks(records: Records, filled: list[Filled]) -> list[Check]:
    return [
        *completion_checks(records, filled),
        *pattern_checks(filled),
        *score_checks(records),
        *variation_checks(records),
        *answer_checks(records),
        *date_checks(records),
        *mode_checks(records),
    ]


def _header(draft: Draft, filled: list[Filled], checks: list[Check]) -> None:
    sessions: pd.DataFrame = draft.sessions
    draft.fact("Clients", Count(sessions["client"].nunique(), "client"))
    draft.fact(
        "Therapists", Number(sessions["therapist"].nunique() if "therapist" in sessions else 0, "integer")
    )
    draft.fact("Sessions", Count(len(sessions), "session"))
    draft.fact("Forms", Count(sum(int(f.present.sum()) for f in filled), "form"))
    draft.fact("Checks made", Number(sum(c.verdict != "not checked" for c in checks), "integer"))


__all__ = ["data_quality", "quality_checks"]
