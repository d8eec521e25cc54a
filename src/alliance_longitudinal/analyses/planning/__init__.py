"""What a planned study can find, from this study's own estimates."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.kit import (
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
    Seed,
    Window,
    analysis,
    models_table,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.planning.basis import (
    MIN_CLIENTS,
    Basis,
    landmark_rows,
    own_basis,
    own_estimates,
    with_report,
)
from alliance_longitudinal.analyses.planning.charts import power_figure
from alliance_longitudinal.analyses.planning.compute import Planned, make_plan, simulations
from alliance_longitudinal.analyses.planning.tables import show_arms, show_power, show_simulated, show_sizes
from alliance_longitudinal.analyses.planning.words import LIMITS, REFUSED, answer, method_of, notes
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import DataError, FitError, StudyError
from alliance_longitudinal.sentences import told
from alliance_longitudinal.timing import TimeWindow

Caseloads = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1000)], ...],
    AS_NUMBERS,
    Field(
        min_length=1,
        description="Clients of each therapist, such as 10; or caseloads that the therapists take in turn, such as 5,10,20.",
    ),
]
Size = Annotated[
    float | None,
    Field(
        description="Effect on the rate of change to plan for: outcome points per unit of time, per standard deviation of the alliance. "
        "None: the end of this study's 95 % interval that is nearer to zero."
    ),
]
Chance = Annotated[float, Field(ge=0, lt=0.9)]


@analysis(
    "Planning a study",
    "What could a planned study find of the alliance and of therapists, and how many therapists and clients does it need?",
    main="power_within",
    limits=LIMITS,
)
def planning(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    window: Window = None,
    therapists: Annotated[int, Field(ge=3, le=500, description="Therapists of the planned study.")] = 40,
    clients: Caseloads = (10,),
    sessions: Annotated[
        int, Field(ge=3, le=60, description="Assessments of each client, as far apart as in this study.")
    ] = 8,
    within: Size = None,
    between: Size = None,
    share: Annotated[
        float | None,
        Field(
            gt=0,
            lt=0.9,
            description="Therapists' share of the variance of true rates of change. None: the upper limit of this study's interval for effects, the "
            "lower one for finding that therapists differ.",
        ),
    ] = None,
    sizes: Annotated[
        Literal["interval", "estimate"],
        Field(
            description="Source of the sizes that are not given: the ends of 95 % intervals. 'estimate' (observed power) is refused."
        ),
    ] = "interval",
    from_report: Annotated[
        str | None,
        Field(
            description="Path of a report's results.json (early_alliance or planning) whose intervals are used instead of this study's."
        ),
    ] = None,
    dropout: Annotated[
        Chance, Field(description="Probability of leaving before each assessment after the first.")
    ] = 0.0,
    missing: Annotated[Chance, Field(description="Probability that a score is missing.")] = 0.0,
    difference: Annotated[
        float | None,
        Field(description="Difference between two arms' rates of change, to plan a trial. None: no arms."),
    ] = None,
    controls: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Clients of an arm without therapists, for a trial in which only one arm has therapists. 0: both arms have them.",
        ),
    ] = 0,
    power: Annotated[float, Field(gt=0.05, lt=1, description="Wanted power.")] = 0.8,
    n_sim: Annotated[
        int,
        Field(
            ge=50,
            le=20_000,
            description="Simulated studies of the plan; 1000 give a power to about one percent.",
        ),
    ] = 300,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Plan a study from this study's variances and from the ends of its intervals: closed forms at once, then simulated studies.

    The model of the planned study is that of ``early_alliance``: the rate of change by the alliance of clients of one therapist, and of
    therapists. The power for a study's own estimate is refused.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.planning(al.load_study("demo"), therapists=20, n_sim=50)
    >>> power = result.estimates.set_index("id")["estimate"]
    >>> bool(power["power_within"] > power["power_between"])
    True
    """
    if sizes == "estimate":
        raise StudyError(REFUSED)
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    a, y = draft.measure("alliance", alliance), draft.measure("symptoms", outcome)
    asked = TimeWindow(*(window or study.early_window))
    draft.resolved["window"] = [asked.first, asked.last]
    draft.adjust(covariates)
    draft.with_therapists()
    people, followup = landmark_rows(draft, a, y, asked)
    draft.needs(len(people), MIN_CLIENTS, "planning from a study")
    draft.fact("Clients", Count(len(people), "client"))
    draft.therapists(int(people["therapist"].nunique()))
    time = time_unit(study)
    unit = f"{y.instrument.label} points per {time} per SD"
    draft.begin()
    basis = _basis(draft, people, followup)
    adviser = "This study"
    if from_report is not None:
        basis, name = with_report(basis, from_report, a, y, time)
        adviser = f"The report of {name}"
    planned = _plan(
        basis,
        therapists,
        clients,
        sessions,
        {"within": within, "between": between, "share": share},
        (dropout, missing, power),
    )
    show_sizes(draft, basis, planned, unit)
    show_power(draft, basis, planned)
    if difference is not None:
        if difference == 0:
            raise StudyError(
                "Parameter 'difference': no number of clients finds a difference of 0. Give the smallest difference that matters."
            )
        show_arms(draft, basis, planned, difference, controls, f"{y.instrument.label} points per {time}")
    found = simulations(planned, n_sim, seed)
    show_simulated(draft, basis, planned, found)
    own = found[therapists]
    answer(draft, planned, y, time, own, adviser)
    draft.show(power_figure(planned, "between", found), power_figure(planned, "within", found))
    if groups is not None:
        _compare(draft, groups, people, followup, unit)
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    notes(draft, basis, planned, own, unit, adviser)
    draft.usual_findings(people.groupby("therapist").size())
    draft.method(*method_of(a, y, basis, planned, n_sim, time))
    draft.cite("raudenbush2002", "snijders2012", "hoenig2001", "schiefele2017")
    return draft


