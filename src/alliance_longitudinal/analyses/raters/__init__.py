"""Whether raters of the alliance agree, and whether its link with outcome is more than a shared rater."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.kit import (
    AS_NAMES,
    ENDPOINT,
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
    Window,
    analysis,
    coefficient_table,
    find_covariates,
    models_table,
    say_not_compared,
    variance_table,
)
from alliance_longitudinal.analyses.raters import words
from alliance_longitudinal.analyses.raters.charts import difference_figure, source_figure
from alliance_longitudinal.analyses.raters.compute import (
    TRACKING,
    difference_change,
    fit_gap,
    gap_estimates,
    moderator_estimates,
    recip_estimates,
    reciprocity,
)
from alliance_longitudinal.analyses.raters.design import (
    Pair,
    Rated,
    choose_pair,
    client_means,
    outcomes_of,
    parts_of,
    rated_by_both,
)
from alliance_longitudinal.analyses.raters.sources import (
    Sources,
    Surface,
    both_raters,
    source_estimates,
    sources_of,
    surface_estimates,
    surface_of,
)
from alliance_longitudinal.analyses.raters.tables import (
    gap_tables,
    recip_tables,
    source_tables,
    surface_tables,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import told
from alliance_longitudinal.timing import TimeWindow

MIN_CLIENTS = 20
SOURCE = ("source_", "same_source", "cross_source", "agreement_")


@analysis(
    "Raters of the alliance",
    "Do client, therapist and observer agree on the alliance, who rates it higher, and is its link with outcome more than a shared rater?",
    main="gap",
    limits=words.LIMITS,
)
def raters(
    study: Study,
    alliance: AllianceName = None,
    raters: Annotated[
        tuple[str, ...] | None,
        AS_NAMES,
        Field(
            description="The second rater of the alliance, or both, such as client,therapist: raters, or names of "
            "alliance measures. The first is the one that the second is compared with. None: the client and the "
            "first other rater."
        ),
    ] = None,
    outcome: OutcomeName = None,
    window: Window = None,
    items: Annotated[
        Literal["matched", "stated"],
        Field(
            description="Whether both raters' forms have the same items. matched: if it is the same "
            "questionnaire. stated: you know that two questionnaires have the same items and answers."
        ),
    ] = "matched",
    moderators: Annotated[
        tuple[str, ...] | None,
        AS_NAMES,
        Field(
            description="What the gap may depend on: covariates of the study file, such as attachment,experience; "
            "'session' for the tracking over sessions. None: nothing."
        ),
    ] = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Compare two raters of the alliance: level, tracking, reciprocity, and the link with outcome by source.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.raters(al.load_study("demo"))
    >>> result.status["code"]
    'underpowered'
    >>> result.answer[0].startswith("There are too few data for an answer. Only one rater (client)")
    True
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    found = find_covariates(study, [m for m in moderators or () if m != "session"], "moderators")
    pair = choose_pair(draft, alliance, raters, items)
    outcomes = (
        []
        if outcome is None and not _symptoms(study)
        else outcomes_of(study, draft.measure("symptoms", outcome))
    )
    draft.with_therapists(needed=False, partial=True)
    early = TimeWindow(*(window or study.early_window))
    means = client_means(draft.sessions, early, [pair.first, pair.second], outcomes)
    sessions = draft.sessions
    draft.keep(
        sessions[[pair.first.name, pair.second.name]].notna().all(axis=1),
        "Sessions rated by both",
        "one of the two ratings is missing",
    )
    draft.needs(draft.sessions["client"].nunique(), MIN_CLIENTS, "the comparison of raters")
    _vary(draft, pair)
    rated = rated_by_both(draft, pair)
    draft.fact("Clients", Count(rated.clients, "client"))
    draft.therapists(rated.rows["therapist"])
    draft.fact("Sessions rated by both", Count(len(rated.rows), "session"))
    draft.fact("Early window", f"sessions {early.first} to {early.last}")
    gap = _level(draft, rated, pair)
    modified = moderator_estimates(draft, rated, pair, found, session="session" in (moderators or ()))
    draft.estimate(*modified)
    recip = _recip(draft, rated, pair)
    sources, surface = _outcome(draft, means, pair, outcomes)
    if not outcomes:
        draft.find(
            "no_outcome", "info", "The study has no symptom measure, so the report does not compare sources."
        )
    words.answer(draft, pair, sources, surface)
    _show(draft, rated, pair, (gap, modified, recip), surface)
    if groups is not None:
        _compare(draft, groups, rated, pair)
    words.findings(draft, pair, rated, sources, surface)
    draft.usual_findings(rated.rows.groupby("therapist")["client"].nunique())
    draft.method(*words.method_of(pair, early, sources, surface, recip[0]))
    _cite(draft, sources, surface)
    return draft


def _symptoms(study: Study) -> bool:
    return any(m.construct == "symptoms" for m in study.measures.values())


def _vary(draft: Draft, pair: Pair) -> None:
    """Ratings that never change cannot be compared."""
    for measure in (pair.first, pair.second):
        values = draft.sessions[measure.name]
        if values.max() - values.min() < 1e-9:
            raise draft.too_little(
                "All ratings by the {rater} are equal, so they cannot be compared with the other rater's.",
                rater=measure.rater,
            )


def _level(draft: Draft, rated: Rated, pair: Pair) -> list[Estimate]:
    """Gap and tracking, from the model of truth and bias."""
    try:
        model = fit_gap(draft, rated, TRACKING if rated.several else ENDPOINT)
    except FitError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None
    draft.uses(model)
    gap = gap_estimates(model, rated, pair)
    change = difference_change(draft, rated, pair)
    gap += [] if change is None else [change]
    draft.estimate(*gap)
    if model.mixed:
        shown = next(e for e in gap if e.id in ("gap", "tracking_within", "tracking_between"))
        term = "Intercept" if shown.id == "gap" else shown.id.removeprefix("tracking_")
        rows, _ = draft.adjusters(rated.rows)
        draft.checks(model, rows, pair.second, shown.label, term=term, unit=shown.unit, figures=False)
    return gap


def _recip(draft: Draft, rated: Rated, pair: Pair) -> tuple[list[Estimate], "pd.DataFrame | None"]:
    """Reciprocities, and variances by level."""
    if not draft.therapists_known:
        draft.find(
            "no_therapist_level",
            "info",
            "The study names no therapists, so the report gives no reciprocity and no differences between therapists.",
            "therapists",
        )
        return [], None
    found = reciprocity(draft, rated, pair)
    if found is None:
        return [], None
    recip = recip_estimates(draft, found)
    draft.models["one_with_many"] = found
    draft.estimate(*recip)
    draft.findings += [f for f in found.findings if f.code != "few_therapists"]
    return recip, found.variances


def _outcome(
    draft: Draft, means: "pd.DataFrame", pair: Pair, outcomes: list[Measure]
) -> tuple[Sources | None, Surface | None]:
    """The link with outcome: by source, by both raters together, and over their agreement."""
    sources = sources_of(draft, means, pair, outcomes) if outcomes else None
    if sources is None:
        return None, None
    draft.estimate(*source_estimates(sources, pair))
    draft.models["by_source"] = sources.found
    both_raters(draft, sources, pair)
    surface = None if pair.apart else surface_of(draft, sources)
    if surface is not None:
        unit = f"{sources.outcomes[0].instrument.label} points"
        draft.estimate(*surface_estimates(surface, unit))
    return sources, surface


def _show(
    draft: Draft,
    rated: Rated,
    pair: Pair,
    found: "tuple[list[Estimate], list[Estimate], tuple[list[Estimate], pd.DataFrame | None]]",
    surface: Surface | None,
) -> None:
    """Tables and figures in the order of the report."""
    gap, modified, (recip, variances) = found
    correlations = [e for e in draft.estimates if e.id.startswith(SOURCE)]
    both = [e for e in draft.estimates if e.id.startswith(("actor_", "partner_"))]
    gap_tables(draft, gap, modified, pair)
    draft.show(difference_figure(rated, pair), source_figure(correlations))
    source_tables(draft, correlations, both)
    if variances is not None:
        recip_tables(draft, recip, variances, pair)
    if surface is not None:
        surface_tables(
            draft, [e for e in draft.estimates if e.id[:2] in ("a1", "a2", "a3", "a4", "a5")], surface
        )
    draft.show(models_table(draft.fitted), variance_table(draft.fitted), coefficient_table(draft.fitted[0]))


def _compare(draft: Draft, groups: Groups, rated: Rated, pair: Pair) -> None:
    """Gap and tracking in each group, from a model of its own."""
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(rated.rows):
        columns = ["client", "therapist", "session", "c", "t"]
        own = parts_of(rows[columns].reset_index(drop=True))
        if own.clients < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        if own.several != rated.several:
            why = "has too few clients with several sessions that both rated"
            say_not_compared(draft, groups, group, own.clients, why)
            continue
        try:
            model = fit_gap(draft, own, TRACKING if own.several else ENDPOINT)
        except AllianceError as error:
            draft.find("group_failed", "caution", "{group}: {why}", group, group=group, why=told(error))
            continue
        found[group] = [e for e in gap_estimates(model, own, pair) if e.id != "gap_d"]
    if len(found) > 1:
        draft.by_group(found, [Column("unit", "Unit"), *ESTIMATE], "A separate model for each group.")


def _cite(draft: Draft, sources: Sources | None, surface: Surface | None) -> None:
    draft.cite("west2011")
    if draft["recip_dyadic"] is not None or draft["recip_general"] is not None:
        draft.cite("marcus2009")
    if sources is not None:
        draft.cite("campbell1959", "kenny2006", "podsakoff2012", "steiger1982")
    if surface is not None:
        draft.cite("edwards1993", "humberg2019")
    if draft["gap_d"] is not None:
        draft.cite("bland1986")


__all__ = ["raters"]
