"""For whom, with whom and in which treatment the early alliance matters more."""

from typing import Annotated

from pydantic import Field

from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Names,
    OutcomeName,
    Seed,
    Window,
    analysis,
    needs_change,
    time_unit,
)
from alliance_longitudinal.analyses.moderators.asked import (
    MIN_CLIENTS,
    Asked,
    Kind,
    Sample,
    choose,
    moderator_of,
    sample_of,
)
from alliance_longitudinal.analyses.moderators.charts import figures
from alliance_longitudinal.analyses.moderators.compute import fit_all, tests_of
from alliance_longitudinal.analyses.moderators.design import Moderated, design_for
from alliance_longitudinal.analyses.moderators.estimates import numbers_of, per
from alliance_longitudinal.analyses.moderators.findings import about, not_tested, note
from alliance_longitudinal.analyses.moderators.groups import compare_groups
from alliance_longitudinal.analyses.moderators.tables import show_models, show_tables
from alliance_longitudinal.analyses.moderators.words import LIMITS, answer, methods, overview, span_words
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.timing import TimeWindow


@analysis(
    "For whom the alliance matters more",
    "For whom, with whom and in which treatment is the early alliance more strongly related to later change?",
    main=("mod_{planned}_within", "mod_{planned}_*", "mod_*"),
    limits=LIMITS,
)
def moderators(
    study: Study,
    moderators: Annotated[
        Names,
        Field(
            description="Covariates of clients or therapists that may moderate the effect, by their names in the study file, such as "
            "age,experience; 'arm' is the treatment arm and 'intake' the severity at intake. None: all of them."
        ),
    ] = None,
    planned: Annotated[
        str | None,
        Field(
            description="The moderator that was planned before the data were seen. It is tested on its own, without correction. None: "
            "the only one, if one is named."
        ),
    ] = None,
    window: Window = None,
    min_rated: Annotated[
        int, Field(ge=1, description="How many sessions of the early window must have an alliance score.")
    ] = 1,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    adjust_early_change: Annotated[
        bool, Field(description="Adjust for symptom change up to the end of the window.")
    ] = True,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Test on what the effect of early alliance within therapists depends, and where it is clear.

    A number is not cut into groups: the effect is followed along it. A category stays a category.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.moderators(al.load_study("demo"), moderators="Sex")
    >>> sorted(result.estimates["id"])[0]
    'mod_Sex_between'
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    asked = Asked(
        draft.measure("alliance", alliance),
        draft.measure("symptoms", outcome),
        TimeWindow(*(window or study.early_window)),
        time_unit(study),
    )
    names = choose(study, moderators, planned)
    planned = planned or (names[0] if moderators is not None and len(names) == 1 else None)
    draft.resolved |= {
        "window": [asked.window.first, asked.window.last],
        "moderators": names,
        "planned": planned,
    }
    known = "therapist" in draft.sessions and bool(draft.sessions["therapist"].notna().any())
    draft.with_therapists(needed=known, partial=True)
    sample = sample_of(draft, asked, min_rated=min_rated, adjust_early_change=adjust_early_change)
    _header(draft, sample, planned)
    designs = _designs(draft, sample, names)
    kind: Kind = "slope" if sample.course else "end"
    draft.begin()
    models = fit_all(draft, designs, kind)
    if not models:
        raise draft.too_little("No moderator could be tested. The findings say why.", "no_moderator")
    draft.uses(*(m.fitted for m in models.values()))
    tests = tests_of(models, planned)
    first = planned if planned in models else min(tests, key=lambda t: t.p).moderator
    main = models[first]
    numbers = {
        name: numbers_of(models[name], sample.weeks, main=name == first)
        for name in [first, *(n for n in models if n != first)]
    }
    draft.estimate(*(e for own in numbers.values() for e in own.all))
    chosen = next(t for t in tests if t.moderator == first)
    overview(draft, tests, chosen)
    answer(draft, main, chosen, numbers[first].line, sample.weeks)
    show_tables(draft, models, tests, numbers, span_words(main, sample.weeks))
    draft.show(*figures(main, numbers, sample.weeks))
    show_models(draft, main)
    if groups is not None:
        compare_groups(draft, groups, sample, list(models))
    if kind == "slope":
        draft.checks(
            main.fitted,
            main.design.rows,
            asked.outcome,
            f"Difference of the effect of early alliance by {main.design.moderator.label}",
            term=str(main.term(main.design.part, main.design.along)),
            unit=per(main),
            seed=seed,
        )
    note(draft, models, numbers, planned, sample.weeks)
    methods(draft, main, sample.adjust, planned, min_rated)
    return draft


def _header(draft: Draft, sample: Sample, planned: str | None) -> None:
    """Who is analysed, and whether there are enough."""
    n = len(sample.clients)
    draft.fact("Planned moderator", planned or "none")
    draft.fact("Early window", str(sample.asked.window))
    draft.fact("Clients", Count(n, "client"))
    draft.therapists(sample.clients["therapist"])
    draft.needs(n, MIN_CLIENTS, "the analysis of moderators")
    needs_change(draft, sample.asked.outcome)
    early = sample.clients["early"]
    if not early.max() - early.min() > 0:
        raise draft.too_little(
            "Early {alliance} is the same for all analysed clients, so it cannot be related to anything.",
            alliance=sample.asked.alliance.instrument.label,
        )


def _designs(draft: Draft, sample: Sample, names: list[str]) -> dict[str, Moderated]:
    """Rows and terms of each moderator that can be tested."""
    out = {}
    for name in names:
        moderator = moderator_of(draft.study, sample, name)
        design = design_for(draft, sample, moderator)
        if isinstance(design, str):
            not_tested(draft, moderator, design)
        else:
            about(draft, sample, design)
            out[name] = design
    return out


__all__ = ["moderators"]
