"""One question under every defensible choice: early alliance and outcome in a multiverse of analyses."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Fitted,
    Number,
    OutcomeName,
    Seed,
    Window,
    analysis,
    coefficient_table,
    models_table,
    needs_change,
    time_unit,
)
from alliance_longitudinal.analyses.kit.curves import summary_of
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Choices,
    EarlyDesign,
    build_design,
    unadjusted,
)
from alliance_longitudinal.analyses.kit.scales import scale_scores
from alliance_longitudinal.analyses.multiverse import charts, tables, words
from alliance_longitudinal.analyses.multiverse.compute import Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import (
    ADJUST,
    ESTIMATORS,
    LEAST,
    OUTCOMES,
    TOTAL,
    WINDOWS,
    Early,
    Spec,
    specs_of,
)
from alliance_longitudinal.analyses.multiverse.groups import compare_groups
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow


def _texts(value: object) -> object:
    """A text such as ``total,bond``, or numbers, as texts."""
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[]()").split(",") if part.strip()]
    return tuple(str(v) for v in value) or None if isinstance(value, list | tuple) else value


Texts = Annotated[tuple[str, ...] | None, BeforeValidator(_texts)]


@analysis(
    "A multiverse of analyses",
    "Does the relation of early alliance and outcome depend on defensible choices?",
    main="mv_median",
    limits=words.LIMITS,
)
def multiverse(
    study: Study,
    window: Window = None,
    windows: Annotated[
        Texts,
        Field(
            description="Early windows to vary: a session (3), sessions (1-5), or the first rating of some (first5). "
            "None: 3, 1-3, 2-4, 3-5, 1-5, first5."
        ),
    ] = None,
    scales: Annotated[
        Texts,
        Field(
            description="Parts of the alliance to vary: total, lowest, and the names of the scales. None: all that the "
            "study has."
        ),
    ] = None,
    measures: Annotated[
        Texts, Field(description="Alliance measures to vary, by their names in the study file. None: all.")
    ] = None,
    adjust: Annotated[
        tuple[Literal["nothing", "intake", "change"], ...],
        BeforeValidator(_texts),
        Field(min_length=1, description="Adjustments to vary. change: intake severity and early change."),
    ] = ("nothing", "intake", "change"),
    outcomes: Annotated[
        tuple[Literal["slope", "last", "horizon", "recovered"], ...],
        BeforeValidator(_texts),
        Field(
            min_length=1,
            description="Outcomes to vary: rate of change, change to the last score, change at the horizon, recovery.",
        ),
    ] = ("slope", "last", "horizon", "recovered"),
    estimators: Annotated[
        tuple[Literal["least_squares", "three_level", "two_level"], ...],
        BeforeValidator(_texts),
        Field(min_length=1, description="Estimators to vary."),
    ] = ("least_squares", "three_level"),
    mixed_for: Annotated[
        Literal["total", "all"],
        Field(
            description="Parts of the alliance for which mixed models are fitted. all takes about a tenth of a second more "
            "for each further analysis."
        ),
    ] = "total",
    effect: Annotated[
        Literal["within", "between"],
        Field(description="Effect between clients of the same therapist, or between therapists."),
    ] = "within",
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    horizon: Annotated[
        float | None,
        Field(
            gt=0,
            description="Time after the window, in weeks (or sessions), of the outcome at a fixed time. None: as long as half "
            "of the clients are followed.",
        ),
    ] = None,
    n_perm: Annotated[int, Field(ge=19, le=100_000, description="Permutations of the joint test.")] = 500,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Relate early alliance to outcome in every combination of choices, and judge all analyses together.

    The main analysis, marked everywhere, is that of ``early_alliance``: the given window, the total score, the fullest adjustment
    and the first of the outcomes. Least-squares analyses are run again exactly in permuted data, mixed models with their
    variances held.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> quick = {"scales": "total", "estimators": "least_squares", "outcomes": "slope,last", "n_perm": 99}
    >>> result = al.multiverse(al.load_study("demo"), **quick)
    >>> float(result.estimates.set_index("id").loc["mv_p_mean_t", "estimate"])
    0.01
    """
    draft = Draft(study, clinic)
    asked = TimeWindow(*(window or study.early_window))
    a, y = draft.measure("alliance", alliance), draft.measure("symptoms", outcome)
    draft.resolved["window"] = [asked.first, asked.last]
    groups = draft.compare(by)
    draft.adjust(covariates)
    draft.with_therapists(
        needed=effect == "between",
        as_one=True,
        compared=True,
        why=f"only {'clients of the same therapist' if effect == 'within' else 'therapists'} are compared",
    )
    every = _measures(study, a, measures)
    parts = [(m, s) for m in every for s in _scales(draft, m, scales)]
    early = _windows(windows, asked)
    specs = specs_of(parts, early, adjust, outcomes, estimators, mixed_for_all=mixed_for == "all")
    main = _main(specs, a, asked)
    design = _main_design(draft, a, y, asked, main)
    setting = Setting(
        y,
        time_unit(study),
        effect,
        horizon or design.typical_followup,
        draft.adjusters if draft.covariates else unadjusted,
    )
    draft.resolved |= {"horizon": setting.horizon, "measures": [m.name for m in every]}
    draft.begin()
    found = multiverse_of(draft.sessions, specs, main, setting, n_perm, seed)
    own = None if found is None else found.of(found.question)
    if found is None or own is None:
        raise draft.too_little(
            "No analysis of the main question was possible: too few clients or therapists have the data that it needs."
        )
    sign = tables.main_sign(found)
    summary, total = summary_of(own, sign), summary_of(found.curve, sign)
    _facts(draft, design, len(specs), found.question)
    words.answer(draft, found, summary, total, setting)
    tables.estimates(draft, found, summary, total)
    draft.show(charts.main_curve(found), charts.every_curve(found))
    tables.show_tables(draft, found)
    if groups is not None:
        compare_groups(draft, groups, found, setting, design.choices, n_perm, seed)
    if found.fitted is not None:
        draft.uses(found.fitted)
        draft.show(models_table(draft.fitted), coefficient_table(found.fitted))
        _checks(draft, found.fitted, setting)
    words.findings(draft, found, summary)
    draft.usual_findings(design.clients.groupby("therapist").size())
    words.methods(draft, found, setting, n_perm)
    return draft


