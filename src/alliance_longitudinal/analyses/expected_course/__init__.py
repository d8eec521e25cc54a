"""What course to expect of a client, how well it is known, and who leaves it."""

from typing import Annotated

import pandas as pd
from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.expected_course.charts import calibration_figure, course_figure
from alliance_longitudinal.analyses.expected_course.client import check_client, person_of, show_client
from alliance_longitudinal.analyses.expected_course.compute import (
    Judged,
    Settings,
    Validated,
    band_estimates,
    judge,
    other_shape,
    validate,
)
from alliance_longitudinal.analyses.expected_course.design import (
    Event,
    Rule,
    Track,
    only_from_the_start,
    rule_of,
    track_of,
    usual_times,
)
from alliance_longitudinal.analyses.expected_course.estimates import (
    frequency,
    risk_estimates,
    warning_estimates,
)
from alliance_longitudinal.analyses.expected_course.tables import (
    accuracy_tables,
    bands_table,
    shapes_table,
    tripod_table,
    where_table,
)
from alliance_longitudinal.analyses.expected_course.words import (
    LIMITS,
    accuracy_note,
    answer,
    describe,
    findings,
)
from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    Fitted,
    OutcomeName,
    Seed,
    Structure,
    analysis,
    coefficient_table,
    models_table,
    time_unit,
    variance_table,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import DataError, StudyError

MIN_CLIENTS = 50


def _times(value: object) -> object:
    """A text such as ``0,2,4``, or one number, as a tuple."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.strip("[]()").split(",") if part.strip()) or None
    return (value,) if isinstance(value, int | float) else value


@analysis(
    "Expected course",
    "What course can be expected of a client, how well is it known, and do warnings find the clients who deteriorate?",
    main=("cover80_k{decide}", "cover80_k*"),
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
        str,
        Field(
            pattern="^(log|linear)$",
            description="Shape of the course. log: fast change at first, slower later. linear: change at one rate.",
        ),
    ] = "log",
    after: Annotated[
        tuple[float, ...] | None,
        BeforeValidator(_times),
        Field(
            description="Scores up to these times are taken as known, in the study's time unit (weeks, or sessions where there are no "
            "dates). 0: the first score only. None: 0,2,4, or the usual times of two scores where scores are rarer."
        ),
    ] = None,
    decide: Annotated[
        float | None,
        Field(ge=1, description="Time of the warning, one of the times in 'after'. None: the last of them."),
    ] = None,
    band: Annotated[
        float,
        Field(gt=0.5, lt=1, description="Share of single scores in the band of the warning."),
    ] = 0.8,
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
    a = _alliance(draft, study, alliance)
    y = draft.measure("symptoms", outcome)
    if client is not None:
        check_client(draft.sessions, client, audience)
    if after is not None:
        _settings(time, after, decide, band, folds, seed)  # refused before any work
    draft.with_therapists(needed=False, alone=True)
    every = draft.sessions
    label = y.instrument.label
    draft.keep(every[y.name].notna(), f"Sessions with {label}", f"no {label} score at the session")
    size = draft.sessions.groupby("client")["session"].transform("size")
    draft.keep(size >= 2, "Clients with a first score and a later one", "one score only")
    clients = draft.sessions["client"].nunique()
    draft.needs(clients, MIN_CLIENTS, f"the expected course of {label}")
    draft.begin()
    unit = time_unit(study)
    track = track_of(draft, every[every["client"].isin(draft.sessions["client"])], y)
    settings = _settings(time, after or usual_times(track), decide, band, folds, seed)
    draft.resolved |= {"after": list(settings.after), "decide": settings.decide}
    symptoms = _validated(draft, track, settings)
    ratings = (
        None
        if a is None
        else _other(draft, every[every["client"].isin(draft.sessions["client"])], a, settings)
    )
    draft.fact("Clients", Count(clients, "client"))
    draft.therapists(int(draft.sessions["therapist"].nunique()))
    draft.fact("Scores after the first", Count(len(symptoms.track.rows), "score"))
    found = [part for part in (symptoms, ratings) if part is not None]
    for part, infix in zip(found, ("", "alliance_"), strict=False):
        draft.estimate(*band_estimates(part, infix))
        draft.uses(_fitted(part, infix))
    rule = rule_of(draft.sessions, y, event, points)
    judged = None if rule is None else judge(symptoms, ratings, _so_far(every, a), rule)
    shares, risks = _accuracy(draft, symptoms, judged)
    if client is not None:
        _one(draft, every, client, (symptoms, ratings), (judged, rule), unit)
    answer(draft, symptoms, ratings, judged, unit)
    draft.show(bands_table(draft, found))
    if judged is not None:
        accuracy_tables(draft, shares, risks, accuracy_note(symptoms, judged, unit))
    if groups is not None:
        decide_words = f"{label}, scores up to {settings.decide:g} known: later scores in the 80 % band"
        hits = symptoms.covered(symptoms.held, settings.decide, 0.8, "cover80", decide_words)
        ends = [] if judged is None else frequency(symptoms, judged)
        draft.shares_by_group([hits, *ends], "One model for all groups.")
    draft.show(course_figure(symptoms, unit), None if judged is None else calibration_figure(judged))
    other = other_shape(symptoms)
    draft.show(None if other is None else shapes_table(symptoms, *other))
    draft.show(where_table(symptoms), tripod_table(draft, symptoms, ratings, judged, settings, unit))
    draft.show(
        models_table(draft.fitted),
        variance_table(draft.fitted),
        *(coefficient_table(m) for m in draft.fitted),
    )
    findings(draft, symptoms, ratings, judged)
    draft.usual_findings(draft.sessions.groupby("therapist")["client"].nunique())
    draft.method(*describe(draft, symptoms, ratings, judged, unit))
    draft.cite("collins2015", "finch2001", "lutz1999")
    if judged is not None:
        draft.cite("delong1988", "obuchowski1997", "mercaldo2007", "cox1958", "dean2015")
        if judged.added is not None:
            draft.cite("demler2012")
    return draft


def _alliance(draft: Draft, study: Study, name: str | None) -> Measure | None:
    """The alliance measure, if the study has one or one was asked for."""
    if name is None and not any(m.construct == "alliance" for m in study.measures.values()):
        draft.find(
            "no_alliance",
            "info",
            "The study has no alliance measure, so the report is about symptoms only.",
            "the alliance",
        )
        return None
    return draft.measure("alliance", name)


def _settings(
    time: str, after: tuple[float, ...], decide: float | None, band: float, folds: int, seed: int
) -> Settings:
    times = tuple(sorted(set(after)))
    if times[0] < 0:
        raise StudyError(f"Parameter 'after': {times[0]:g} is before the first score. Give times from 0 on.")
    when = times[-1] if decide is None else decide
    if when not in times or when < 1:
        raise StudyError(
            f"Parameter 'decide': {when:g} is not one of the times in 'after' ({', '.join(f'{t:g}' for t in times)}) from 1 on. A warning needs "
            "scores after the first."
        )
    return Settings("linear" if time == "linear" else "log", times, float(when), band, folds, seed)


def _validated(draft: Draft, track: Track, settings: Settings) -> Validated:
    """The course of the outcome; without it there is no report."""
    try:
        return validate(track, settings)
    except DataError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=str(error)) from None


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
            why=str(error),
        )
        return None


def _so_far(every: pd.DataFrame, a: Measure | None) -> pd.DataFrame | None:
    """Every alliance rating with its time since the client's first session."""
    if a is None:
        return None
    start = every.groupby("client")["week"].transform("min")
    rows = pd.DataFrame({"client": every["client"], "time": every["week"] - start, "score": every[a.name]})
    return rows.dropna()


