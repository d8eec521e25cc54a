"""Early alliance and later symptom change, between clients of one therapist and between therapists."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.early_alliance import charts, tables, words
from alliance_longitudinal.analyses.early_alliance.clinics import clinic_effects
from alliance_longitudinal.analyses.early_alliance.compute import (
    EarlyModels,
    correlation_estimates,
    effect_estimates,
    fit_models,
    point_estimates,
    same_estimates,
    variance_estimates,
)
from alliance_longitudinal.analyses.early_alliance.deltas import Asked, delta_effects_of, many_left
from alliance_longitudinal.analyses.early_alliance.findings import early_findings
from alliance_longitudinal.analyses.early_alliance.groups import compare_groups
from alliance_longitudinal.analyses.early_alliance.latent import latent_effects
from alliance_longitudinal.analyses.early_alliance.leaving import changed_rows, leaving_effects
from alliance_longitudinal.analyses.early_alliance.length import show_length
from alliance_longitudinal.analyses.early_alliance.literature import (
    literature_estimates,
    placement_estimates,
    say_placement,
)
from alliance_longitudinal.analyses.early_alliance.scales import scale_effects
from alliance_longitudinal.analyses.early_alliance.sensitivity import sensitivity as other_choices
from alliance_longitudinal.analyses.early_alliance.sources import source_effects
from alliance_longitudinal.analyses.early_alliance.staying import weighted_effects
from alliance_longitudinal.analyses.early_alliance.together import show_together, together
from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Number,
    OutcomeName,
    Samples,
    Seed,
    Window,
    analysis,
    needs_change,
    shares_figure,
    time_unit,
)
from alliance_longitudinal.analyses.kit.benchmarks import (
    ALLIANCE_OUTCOME,
    benchmark_text,
    given_benchmark,
)
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Choices,
    EarlyDesign,
    differs,
    drafted_design,
    unadjusted,
)
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow


def _numbers(value: object) -> object:
    """A text such as ``0,2,5``, or one number, as numbers."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.strip("[]()").split(",") if part.strip())
    return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value


