"""Who differs, therapists, clients or sessions: for alliance and for symptoms."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from alliance_longitudinal.analyses.kit import (
    PERCENT,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    Groups,
    Names,
    Number,
    OutcomeName,
    Private,
    Samples,
    Seed,
    analysis,
    models_table,
    shares_figure,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.variance_partition.charts import caterpillar_figure, funnel_figure
from alliance_longitudinal.analyses.variance_partition.compute import (
    MIN_CLIENTS,
    Divided,
    clients_with,
    divide,
    with_clinics,
)
from alliance_longitudinal.analyses.variance_partition.tables import (
    show_correlation,
    show_reliability,
    show_shares,
    show_tests,
)
from alliance_longitudinal.analyses.variance_partition.therapists import (
    Therapists,
    correlation,
    correlation_estimates,
    describe,
    power_of_design,
    power_of_model,
    tests,
    therapists_of,
)
from alliance_longitudinal.analyses.variance_partition.words import (
    LIMITS,
    answer_correlation,
    answer_power,
    answer_share,
    method_of,
    no_correlation,
    not_in_order,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.labels import listing
from alliance_longitudinal.sentences import say

#: What is divided, as the figure names it.
_BARS = (("level", "level"), ("change", "rate of change"), ("end", "at the end, given intake"))


@analysis(
    "Who differs: therapists, clients, sessions",
    "How much of the differences in alliance and in symptoms lies between therapists, clients and sessions, and could this study "
    "have seen it?",
    main=("level_{alliance}_therapist", "level_{outcome}_therapist", "level_{measures}_therapist"),
    limits=LIMITS,
)
def variance_partition(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    measures: Annotated[
        Names,
        Field(
            description="Measures to divide instead of alliance and outcome: one or several of any kind, such as empathy,phq9. "
            "None: alliance and outcome, or all measures of a study that has neither."
        ),
    ] = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    n_boot: Samples = 0,
    share: Annotated[
        float,
        Field(
            gt=0,
            lt=0.5,
            description="A true share of variance between therapists, for the power of this study. 0.05 is about the mean of the "
            "literature.",
        ),
    ] = 0.05,
    n_sim: Annotated[
        int,
        Field(
            ge=100,
            le=10_000,
            description="Refits of the bootstrap that tests whether therapists differ in the rate of change. The smallest possible p is "
            "one over this number plus one. The bootstrap ends early when p is clearly above 10 %.",
        ),
    ] = 100,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Divide the variance of alliance and of symptoms, or of any measures, between therapists, clients and sessions.

    The report also says how often a study of this design would find that therapists differ, tests it, and describes the therapists
    without naming them.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.variance_partition(al.load_study("demo"))
    >>> shares = result.estimates.set_index("id")["estimate"]
    >>> round(float(shares.filter(like="level_phq9").filter(regex="^level").sum()), 6)
    1.0
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    asked = _measures(draft, alliance, outcome, measures)
    labels = listing([m.instrument.label for m in asked], "or")
    draft.with_therapists(needed=False, as_one=True, why="it separates clients from therapists")
    scored = draft.sessions[[m.name for m in asked]].notna().any(axis=1)
    draft.keep(
        scored,
        say("Sessions with {labels}", labels=labels),
        "no score at the session" if len(asked) == 1 else "no score of either at the session",
    )
    clinics = with_clinics(draft)
    sessions = draft.sessions
    draft.fact("Clients", Count(sessions["client"].nunique(), "client"))
    draft.therapists(sessions["therapist"])
    draft.fact("Sessions", Count(len(sessions), "session"))
    every: list[Divided] = []
    for k, measure in enumerate(asked):
        draft.needs(
            clients_with(sessions, measure),
            MIN_CLIENTS,
            say("the variance partition of {label}", label=measure.instrument.label),
        )
        scores = sessions[measure.name].dropna()
        if not scores.max() - scores.min() > 0:
            raise draft.too_little(
                "The scores of {label} do not differ, so there is nothing to divide.",
                label=measure.instrument.label,
            )
        if not sessions.loc[scores.index, "client"].duplicated().any():
            raise draft.too_little(
                "Each client has only one score of {label}, so differences between clients cannot be separated from those between sessions.",
                label=measure.instrument.label,
            )
        every += _divided(draft, measure, n_boot, seed + 10 * k, clinics)
        answer_share(draft, measure)
    if not draft.therapists_known:
        draft.say(
            "No therapist is named for these clients, so how much therapists differ cannot be estimated."
        )
    show_shares(draft, time_unit(study))
    bars = {
        f"{k}_{m.name}": say("{label}, {what}", label=m.instrument.label, what=words)
        for m in asked
        for k, words in _BARS
    }
    title = "Shares of variance between therapists, clients and sessions"
    draft.show(shares_figure(draft.estimates, bars, title))
    _therapists(draft, every, share, n_sim, seed)
    if groups is not None:
        _compare(draft, groups, asked, n_boot, seed)
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    draft.usual_findings(sessions.groupby("therapist")["client"].nunique(), clinics=not clinics)
    draft.method(*method_of(draft, asked, every, n_boot, n_sim, time_unit(study)))
    draft.cite("raudenbush2002")
    return draft


def _measures(
    draft: Draft, alliance: str | None, outcome: str | None, measures: Sequence[str] | None
) -> list[Measure]:
    """Those that were asked for; else alliance and symptoms, the one of them that the study has, or all of a study with neither."""
    there = {m.construct for m in draft.study.measures.values()}
    if measures is not None and not (alliance is None and outcome is None):
        raise StudyError("Name either 'measures', or 'alliance' and 'outcome'.")
    if measures or (alliance is None and outcome is None and not there & {"alliance", "symptoms"}):
        names = list(dict.fromkeys(measures or draft.study.measures))
        found = [draft.any_measure(name, "measures") for name in names]
        draft.resolved["measures"] = names
        return found
    asked = (("alliance", alliance, "Alliance"), ("symptoms", outcome, "Symptoms"))
    found = [
        draft.measure(kind, name, fact=fact)
        for kind, name, fact in asked
        if name is not None or kind in there
    ]
    for kind, name, _ in asked:
        if name is None and kind not in there:
            draft.find(
                "one_measure",
                "info",
                "The study has no {kind} measure, so the report is about {other} only.",
                kind=kind,
                other=found[0].label,
            )
    return found


def _divided(draft: Draft, measure: Measure, n_boot: int, seed: int, clinics: bool) -> list[Divided]:
    """The models of one measure, their estimates and their checks."""
    every = divide(draft, measure, draft.sessions, n_boot, seed, clinics=clinics)
    for k, found in enumerate(every):
        draft.estimate(*found.shares)
        if found.of_therapists and found.kind != "end":
            number = say("{what}: share between therapists", what=found.words)
            figures = found.kind == "change"
            draft.checks(
                found.fitted, found.rows, measure, number, share=found.effect, seed=seed + k, figures=figures
            )
    return every


def _therapists(draft: Draft, every: list[Divided], share: float, n_sim: int, seed: int) -> None:
    """Whether therapists differ, whether this study could have seen it, and how reliable single estimates are."""
    if not draft.therapists_known:
        return
    caseloads = draft.sessions.groupby("therapist")["client"].nunique()
    draft.estimate(*power_of_design(caseloads, share, seed))
    of_therapists = [d for d in every if d.of_therapists]
    for k, found in enumerate(of_therapists):
        draft.estimate(*tests(draft, found, n_sim, seed + k), *power_of_model(found, share, seed + k))
    show_tests(draft, every, share, n_sim)
    answer_power(draft, list(caseloads), int(caseloads.median()), share)
    described = [own for d in of_therapists if (own := therapists_of(d)) is not None]
    # Level of a process and end of the symptoms are one number a client; the level of symptoms includes intake.
    described = [
        own for own in described if own.divided.kind == "end" or own.divided.measure.construct != "symptoms"
    ]
    for own in described:
        draft.estimate(*describe(draft, own))
    show_reliability(draft, described)
    not_in_order(draft, described)
    _correlate(draft, every, described)
    draft.show(caterpillar_figure(described))
    draft.show(*(funnel_figure(own) for own in described if own.divided.kind == "end"))
    if of_therapists:
        draft.cite(
            "crainiceanu2004", "stram1994", "besag1991", "goldstein1995", "spiegelhalter2005", "johns2019"
        )


def _correlate(draft: Draft, every: list[Divided], described: list[Therapists]) -> None:
    """Therapists' effects on the alliance and on the outcome together."""
    level = next((d for d in every if d.kind == "level" and d.measure.construct == "alliance"), None)
    end = next((d for d in every if d.kind == "end"), None)
    if level is None or end is None or not (level.of_therapists and end.of_therapists):
        return
    if len(described) < 2:
        no_correlation(draft, "zero")
        return
    found = correlation(level, end)
    if isinstance(found, str):
        no_correlation(draft, found)
        return
    estimates = correlation_estimates(found, listing([level.measure.instrument.label, end.words]))
    if not any(e.level == "therapist" for e in estimates):
        no_correlation(draft, "zero")
        return
    draft.estimate(*estimates)
    show_correlation(draft)
    answer_correlation(draft)
    draft.cite("marcus2009")