def _accuracy(
    draft: Draft, symptoms: Validated, judged: Judged | None
) -> tuple[list[Estimate], list[Estimate]]:
    """Estimates of who had the event and of the warning, and of the risk."""
    if judged is None or judged.rows.empty:
        return [], []
    shares = [*(h.estimate() for h in frequency(symptoms, judged)), *warning_estimates(judged)]
    risks = risk_estimates(judged)
    draft.estimate(*shares, *risks)
    return shares, risks


def _one(
    draft: Draft,
    every: pd.DataFrame,
    client: str,
    found: tuple[Validated, Validated | None],
    known: tuple[Judged | None, Rule | None],
    unit: str,
) -> None:
    """The part on one client."""
    symptoms, ratings = found
    person = person_of(symptoms, every, track_of(draft, every, symptoms.track.measure), client)
    if person is None:
        raise StudyError(
            f"Parameter 'client': client {client!r} has no {symptoms.track.label} score, or no value of a covariate, so nothing can be expected."
        )
    other = None
    if ratings is not None:
        other = person_of(ratings, every, track_of(draft, every, ratings.track.measure), client)
    show_client(draft, person, other, known[0], known[1], unit)


def _fitted(found: Validated, infix: str) -> Fitted:
    """The model of all clients, as the report's tables show models; its f is the function of time."""
    track = found.track
    words = "level and rate of change differ between clients"
    if track.known:
        words += "; level differs between therapists"
    formula = f"{track.measure.name} ~ first score + f(time)" + "".join(f" + {c}" for c in track.covariates)
    structure = Structure("(1 + f | client)" + " + (1 | therapist)" * track.known, words, track.known, True)
    model = found.course.model
    return Fitted(
        f"{infix or 'symptoms_'}course",
        f"Expected course of {track.label}",
        formula,
        structure,
        model,
        (),
        tuple(model.findings),
    )


__all__ = ["expected_course"]
