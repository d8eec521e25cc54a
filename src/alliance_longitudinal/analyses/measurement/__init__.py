"""Reliability and structure of a questionnaire in this study."""

from collections.abc import Sequence
from typing import Annotated

import pandas as pd
from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.kit import Audience, By, Clinic, Count, Draft, Number, analysis
from alliance_longitudinal.analyses.measurement.charts import loadings_figure, reliability_figure
from alliance_longitudinal.analyses.measurement.compute import Found, compare, from_items, side_by_side
from alliance_longitudinal.analyses.measurement.design import Answers, item_answers
from alliance_longitudinal.analyses.measurement.estimates import (
    MIN_CLIENTS,
    by_group,
    observer_agreement,
    reliability_estimates,
    subscale_correlations,
)
from alliance_longitudinal.analyses.measurement.tables import measurement_tables
from alliance_longitudinal.analyses.measurement.words import answer, describe
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError


def _as_sessions(value: object) -> object:
    parts = [p.strip() for p in value.strip("[]() ").split(",")] if isinstance(value, str) else value
    if isinstance(parts, int):
        parts = [parts]
    if isinstance(parts, list | tuple) and len(set(map(str, parts))) != len(parts):
        message = "a session is named twice"
        raise ValueError(message)
    return parts


@analysis(
    "Reliability and structure",
    "How reliably does the questionnaire distinguish clients and detect their change, and does it "
    "measure the same at all sessions and for all raters?",
    main="omega_*",
    limits=(
        "Answers with few response options are treated as continuous. This affects chi-square and "
        "fit indices more than loadings.",
        "Factor models treat clients as independent, although clients of the same therapist may be alike.",
        "Equal loadings and intercepts in these data do not show that clients understand the questions in the same way.",
    ),
)
def measurement(
    study: Study,
    measure: Annotated[
        str | None,
        Field(
            description="A measure of the study, by its name. None: the first alliance measure, otherwise the "
            "first measure."
        ),
    ] = None,
    sessions: Annotated[
        tuple[int, ...] | None,
        BeforeValidator(_as_sessions),
        Field(
            description="Sessions whose forms are examined and compared, such as 1,3,15. None: the first and "
            "the last early session, and the latest session with at least half as many forms."
        ),
    ] = None,
    crossed: Annotated[
        bool,
        Field(
            description="Also compute the coefficients that treat session numbers as common to all clients "
            "(RkF, R1R, RkR, Rc). With thousands of forms this takes minutes."
        ),
    ] = False,
    other: Annotated[
        str | None,
        Field(
            description="A measure of another rater with the same items, to test invariance between raters at "
            "the first of the sessions."
        ),
    ] = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Examine reliability, reliability of change, factor structure and invariance of one questionnaire.

    Most of it needs the answers to single items. Read the study with ``al.load_study(path, forms=True)``.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.measurement(al.load_study("demo"), measure="phq9")
    >>> result.facts[1]
    ('Items', 'not kept')
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    rows = draft.sessions
    found_measure = draft.any_measure(measure)
    label = found_measure.instrument.label
    answers = item_answers(study, rows, found_measure)
    own = [c for c in rows if c == found_measure.name or str(c).startswith(f"{found_measure.name}_")]
    draft.keep(rows[own].notna().any(axis=1), f"Sessions with {label}", f"no {label} at the session")
    rated = draft.sessions
    draft.needs(int(rated["client"].nunique()), MIN_CLIENTS, f"this analysis of {label}")
    occasions = _occasions(sessions, rated, study)
    draft.resolved["sessions"] = list(occasions)
    _header(draft, occasions, answers)
    draft.begin()
    if answers is None:
        _no_items(draft, found_measure)
        found = Found(items=False)
    else:
        found = from_items(answers, occasions, label, crossed)
        if other is not None:
            _over_raters(found, draft, rows, found_measure, answers, other, occasions[0])
    draft.findings += found.findings
    draft.models = {f"{m.name}, {m.where}": m.fit for m in found.models}
    draft.estimate(*reliability_estimates(found))
    subscale_correlations(draft, rated, found_measure)
    observer_agreement(draft, rows, found_measure)
    answer(draft, found, label)
    measurement_tables(draft, found, rated, found_measure)
    if groups is not None:
        by_group(draft, groups, answers, occasions)
    draft.show(reliability_figure(draft.estimates, label), loadings_figure(found.models))
    describe(draft, found, found_measure, occasions)
    return draft


def _occasions(asked: Sequence[int] | None, rated: pd.DataFrame, study: Study) -> tuple[int, ...]:
    forms = rated.groupby("session")["client"].nunique()
    if asked is not None:
        missing = [s for s in asked if s not in forms.index]
        if missing:
            raise StudyError(
                "Parameter 'sessions': nobody filled in the form at session "
                f"{', '.join(map(str, missing))}. Sessions with forms: "
                f"{', '.join(map(str, forms.index))}."
            )
        return tuple(asked)
    first, last = study.early_window
    chosen = [s for s in (first, last) if s in forms.index]
    enough = forms[forms >= forms.max() / 2].index
    return tuple(dict.fromkeys([*chosen, int(enough.max())])) if chosen else (int(forms.idxmax()),)


def _no_items(draft: Draft, measure: Measure) -> None:
    draft.find(
        "no_items",
        "caution",
        "The study has no item answers of {measure}, so alpha, omega, reliability of change, "
        "factor models and invariance are left out. Name the items in the study file (items: ...) "
        "instead of a total, and read the study with load_study(path, forms=True).",
        measure.name,
        measure=measure.label,
    )


def _over_raters(
    found: Found,
    draft: Draft,
    rows: pd.DataFrame,
    measure: Measure,
    answers: Answers,
    name: str,
    session: int,
) -> None:
    """Invariance of the same items over two raters."""
    other = draft.named_measure(name)
    second = item_answers(draft.study, rows, other)
    if other.name == measure.name or second is None or set(second.items) != set(answers.items):
        raise StudyError(
            f"Parameter 'other': {other.label} does not have the same item answers as {measure.label}; only the same items can be "
            "compared between raters."
        )
    parts = [side_by_side(a.frame, answers.items, [session]) for a in (answers, second)]
    wide = pd.concat(
        [p.add_suffix(f" {m.rater}") for p, m in zip(parts, (measure, other), strict=True)], axis=1
    )
    raters = [measure.rater, other.rater]
    compare(found, wide, answers, raters, measure.instrument.label, f"between raters at session {session}")


def _header(draft: Draft, occasions: tuple[int, ...], answers: Answers | None) -> None:
    draft.fact("Items", "not kept" if answers is None else Number(len(answers.items), "integer"))
    draft.fact("Clients", Count(draft.sessions["client"].nunique(), "client"))
    draft.fact("Forms", Count(len(draft.sessions), "form"))
    draft.fact("Sessions compared", ", ".join(map(str, occasions)))


__all__ = ["measurement"]
