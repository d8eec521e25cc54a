"""Couples, families, and clients with carers: own and other members' alliances."""

from typing import Annotated

from pydantic import Field

from alliance_longitudinal.analyses.dyads.compute import (
    case_table,
    fit_pairs,
    group_of,
    pair_estimates,
    pair_tests,
    retention,
    split_estimates,
)
from alliance_longitudinal.analyses.dyads.design import Asked, Missing, check_enough, members
from alliance_longitudinal.analyses.dyads.groups import compare_groups
from alliance_longitudinal.analyses.dyads.tables import show
from alliance_longitudinal.analyses.dyads.words import LIMITS, answer, findings, method_of
from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    OutcomeName,
    Window,
    analysis,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow

Other = Annotated[
    str | None,
    Field(
        description="If somebody else rates as well as the client, such as a carer: that person's alliance measure, by its name in the study "
        "file. None: members are the clients of one couple or family."
    ),
]
OtherOutcome = Annotated[
    str | None, Field(description="With partner_alliance: the outcome measure of the same person.")
]


@analysis(
    "Couples, families and carers",
    "Is a member's outcome related to the member's own early alliance, to the other member's, and to how far apart they are?",
    main=("actor", "actor_*"),
    limits=LIMITS,
)
def dyads(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    role: Annotated[
        str | None,
        Field(
            description="Covariate of clients with two categories that says who is who in a couple or family. None: members "
            "are exchangeable."
        ),
    ] = None,
    partner_alliance: Other = None,
    partner_outcome: OtherOutcome = None,
    system: Annotated[
        str | None,
        Field(
            description="A measure of the alliance of the members with one another (shared purpose), by its name in the study file. None: not "
            "in the model."
        ),
    ] = None,
    window: Window = None,
    missing: Annotated[
        Missing,
        Field(
            description="What happens if a member or a score of a member is missing. error: the analysis stops and says how many. drop: the case is left "
            "out. fiml: full information, all scores that are there."
        ),
    ] = "error",
    adjust_intake: Annotated[
        bool, Field(description="Adjust for the own first score of the outcome.")
    ] = True,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Relate the outcome of each member of a case to the own alliance and to the other member's.

    A missing member is an explicit choice (``missing``), because each choice answers another question.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.dyads(al.load_study("demo"))
    >>> "names no couples or families" in result.answer[0]
    True
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    asked = Asked(
        draft.measure("alliance", alliance),
        draft.measure("symptoms", outcome),
        *_other(draft, partner_alliance, partner_outcome),
        role,
        None if system is None else draft.any_measure(system, "system"),
        TimeWindow(*(window or study.early_window)),
        adjust_intake,
        missing,
    )
    draft.resolved |= {"window": [asked.window.first, asked.window.last]}
    draft.with_therapists(needed=False, partial=True)
    cases = members(draft, asked)
    draft.analysed = cases.people["client"].drop_duplicates()
    check_enough(draft, cases, asked)
    draft.fact("Cases", Count(cases.n, "case"))
    draft.fact("Members", Count(len(cases.people), "member"))
    draft.therapists(cases.people["therapist"])
    draft.begin()
    found = fit_pairs(draft, cases, asked, roles=bool(cases.roles))
    draft.models["pairs"] = found
    comparable = asked.same_alliance and asked.same_outcome
    if cases.roles:
        draft.estimate(*pair_estimates(found, cases.roles, asked))
    if comparable:
        equal = fit_pairs(draft, cases, asked, roles=False) if cases.roles else found
        draft.models |= {"pairs_equal": equal} if cases.roles else {}
        draft.estimate(*pair_estimates(equal, (), asked))
    draft.estimate(*pair_tests(found, comparable=comparable))
    table = case_table(cases, draft.sessions, asked)
    unit = f"{asked.outcome.instrument.label} points per {asked.alliance.instrument.label} point"
    split = split_estimates(draft, cases, table, asked, unit) if comparable else []
    left = retention(draft, cases, table, draft.sessions, asked) if asked.same_alliance else []
    draft.estimate(*split, *left)
    answer(draft, cases, asked)
    group = group_of(draft, cases, asked)
    findings(draft, cases, asked, found, group)
    show(draft, cases, asked)
    if groups is not None and comparable:
        compare_groups(draft, groups, cases, asked)
    draft.usual_findings(cases.people.groupby("therapist")["case"].nunique(), therapists=False)
    draft.method(*method_of(asked, cases, group, split=bool(split), retention=bool(left)))
    draft.cite("kenny2006", "cook2005")
    return draft


def _other(draft: Draft, alliance: str | None, outcome: str | None) -> tuple[Measure | None, Measure | None]:
    """The measures of the other rater; both or neither."""
    if (alliance is None) != (outcome is None):
        raise StudyError("Give partner_alliance and partner_outcome together, or neither.")
    if alliance is None or outcome is None:
        return None, None
    return (
        draft.measure("alliance", alliance, "partner_alliance", "Other alliance"),
        draft.measure("symptoms", outcome, "partner_outcome", "Other outcome"),
    )


__all__ = ["dyads"]