def _measures(study: Study, main: Measure, names: Sequence[str] | None) -> list[Measure]:
    """The alliance measures to vary, the main one first."""
    known = {m.name: m for m in study.measures.values() if m.construct == "alliance"}
    for name in names or ():
        if name not in known:
            raise StudyError(
                f"Parameter 'measures': the study has no alliance measure {name!r}. It has: {', '.join(known)}."
            )
    chosen = [known[name] for name in dict.fromkeys(names or known)]
    return [main, *(m for m in chosen if m.name != main.name)]


def _scales(draft: Draft, measure: Measure, names: Sequence[str] | None) -> list[str]:
    """The parts of a measure to vary, the total first."""
    known = [TOTAL, *map(str, scale_scores(draft.sessions, measure))]
    if names is None:
        return known
    wrong = [name for name in names if name not in known]
    if wrong and measure.name == draft.resolved["alliance"]:
        raise StudyError(
            f"Parameter 'scales': {measure.label} has no part {wrong[0]!r}. It has: {', '.join(known)}."
        )
    return [name for name in known if name == TOTAL or name in names]


def _windows(names: Sequence[str] | None, main: TimeWindow) -> list[Early]:
    """The definitions of early to vary, the main one among them."""
    found = list(dict.fromkeys(Early.parse(name) for name in names or WINDOWS))
    return found if Early(main) in found else [Early(main), *found]


def _main(specs: Sequence[Spec], alliance: Measure, window: TimeWindow) -> Spec:
    """The analysis that a reader would plan: the fullest adjustment, a three-level model where there is one."""
    own = [
        s for s in specs if s.measure.name == alliance.name and s.scale == TOTAL and s.early == Early(window)
    ]
    order = list(ADJUST)[::-1], list(OUTCOMES), ["three_level", LEAST, "two_level"]
    assert set(order[2]) == set(ESTIMATORS)
    return min(
        own, key=lambda s: (order[0].index(s.adjust), order[1].index(s.outcome), order[2].index(s.estimator))
    )


def _main_design(draft: Draft, a: Measure, y: Measure, window: TimeWindow, main: Spec) -> EarlyDesign:
    """Who is in the main analysis; the sample flow is theirs."""
    choices = Choices(
        a, y, window, 1, main.adjust != "nothing", main.adjust == "change", time_unit(draft.study)
    )
    design = build_design(draft.sessions, draft.flow, choices, MIN_THERAPISTS, draft.adjusters)
    draft.flow = design.flow
    draft.analysed = design.clients["client"]
    draft.needs(
        design.n_clients,
        MIN_CLIENTS,
        "the multiverse",
        "Choose another early window, or adjustments that need fewer scores.",
    )
    needs_change(draft, y)
    return design


def _facts(draft: Draft, design: EarlyDesign, cells: int, question: str) -> None:
    draft.fact("Main question", question)
    draft.fact("Main window", str(design.choices.window))
    draft.fact("Analyses", Number(cells, "integer"))
    draft.fact("Clients of the main analysis", Count(design.n_clients, "client"))
    draft.therapists(design.n_therapists)


def _checks(draft: Draft, fitted: Fitted, setting: Setting) -> None:
    """Residuals, floor and ceiling, and each therapist left out, of the main analysis if it is a model of the course."""
    term = f"weeks:early_{'client' if setting.effect == 'within' else 'therapist'}"
    if term in fitted.result.params:
        label = "Effect of the alliance in the main analysis, per alliance point"
        draft.checks(fitted, fitted.result.data, setting.outcome, label, term=term, unit="points per week")


__all__ = ["multiverse"]