def _compare(draft: Draft, groups: Groups, measures: list[Measure], n_boot: int, seed: int) -> None:
    """The shares between therapists of each group, and their differences."""
    found: dict[str, list[Estimate]] = {}
    level = "therapist" if draft.therapists_known else "client"
    for g, (group, rows) in enumerate(groups.split(draft.sessions), start=1):
        enough = [m for m in measures if clients_with(rows, m) >= MIN_CLIENTS]
        if not enough:
            draft.small_group(groups, group, MIN_CLIENTS)
        elif len(enough) < len(measures):
            few = listing([m.label for m in measures if m not in enough])
            draft.find(
                "group_not_compared",
                "caution",
                "{name} {group} has fewer than {needed} clients with scores of {few}, so the report does not compare its shares of {few}.",
                groups.name,
                name=groups.name,
                group=Private(group, "(one group)", rows["client"].nunique()),
                needed=Number(MIN_CLIENTS, "integer"),
                few=few,
            )
        divided = [
            each
            for k, m in enumerate(enough)
            for each in divide(draft, m, rows, n_boot, seed + 100 * g + 10 * k, group)
        ]
        found[group] = [e for d in divided for e in d.shares if e.level == level]
    draft.by_group(found, PERCENT, f"Shares between {level}s, from models of each group alone.")


__all__ = ["variance_partition"]
