"""What clients of the same group or therapist share, and what follows."""

from typing import Annotated

from pydantic import Field

from alliance_longitudinal.analyses.group_effects.design import (
    MIN_CLIENTS,
    MIN_GROUPS,
    Shape,
    Unit,
    shared_of,
)
from alliance_longitudinal.analyses.group_effects.parts import (
    arms_of,
    by_group,
    likeness_of,
    ratings_of,
    several_of,
)
from alliance_longitudinal.analyses.group_effects.tables import show
from alliance_longitudinal.analyses.group_effects.words import LIMITS, answer, findings, methods
from alliance_longitudinal.analyses.kit import (
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Number,
    OutcomeName,
    Window,
    analysis,
    needs_change,
)
from alliance_longitudinal.data.study import Study


@analysis(
    "What clients share",
    "How alike are clients of the same group or therapist, and what does this mean for the comparison of treatments?",
    main="icc",
    limits=LIMITS,
)
def group_effects(
    study: Study,
    shared: Annotated[
        Unit | None,
        Field(
            description="What clients share: group or therapist. None: groups if the study has them, otherwise therapists."
        ),
    ] = None,
    rating: Annotated[
        str | None,
        Field(
            description="Rating of the members of groups, such as cohesion or alliance, by its name in the study file. None: a measure of group climate, "
            "otherwise the first alliance measure."
        ),
    ] = None,
    outcome: OutcomeName = None,
    shape: Annotated[
        Shape, Field(description="Course over time when arms are compared. linear, or log: fast at first.")
    ] = "linear",
    until: Annotated[
        float | None,
        Field(
            gt=0,
            description="Leave out scores later than this after the first session, in the study's unit of time. None: keep all.",
        ),
    ] = None,
    window: Window = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Estimate likeness within groups, compare arms with partial nesting, and separate a member from the rest of the group.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.group_effects(al.load_study("demo"))
    >>> result.estimates["id"].tolist()[:2]
    ['icc', 'design_effect']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    y = draft.measure("symptoms", outcome)
    draft.with_therapists(needed=False, alone=True)
    if not draft.therapists_known:
        draft.sessions = draft.sessions.drop(columns="therapist")
    draft.keep(draft.sessions["week"].notna(), "Sessions with a known time", "no date or week at the session")
    found = shared_of(draft, y, shared, shape, until)
    draft.resolved["shared"] = found.unit
    draft.fact("Shared", "therapy groups" if found.unit == "group" else "therapists")
    draft.fact("Clients", Count(len(found.clients), "client"))
    draft.needs(len(found.changed), MIN_CLIENTS, "the analysis of what clients share")
    needs_change(draft, y)
    n = len(found.sizes)
    draft.fact("With two or more clients", Number(n, "integer", found.unit))
    if n < MIN_GROUPS:
        raise draft.too_little(
            "{n:noun} {n:has|have} two or more clients with two scores, and at least {needed} are needed to estimate what clients share.",
            n=Number(n, "integer", found.unit),
            needed=Number(MIN_GROUPS, "integer"),
        )
    draft.begin()
    likeness_of(draft, found)
    arms = arms_of(draft, found)
    rated = ratings_of(draft, found, rating, window or study.early_window)
    several = several_of(draft, found)
    answer(draft, found, arms, several)
    show(draft, found, arms)
    if groups is not None:
        by_group(draft, found, groups)
    findings(draft, found, arms)
    if found.unit == "therapist":
        draft.usual_findings(found.sizes)
    methods(draft, found, arms, several, rated.label if rated is not None else "", shape)
    return draft


__all__ = ["group_effects"]
