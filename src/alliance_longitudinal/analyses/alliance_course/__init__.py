"""The course of the alliance: shapes, phases, courses of single clients, and late alliance."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.alliance_course import words
from alliance_longitudinal.analyses.alliance_course.charts import class_figure, course_figure
from alliance_longitudinal.analyses.alliance_course.compute import (
    class_estimates,
    event_estimates,
    fit_phases,
    fit_shapes,
    late_estimates,
    phase_estimates,
    shape_estimates,
)
from alliance_longitudinal.analyses.alliance_course.design import (
    Courses,
    check_knots,
    courses_of,
    late_rows,
)
from alliance_longitudinal.analyses.alliance_course.tables import (
    class_tables,
    course_tables,
    shape_table,
    share_table,
)
from alliance_longitudinal.analyses.kit import (
    AS_NAMES,
    AS_NUMBERS,
    ESTIMATE,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    Groups,
    OutcomeName,
    Window,
    analysis,
    models_table,
    variance_table,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import told
from alliance_longitudinal.timing import TimeWindow

MIN_CLIENTS = 20


@analysis(
    "The course of the alliance",
    "What shape does the alliance have over sessions, does it fall and return in the middle of treatment, and does the late alliance matter beyond the "
    "early one?",
    main=("phase_1", "late_given_early"),
    limits=words.LIMITS,
)
def alliance_course(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    shapes: Annotated[
        tuple[Literal["linear", "log", "quadratic", "piecewise"], ...] | None,
        AS_NAMES,
        AS_NUMBERS,
        Field(
            description="Shapes to compare: some of linear, log (fast at first, then levelling off), quadratic, piecewise. None: all."
        ),
    ] = None,
    knots: Annotated[
        tuple[int, ...] | None,
        AS_NUMBERS,
        Field(
            description="Last sessions of the phases but the last one, such as 5,10. None: thirds of the sessions. Choose them before "
            "you see the data."
        ),
    ] = None,
    min_ratings: Annotated[
        int,
        Field(ge=6, le=50, description="Smallest number of ratings for a client's course to be classified."),
    ] = 6,
    window: Window = None,
    late: Annotated[
        int,
        Field(
            ge=1,
            le=20,
            description="Number of sessions before the last one whose ratings are the late alliance.",
        ),
    ] = 4,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Compare shapes of the alliance over sessions, on average and for single clients, and relate the late alliance to outcome.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.alliance_course(al.load_study("demo"), shapes=("linear", "log"))
    >>> result.estimates["id"].tolist()[:2]
    ['aic_linear', 'aic_log']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    a = draft.measure("alliance", alliance)
    has = any(m.construct == "symptoms" for m in study.measures.values())
    y = draft.measure("symptoms", outcome) if has or outcome is not None else None
    draft.with_therapists(needed=False, partial=True)
    every = draft.sessions
    draft.keep(
        every[a.name].notna() & every["session"].ge(1),
        f"Sessions with {a.instrument.label}",
        f"no {a.instrument.label} score at the session, or before the first session",
    )
    rated = draft.sessions
    draft.needs(int(rated["client"].nunique()), MIN_CLIENTS, "the analysis of the course of the alliance")
    _enough(draft, rated, a.name)
    check_knots(knots, rated["session"])
    courses = courses_of(rated, every, a.name, knots)
    early = TimeWindow(*(window or study.early_window))
    draft.fact("Clients", Count(int(rated["client"].nunique()), "client"))
    draft.therapists(rated["therapist"])
    draft.fact("Ratings", Count(len(rated), "rating"))
    draft.begin()
    found = fit_shapes(draft, courses, shapes or ("linear", "log", "quadratic", "piecewise"))
    draft.estimate(*shape_estimates(found, int(rated["client"].nunique())))
    phases = _phases(draft, courses, a)
    kinds, confusion = class_estimates(draft, courses, min_ratings)
    draft.estimate(*kinds)
    events = event_estimates(courses, a)
    draft.estimate(*events)
    later = [] if y is None else late_estimates(draft, late_rows(every, a.name, y.name, early, late), y)
    words.answer(draft, found, courses, a.instrument.label, y)
    draft.show(shape_table(found), course_figure(courses, found, a.instrument.label), class_figure(kinds))
    course_tables(draft, phases, events, later)
    class_tables(draft, kinds, confusion)
    if groups is not None:
        _compare(draft, groups, courses, a.instrument.label)
    draft.show(share_table(found), models_table(draft.fitted), variance_table(draft.fitted))
    words.findings(draft, found, courses, a.instrument.label)
    draft.usual_findings(rated.groupby("therapist")["client"].nunique(), therapists=False)
    draft.method(*words.method_of(a, y if later else None, courses, found, min_ratings, late))
    draft.cite("bordin1979", "fieller1954", "hurvich1989", "kivlighan2000", "luborsky1976", "stiles2004")
    return draft


def _enough(draft: Draft, rated: pd.DataFrame, score: str) -> None:
    """A course needs several sessions, several ratings of clients, and ratings that differ."""
    if rated["session"].nunique() < 3 or not rated["client"].duplicated().any():
        raise draft.too_little(
            "The alliance was rated in fewer than three different sessions, or only once per client, so there is no course."
        )
    if rated[score].max() - rated[score].min() < 1e-9:
        raise draft.too_little("All ratings of the alliance are equal, so there is no course.")
    own = rated.groupby("client")[score]
    if (own.max() - own.min()).max() < 1e-9:
        raise draft.too_little("No client's ratings of the alliance change, so there is no course.")


def _phases(draft: Draft, courses: Courses, a: Measure) -> list[Estimate]:
    """Change in each phase; the report says so where the model cannot be fitted."""
    label = a.instrument.label
    try:
        model = fit_phases(draft, courses.rows, courses.knots)
    except FitError as error:
        draft.find(
            "phases_failed", "caution", "The phases could not be fitted: {why}", label, why=told(error)
        )
        return []
    draft.uses(model)
    estimates = phase_estimates(model, courses, label)
    draft.estimate(*estimates)
    first = estimates[0]
    draft.checks(model, courses.rows, a, first.label, term="time", unit=first.unit)
    return estimates


def _compare(draft: Draft, groups: Groups, courses: Courses, label: str) -> None:
    """Change in each phase in each group, from a model of its own."""
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(courses.rows):
        if rows["client"].nunique() < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            model = fit_phases(draft, rows, courses.knots)
        except AllianceError as error:
            draft.find("group_failed", "caution", "{group}: {why}", group, group=group, why=told(error))
            continue
        found[group] = phase_estimates(model, courses, label)
    if len(found) > 1:
        draft.by_group(
            found, [Column("unit", "Unit"), *ESTIMATE], "A separate model of the phases for each group."
        )


__all__ = ["alliance_course"]
