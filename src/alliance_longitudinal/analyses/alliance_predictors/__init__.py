"""What goes with a good alliance: clients, therapists and treatments, at the start, in level and in growth."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from alliance_longitudinal.analyses.alliance_predictors.asked import (
    SEVERITY,
    Asked,
    find_attachment,
    find_predictors,
    interactions_of,
    keep_known,
    occurring,
)
from alliance_longitudinal.analyses.alliance_predictors.compute import Ratings, ratings_of
from alliance_longitudinal.analyses.alliance_predictors.design import Predictor
from alliance_longitudinal.analyses.alliance_predictors.findings import (
    missing_in,
    note_few_therapists,
    note_severity,
)
from alliance_longitudinal.analyses.alliance_predictors.report import report
from alliance_longitudinal.analyses.alliance_predictors.words import LIMITS
from alliance_longitudinal.analyses.kit import (
    AS_NAMES,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Number,
    OutcomeName,
    Seed,
    Window,
    analysis,
    at_intake,
    listed,
    number_of_therapists,
)
from alliance_longitudinal.analyses.kit.covariates import declared
from alliance_longitudinal.data.study import Measure, Study

MIN_CLIENTS = 20
#: Therapists beyond the number of effects between them, at least.
LEFT_OVER = 4
Part = Literal["early", "level", "growth"]
PARTS: tuple[Part, ...] = ("early", "level", "growth")


@analysis(
    "What goes with a good alliance",
    "Which clients, therapists and treatments have better alliances, at the start, in level and in growth?",
    main=("early_{predictors}", "early_{predictors}_*", "early_*", "level_*"),
    limits=LIMITS,
)
def alliance_predictors(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    predictors: Annotated[
        tuple[str, ...] | None,
        AS_NAMES,
        Field(
            description="Covariates of clients and therapists by their names in the study file; 'severity' is the outcome "
            "measure at intake. None: severity and all covariates of clients and therapists."
        ),
    ] = None,
    part: Annotated[
        tuple[Part, ...] | None,
        AS_NAMES,
        Field(
            description="What is predicted: some of early (mean over the early sessions), level (at the average time of the "
            "ratings) and growth. None: all."
        ),
    ] = None,
    window: Window = None,
    interactions: Annotated[
        tuple[str, ...] | None,
        AS_NAMES,
        Field(
            description="Pairs of a client's and a therapist's predictor, such as avoidance:experience. None: no interaction."
        ),
    ] = None,
    attachment_anxiety: Annotated[
        str | None,
        Field(
            description="Predictor that is attachment anxiety, to be compared with published studies. None: recognised by its name."
        ),
    ] = None,
    attachment_avoidance: Annotated[
        str | None, Field(description="Predictor that is attachment avoidance. None: recognised by its name.")
    ] = None,
    styles_midpoint: Annotated[
        float | None,
        Field(
            description="Midpoint of the attachment scale, such as 4 for ratings from 1 to 7. If given, the report also compares four "
            "attachment styles. None: no styles."
        ),
    ] = None,
    min_therapists: Annotated[
        int,
        Field(ge=5, le=1000, description="With fewer therapists than this the report does not compare them."),
    ] = 10,
    seed: Seed = 20_260_101,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Relate the alliance to characteristics of clients and therapists.

    Predictors of clients are split into a part within and a part between therapists. Ids of estimates: ``early_x``, ``level_x_within``,
    ``level_x_between``, ``growth_x_within``, ``r_x``; ``early_x`` and ``r_x`` of a client's predictor are within therapists, and
    ``early_x_between`` is between them. ``_points`` is the same in points of the questionnaire, ``_alone`` without the other predictors.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.alliance_predictors(al.load_study("demo"), part=["early"])
    >>> result.estimates["id"].tolist()[:3]
    ['early_Age', 'early_Age_points', 'early_Age_between']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    parts = tuple(p for p in PARTS if p in (part or PARTS))
    draft.adjust(covariates)
    a = draft.measure("alliance", alliance)
    y = _symptoms(draft, predictors, outcome)
    severity = None if y is None else at_intake(draft.sessions, y.name)
    placed = [*(c.name for c in draft.covariates), *([groups.name] if groups else [])]
    found = find_predictors(study, predictors, severity, placed)
    known = "therapist" in draft.sessions and draft.sessions["therapist"].notna().any()
    draft.with_therapists(needed=bool(known), partial=True)
    label = a.instrument.label
    draft.keep(
        draft.sessions["session"].ge(1) & draft.sessions[a.name].notna(),
        f"Sessions with {label}",
        f"no {label} score at the session",
    )
    found = _known(draft, found)
    attachment = find_attachment(found, attachment_anxiety, attachment_avoidance)
    pairs = interactions_of(interactions or (), found)
    span = window or study.early_window
    everybody = ratings_of(draft, a, span)
    keep_known(draft, found, everybody.clients)
    clients = draft.sessions["client"].nunique()
    draft.needs(clients, MIN_CLIENTS, "the analysis of predictors of the alliance", "Name fewer predictors.")
    ratings = ratings_of(draft, a, span)
    if not ratings.sd > 0:
        raise draft.too_little(
            "All clients have the same mean {label}, so nothing can predict it.", label=label
        )
    ratings, found = _with_enough_therapists(draft, ratings, found, min_therapists)
    draft.fact("Clients", Count(clients, "client"))
    draft.therapists(ratings.clients["therapist"])
    draft.fact("Ratings", Count(len(ratings.sessions), "rating"))
    draft.fact("Predictors", Number(len(found), "integer"))
    draft.resolved |= {"predictors": [p.name for p in found], "part": list(parts), "window": list(span)}
    note_severity(draft, found, a, y)
    asked = Asked(a, found, attachment, pairs, parts, span, styles_midpoint, groups, seed)
    report(draft, ratings, everybody, asked)
    return draft


def _symptoms(draft: Draft, predictors: tuple[str, ...] | None, outcome: str | None) -> Measure | None:
    """The measure of severity at intake, if it is a predictor and the study has one."""
    own = declared(draft.study)
    wanted = SEVERITY not in own and (predictors is None or SEVERITY in predictors)
    there = any(m.construct == "symptoms" for m in draft.study.measures.values())
    if outcome is None and not (wanted and there):
        return None
    return draft.measure("symptoms", outcome, fact="Severity")


def _known(draft: Draft, found: tuple[Predictor, ...]) -> tuple[Predictor, ...]:
    """The predictors that are known for somebody in the analysis, with the categories that occur."""
    people = draft.sessions[["client", "therapist"]].drop_duplicates("client")
    draft.needs(len(people), MIN_CLIENTS, "the analysis of predictors of the alliance")
    unknown = missing_in(people, found)
    if unknown:
        draft.find(
            "predictor_unknown",
            "caution",
            "These predictors are not known for any client in the analysis and are left out: {names}.",
            "predictors",
            names=listed(unknown),
        )
    kept = tuple(p for p in found if p.name not in unknown)
    if not kept:
        raise draft.too_little(
            "The study has no predictor of the alliance: no covariates of clients or therapists and no symptoms at intake. Name "
            "columns under 'covariates' in the study file.",
            "no_predictors",
        )
    return occurring(kept, people)


def _with_enough_therapists(
    draft: Draft, ratings: Ratings, found: tuple[Predictor, ...], needed: int
) -> tuple[Ratings, tuple[Predictor, ...]]:
    """Therapists are compared where they are enough for the effects between them; otherwise their own predictors leave."""
    if not ratings.split:
        return ratings, tuple(p for p in found if p.level == "client")
    therapists = number_of_therapists(ratings.clients["therapist"])
    needed = max(needed, len(found) + LEFT_OVER)
    if therapists >= needed:
        return ratings, found
    note_few_therapists(draft, therapists, needed)
    kept = tuple(p for p in found if p.level == "client")
    if not kept:
        raise draft.too_little(
            "All predictors are of therapists, and {n:noun} {n:is|are} too few to compare ({needed} are needed).",
            n=Number(therapists, "integer", "therapist"),
            needed=Number(needed, "integer"),
        )
    return replace(ratings, between=False), kept


__all__ = ["alliance_predictors"]
