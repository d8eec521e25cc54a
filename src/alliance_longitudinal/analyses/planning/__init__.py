"""What a planned study can find, from this study's own estimates."""

from typing import Annotated, Literal

from pydantic import Field

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
    Window,
    analysis,
    models_table,
    needs_change,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.kit.early_design import MIN_CLIENTS
from alliance_longitudinal.analyses.planning.basis import Basis, with_report
from alliance_longitudinal.analyses.planning.charts import power_figure
from alliance_longitudinal.analyses.planning.compute import Planned, make_plan, simulations
from alliance_longitudinal.analyses.planning.ground import (
    alliance_of,
    compare_groups,
    ground_of,
    refuse_effects,
)
from alliance_longitudinal.analyses.planning.tables import show_arms, show_power, show_simulated, show_sizes
from alliance_longitudinal.analyses.planning.therapists import answer_of_therapists, show_differences
from alliance_longitudinal.analyses.planning.words import LIMITS, REFUSED, answer, method_of, notes
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import DataError, StudyError
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
    effect_sd: Annotated[
        float | None,
        Field(
            ge=0,
            description="Standard deviation between therapists of the effect within them, in the units of 'within'; 0: the same for all. None: the "
            "upper limit of this study's interval, or half of the effect if the study has too few therapists.",
        ),
    ] = None,
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
    adjust_intake: Annotated[
        bool, Field(description="Adjust this study's model for intake severity.")
    ] = True,
    adjust_early_change: Annotated[
        bool,
        Field(description="Adjust this study's model for symptom change up to the end of the early window."),
    ] = True,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Plan a study from this study's variances and from the ends of its intervals: closed forms at once, then simulated studies.

    The model is the main one of ``early_alliance``: the rate of change by the alliance of clients of one therapist, and of
    therapists, with an effect that differs between therapists where there are enough. A study without an alliance measure gives a plan for
    differences between therapists. The power for a study's own estimate is refused.

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
    a, y = alliance_of(draft, study, alliance), draft.measure("symptoms", outcome)
    given = {"within": within, "between": between, "effect_sd": effect_sd, "share": share}
    if a is None:
        refuse_effects(given)
    asked = TimeWindow(*(window or study.early_window))
    draft.resolved["window"] = [asked.first, asked.last]
    draft.adjust(covariates)
    draft.with_therapists(why="the plan needs differences between therapists")
    ground = ground_of(draft, a, y, asked, (adjust_intake, adjust_early_change))
    draft.needs(len(ground.clients), MIN_CLIENTS, "planning from a study")
    needs_change(draft, y)
    draft.fact("Clients", Count(len(ground.clients), "client"))
    draft.therapists(ground.clients["therapist"])
    time = time_unit(study)
    rate = f"{y.instrument.label} points per {time}"
    basis = _with_rates(draft, ground.basis(draft, draft.fit))
    adviser = "This study"
    if from_report is not None:
        basis, name = with_report(basis, from_report, a, y, time)
        adviser = f"The report of {name}"
    planned = _plan(basis, therapists, clients, sessions, given, (dropout, missing, power))
    show_sizes(draft, basis, planned, f"{rate} per SD")
    show_power(draft, basis, planned)
    if difference is not None:
        _refuse_zero("difference", difference, "difference")
        show_arms(draft, basis, planned, difference, controls, rate)
    found = simulations(planned, n_sim, seed)
    show_simulated(draft, basis, planned, found)
    own = found[therapists]
    if planned.effects:
        answer(draft, planned, y, time, own, adviser)
        draft.show(power_figure(planned, "between", found), power_figure(planned, "within", found))
    else:
        answer_of_therapists(draft, planned, adviser)
        show_differences(draft, planned)
        draft.show(power_figure(planned, "therapists", found))
    if groups is not None:
        compare_groups(draft, groups, ground, y, f"{rate} per SD")
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    notes(draft, basis, planned, own, f"{rate} per SD", adviser)
    draft.usual_findings(ground.clients.groupby("therapist").size())
    draft.method(*method_of(a, y, basis, planned, n_sim, time))
    draft.cite("raudenbush2002", "snijders2012", "hoenig2001", "schiefele2017")
    return draft


def _with_rates(draft: Draft, basis: Basis) -> Basis:
    """The basis, if it says how much clients differ in their rates of change."""
    if not basis.client[1, 1] > 0:
        raise draft.too_little(
            "The data do not show how much clients differ in their rates of change: {why}. A plan needs this number. Analyse clients with three or "
            "more scores{after}.",
            why="too few clients have three scores"
            if not basis.fitted.structure.client_slope
            else "the variance is estimated as zero",
            after=" after the early window" if basis.effects else "",
        )
    return basis


def _refuse_zero(name: str, value: float | None, what: str) -> None:
    if value == 0:
        raise StudyError(
            f"Parameter '{name}': no number of clients finds {'a difference' if what == 'difference' else 'an effect'} of 0. Give the smallest "
            f"{what} that matters."
        )


def _plan(
    basis: Basis,
    therapists: int,
    clients: tuple[int, ...],
    sessions: int,
    given: dict[str, float | None],
    rest: tuple[float, float, float],
) -> Planned:
    for name in ("within", "between"):
        _refuse_zero(name, given[name], "effect")
    try:
        return make_plan(basis, therapists, clients, sessions, given, *rest)
    except DataError as error:
        raise StudyError(f"Parameter 'clients': {error}") from None


__all__ = ["planning"]