def _basis(draft: Draft, people: pd.DataFrame, followup: pd.DataFrame) -> Basis:
    try:
        basis = own_basis(people, followup, draft.adjusters)
    except FitError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None
    draft.uses(basis.fitted)
    if not basis.client[1, 1] > 0:
        raise draft.too_little(
            "The data do not show how much clients differ in their rates of change: {why}. A plan needs this number. Analyse clients with three or "
            "more scores after the early window.",
            why="too few clients have three scores"
            if not basis.fitted.structure.client_slope
            else "the variance is estimated as zero",
        )
    return basis


def _plan(
    basis: Basis,
    therapists: int,
    clients: tuple[int, ...],
    sessions: int,
    given: dict[str, float | None],
    rest: tuple[float, float, float],
) -> Planned:
    for name in ("within", "between"):
        if given[name] == 0:
            raise StudyError(
                f"Parameter '{name}': no number of clients finds an effect of 0. Give the smallest effect that matters."
            )
    try:
        return make_plan(basis, therapists, clients, sessions, given, *rest)
    except DataError as error:
        raise StudyError(f"Parameter 'clients': {error}") from None


def _compare(draft: Draft, groups: Groups, people: pd.DataFrame, followup: pd.DataFrame, unit: str) -> None:
    """The effects that each group's own interval suggests."""
    found: dict[str, list[Estimate]] = {}
    for group, own in groups.split(people):
        if len(own) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            found[group] = []
            continue
        rows = followup[followup["client"].isin(own["client"])]
        basis = own_basis(own, rows, draft.adjusters, f"own_{group}", f"Course after the window ({group})")
        draft.uses(basis.fitted)
        found[group] = [e for e in own_estimates(basis, unit) if e.id in ("own_within", "own_between")]
    draft.by_group(
        found,
        ESTIMATE,
        "Effects on the rate of change per standard deviation, from models of each group alone.",
    )


__all__ = ["planning"]
