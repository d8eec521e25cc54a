"""What course to expect of a client, how well it is known, and who leaves it."""

from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.expected_course.charts import calibration_figure, course_figure
from alliance_longitudinal.analyses.expected_course.client import check_client, show_one
from alliance_longitudinal.analyses.expected_course.compute import (
    Validated,
    band_estimates,
    fitted_of,
    judge,
    validate,
)
from alliance_longitudinal.analyses.expected_course.design import (
    Event,
    Track,
    alliance_of,
    only_from_the_start,
    rule_of,
    so_far,
    track_of,
    usual_times,
)
from alliance_longitudinal.analyses.expected_course.estimates import accuracy_of, hits_of
from alliance_longitudinal.analyses.expected_course.settings import (
    Holdout,
    Settings,
    TimeShape,
    settings_of,
)
from alliance_longitudinal.analyses.expected_course.tables import accuracy_tables, bands_table, show_checks
from alliance_longitudinal.analyses.expected_course.words import (
    LIMITS,
    accuracy_note,
    answer,
    describe,
    findings,
)
from alliance_longitudinal.analyses.kit import (
    AS_NUMBERS,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    OutcomeName,
    Seed,
    analysis,
    needs_change,
    time_unit,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.sentences import told

MIN_CLIENTS = 50
#: Fewest of them with several later scores, without which nothing is known of courses.
MIN_SEVERAL = 10


@analysis(
    "Expected course",
    "What course can be expected of a client, how well is it known, and do warnings find the clients who deteriorate?",
    main=("cover80_k{decide}", "cover80_k*", "cover*"),
    limits=LIMITS,
)
def expected_course(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    client: Annotated[
        str | None,
        Field(
            description="Add a report on this client, by the identifier in the data. For the people who treat the client: only in an "
            "internal report. None: no single client."
        ),
    ] = None,
    time: Annotated[
        TimeShape,
        Field(
            description="Shape of the course. log: fast change at first, slower later. linear: change at one rate. spline3: any smooth course (a natural "
            "cubic spline with three degrees of freedom)."
        ),
    ] = "log",
    after: Annotated[
        tuple[float, ...] | None,
        AS_NUMBERS,
        Field(
            description="Scores up to these times are taken as known, in the study's time unit (weeks, or sessions where there are no "
            "dates). 0: the first score only. None: 0,2,4, or the usual times of two scores where scores are rarer."
        ),
    ] = None,
    decide: Annotated[
        float | None,
        Field(ge=1, description="Time of the warning, one of the times in 'after'. None: the last of them."),
    ] = None,
    bands: Annotated[
        tuple[Annotated[float, Field(gt=0.5, lt=1)], ...],
        AS_NUMBERS,
        Field(
            min_length=1,
            description="Shares of single scores that the bands should hold, such as 0.8,0.95. The first is the band of the warning and of the figures.",
        ),
    ] = (0.8, 0.95),
    update: Annotated[
        bool,
        Field(
            description="Use a client's scores so far for what is expected later. False: expect everything from the first score alone."
        ),
    ] = True,
    alliance_predictor: Annotated[
        bool, Field(description="Predict the alliance too, and judge what it adds to the prediction.")
    ] = True,
    event: Annotated[
        Event,
        Field(
            description="What is to be predicted, by the rule of reliable change. deteriorated: reliably worse at the last score. "
            "not_improved: not reliably better."
        ),
    ] = "deteriorated",
    points: Annotated[
        float | None,
        Field(gt=0, description="Points of reliable change. None: those of the instrument file."),
    ] = None,
    folds: Annotated[
        int,
        Field(ge=3, le=50, description="Parts of the clients; each is predicted from the others."),
    ] = 10,
    holdout: Annotated[
        Holdout,
        Field(
            description="Who is left out when the predictions are judged. therapist: each client and, in a second round, all clients of a therapist. client: "
            "each client only."
        ),
    ] = "therapist",
    seed: Seed = 20_260_101,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Model the course of symptoms and of the alliance, validate it in clients who were left out, and judge warnings.

    With ``client``, the report begins with this client: the scores so far, the band, and what to expect.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.expected_course(al.load_study("demo"), folds=3)
    >>> bool(0.75 < result.estimates.set_index("id").loc["cover80_k4", "estimate"] < 0.85)
    True
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    only_from_the_start(draft)
    a = alliance_of(draft, study, alliance, alliance_predictor)
    y = draft.measure("symptoms", outcome)
    if client is not None:
        check_client(draft.sessions, client, audience)
    chosen: dict[str, Any] = {"decide": decide, "bands": bands, "update": update, "holdout": holdout}
    chosen |= {"folds": folds, "seed": seed}
    if after is not None:
        settings_of(time, after, **chosen)  # refused before any work
    draft.with_therapists(needed=False, alone=True)
    every = draft.sessions
    label = y.instrument.label
    draft.keep(every[y.name].notna(), f"Sessions with {label}", f"no {label} score at the session")
    size = draft.sessions.groupby("client")["session"].transform("size")
    draft.keep(size >= 2, "Clients with a first score and a later one", "one score only")
    clients = draft.sessions["client"].nunique()
    draft.needs(clients, MIN_CLIENTS, f"the expected course of {label}")
    needs_change(draft, y)
    later = draft.sessions.groupby("client")["session"].transform("size") >= 3
    draft.needs(
        draft.sessions.loc[later, "client"].nunique(),
        MIN_SEVERAL,
        "a course, which needs several later scores,",
    )
    draft.begin()
    unit = time_unit(study)
    kept = every[every["client"].isin(draft.sessions["client"])]
    track = track_of(draft, kept, y)
    settings = settings_of(time, after or usual_times(track), **chosen)
    draft.resolved |= {"after": list(settings.after), "decide": settings.decide}
    symptoms = _validated(draft, track, settings)
    ratings = None if a is None else _other(draft, kept, a, settings)
    draft.fact("Clients", Count(clients, "client"))
    draft.therapists(draft.sessions["therapist"])
    draft.fact("Scores after the first", Count(len(symptoms.track.rows), "score"))
    found = [part for part in (symptoms, ratings) if part is not None]
    for part, infix in zip(found, ("", "alliance_"), strict=False):
        draft.estimate(*band_estimates(part, infix))
        draft.uses(fitted_of(part, infix))
    rule = rule_of(draft.sessions, y, event, points)
    judged = None if rule is None else judge(symptoms, ratings, so_far(every, a), rule)
    shares, risks = accuracy_of(draft, symptoms, judged)
    if client is not None:
        show_one(draft, every, client, (symptoms, ratings), (judged, rule), unit)
    answer(draft, symptoms, ratings, judged, unit)
    draft.show(bands_table(draft, found))
    if judged is not None:
        accuracy_tables(draft, shares, risks, accuracy_note(symptoms, judged, unit))
    if groups is not None:
        draft.shares_by_group(hits_of(symptoms, judged), "One model for all groups.")
    draft.show(course_figure(symptoms, unit), None if judged is None else calibration_figure(judged))
    show_checks(draft, symptoms, ratings, judged, unit)
    findings(draft, symptoms, ratings, judged)
    draft.usual_findings(draft.sessions.groupby("therapist")["client"].nunique())
    draft.method(*describe(draft, symptoms, ratings, judged, unit))
    draft.cite("collins2015", "lutz2002", "whipple2003", *(["harrell2015"] if time == "spline3" else []))
    if judged is not None:
        draft.cite("delong1988", "obuchowski1997", "mercaldo2007", "cox1958", "dean2015")
        if judged.added is not None:
            draft.cite("demler2012")
    return draft


def _validated(draft: Draft, track: Track, settings: Settings) -> Validated:
    """The course of the outcome; without it there is no report."""
    try:
        return validate(track, settings)
    except DataError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None


def _other(draft: Draft, every: pd.DataFrame, a: Measure, settings: Settings) -> Validated | None:
    """The course of the alliance, or why there is none."""
    try:
        return validate(track_of(draft, every, a), settings)
    except DataError as error:
        draft.find(
            "alliance_not_predicted",
            "caution",
            "The course of {label} cannot be predicted from these data: {why}",
            a.instrument.label,
            label=a.instrument.label,
            why=told(error),
        )
        return None


__all__ = ["expected_course"]