@analysis(
    "Early alliance and symptom change",
    "Do clients with a better early alliance improve more afterwards, and do therapists with better alliances have clients "
    "who improve more?",
    main=("slope_within", "end_within"),
)
def early_alliance(
    study: Study,
    window: Window = None,
    min_rated: Annotated[
        int, Field(ge=1, description="How many sessions of the early window must have an alliance score.")
    ] = 1,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    adjust_intake: Annotated[bool, Field(description="Adjust for intake severity.")] = True,
    adjust_early_change: Annotated[
        bool, Field(description="Adjust for symptom change up to the end of the window.")
    ] = True,
    horizon: Annotated[
        int | None,
        Field(
            ge=1,
            le=520,
            description="Weeks after the window (sessions, where the study has no dates and weeks) over which change is described, and "
            "before which a client without a later score counts as having left. None: the median follow-up.",
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        Field(
            description="Fill in the scores of clients who left, as expected and worse, by multiple imputation."
        ),
    ] = True,
    delta: Annotated[
        tuple[float, ...],
        BeforeValidator(_numbers),
        Field(
            max_length=20,
            description="Points worse than expected at the end of the follow-up for clients who left, such as 0,2,5. Negative: "
            "better.",
        ),
    ] = (-2.0, 0.0, 1.0, 2.0, 3.0, 5.0),
    m: Annotated[int, Field(ge=5, le=1000, description="Times that scores are filled in.")] = 50,
    benchmark: Annotated[
        str | None,
        BeforeValidator(benchmark_text),
        Field(
            description="Published correlations to place this clinic among: mu=0.278, se=0.011, tau2=0.03, k=295, source=Author 2020. "
            "mu is a correlation; se (of mu) and tau2 (variance of true correlations) are of Fisher's z. None: a published mean, without a "
            "place."
        ),
    ] = None,
    n_boot: Samples = 0,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Relate early alliance to later symptom change, separating therapists and clients.

    ``window`` also takes a single session, or text such as ``"1,5"``.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.early_alliance(al.load_study("demo"), window=(1, 5))
    >>> result.estimates.set_index("id").loc["slope_within", ["estimate", "ci_low", "ci_high"]].astype(float).round(3).tolist()
    [-0.02, -0.025, -0.015]
    """
    draft = Draft(study, clinic)
    asked = TimeWindow(*(window or study.early_window))
    _check_rated(min_rated, asked)
    choices = Choices(
        draft.measure("alliance", alliance),
        draft.measure("symptoms", outcome),
        asked,
        min_rated,
        adjust_intake,
        adjust_early_change,
        time_unit(study),
    )
    published = given_benchmark(benchmark) if benchmark else ALLIANCE_OUTCOME
    draft.resolved["window"] = [asked.first, asked.last]
    groups = draft.compare(by)
    draft.adjust(covariates)
    draft.with_therapists(
        needed=False, as_one=True, compared=True, why="only clients of the same therapist are compared"
    )
    design = drafted_design(draft, choices)
    choices = design.choices
    _check_clients(draft, design)
    models = fit_models(design, draft.fit)
    weeks = _horizon(draft, design, horizon)
    effects = effect_estimates(models, design)
    same = effect_estimates(models.same, design) if models.same else effects
    as_published = literature_estimates(design)
    draft.estimate(
        *effects,
        *same_estimates(models, same),
        *point_estimates(effects, design, weeks),
        *correlation_estimates(effects, design, same),
        *as_published,
        *placement_estimates(as_published, published),
    )
    variance, variance_models = variance_estimates(design, n_boot, seed, draft.fit)
    draft.estimate(*variance)
    draft.uses(*variance_models)
    others = other_choices(draft.sessions, choices, draft.adjusters if draft.covariates else unadjusted)
    words.answer(draft, design, weeks)
    say_placement(draft)
    tables.early_tables(draft, design, models, others.table, published)
    show_together(draft, together(others, design, weeks, seed), design.among)
    bars = {"share_level": "Symptom level", "share_change": "Rate of change"}
    latent_effects(draft, design)
    scale_effects(draft, design)
    source_effects(draft, design)
    show_length(draft, design)
    _checks(draft, design, models, seed)
    leaving_effects(draft, design, models, weeks, weighted_effects(draft, design, models))
    many_left(draft, design, weeks)
    deltas = delta_effects_of(draft, design, models, weeks, Asked(delta, m, seed)) if sensitivity else None
    changed_rows(draft, design.among)
    clinic_effects(draft, design, models)
    if groups is not None:
        compare_groups(draft, groups, choices)
    course = models.growth
    draft.show(
        charts.course_figure(course, design, weeks) if course else None,
        charts.correlation_figure(draft.estimates, published),
        shares_figure(
            draft.estimates,
            bars,
            f"Who differs: {'therapists, ' if design.n_therapists else ''}clients, sessions",
        )
        if course
        else None,
        charts.sensitivity_figure(others.table, design),
        deltas,
    )
    early_findings(draft, design, models)
    words.methods(draft, design, models, n_boot)
    words.leaving_methods(draft, design, m)
    words.limits(draft, design)
    return draft


def _checks(draft: Draft, design: EarlyDesign, models: EarlyModels, seed: int) -> None:
    """Residuals, floor and ceiling, and each therapist left out, for the primary estimate."""
    effect = draft["slope_within"]
    if models.growth is not None and effect is not None:
        draft.checks(
            models.growth,
            design.rows,
            design.choices.outcome,
            f"Effect of early alliance {design.among} ({design.choices.rate})",
            term="weeks:early_client",
            unit=effect.unit,
            seed=seed,
        )


def _horizon(draft: Draft, design: EarlyDesign, asked: int | None) -> float:
    """The time after the window over which change is described.

    Raises
    ------
    StudyError
        Nobody has a score as late as was asked.
    """
    if asked is None:
        return design.typical_followup
    last = float(design.clients["weeks_followed"].max())
    if asked > last:
        raise StudyError(
            f"Parameter 'horizon': no client has a score of {design.choices.outcome.instrument.label} {asked} {design.choices.time}s after "
            f"the window or later. The last score is {last:.0f} {design.choices.time}s after it."
        )
    return float(asked)


def _check_rated(min_rated: int, window: TimeWindow) -> None:
    if min_rated > window.sessions:
        raise StudyError(
            f"Parameter 'min_rated': {window} cannot have {min_rated} rated sessions. "
            f"Give at most {window.sessions}, or widen the window."
        )


def _check_clients(draft: Draft, design: EarlyDesign) -> None:
    """The header's numbers, and whether there is anything to relate to anything."""
    draft.fact(
        "Primary estimate",
        f"{design.among}, {'course' if design.course else 'change from intake'}",
    )
    draft.fact("Early window", str(design.choices.window))
    draft.fact("Clients", Count(design.n_clients, "client"))
    draft.therapists(design.n_therapists)
    draft.fact("Later outcome scores", Count(len(design.rows), "score"))
    draft.needs(
        design.n_clients,
        MIN_CLIENTS,
        "the early-alliance analysis",
        "Choose another early window, require fewer rated sessions, or analyse more clients together.",
    )
    needs_change(draft, design.choices.outcome)
    if not differs(design.clients["early"]):
        raise draft.too_little(
            "Early {alliance} is the same ({value}) for all {n} analysed clients, so it cannot be "
            "related to anything. Check that the study file names the right columns.",
            alliance=design.choices.alliance.instrument.label,
            value=Number(float(design.clients["early"].iloc[0])),
            n=Count(design.n_clients, "client"),
        )


__all__ = ["early_alliance"]
