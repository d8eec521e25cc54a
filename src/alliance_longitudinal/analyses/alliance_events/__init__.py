"""Ruptures of the alliance and their repairs, compared with what random fluctuation alone would produce."""

from typing import Annotated

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.alliance_events.charts import found_figure, repair_figure
from alliance_longitudinal.analyses.alliance_events.compute import (
    Asked,
    Found,
    event_estimates,
    find_events,
    hits_of,
    outcome_rows,
    phase_hits,
)
from alliance_longitudinal.analyses.alliance_events.marker import marked_ratings, marker_of, show_marker
from alliance_longitudinal.analyses.alliance_events.repair import only_known_before, who_repairs
from alliance_longitudinal.analyses.alliance_events.tables import event_tables
from alliance_longitudinal.analyses.alliance_events.words import answer, describe, event_findings
from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    ESTIMATE,
    TEST,
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    OutcomeName,
    Seed,
    analysis,
    models_table,
    variance_table,
)
from alliance_longitudinal.analyses.kit.covariates import declared, find_covariates
from alliance_longitudinal.analyses.kit.parameters import AS_NAMES
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.present import Column

MIN_CLIENTS = 20


@analysis(
    "Ruptures and repairs",
    "How often does the alliance break down, is that more than random fluctuation alone would "
    "produce, and are ruptures and repairs related to outcome?",
    main="clients",
    limits=(
        "A rule finds low ratings, not what happened in the session. A rupture that the client does not rate is not found.",
        "True ruptures add to the fluctuation that is simulated. The expected number is therefore too high rather than too low.",
        "Ruptures and outcome are from the same treatments. These models do not show which comes first.",
    ),
)
def alliance_events(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    points: Annotated[
        float | None,
        Field(
            gt=0,
            description="Size of a rupture: a fall of more than this number of points from one session to the "
            "next. None: one standard deviation within clients.",
        ),
    ] = None,
    min_ratings: Annotated[
        int,
        Field(
            ge=4,
            le=50,
            description="Smallest number of ratings per client. With fewer than 8, limits and lines say little.",
        ),
    ] = 8,
    repair_within: Annotated[
        int,
        Field(
            ge=1,
            le=20,
            description="A rupture counts as repaired if the alliance comes back within this number of ratings.",
        ),
    ] = 3,
    repair_to_sd: Annotated[
        float,
        Field(
            ge=0,
            le=2,
            description="How near the rating has to come back, in standard deviations within clients.",
        ),
    ] = 0.25,
    simulations: Annotated[
        int, Field(ge=50, le=10_000, description="Simulated data sets in which the alliance only fluctuates.")
    ] = 500,
    seed: Seed = 20_260_101,
    marker: Annotated[
        str | None,
        Field(
            description="Covariate of sessions that records ruptures, by an observer or the client: a number above zero, or the category that is "
            "not the reference, is a rupture. None: none."
        ),
    ] = None,
    repair_by: Annotated[
        tuple[str, ...] | None,
        AS_NAMES,
        Field(
            description="Covariates of therapists or clients that may be related to repair, such as experience,attachment. None: only the phase "
            "of treatment."
        ),
    ] = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Find ruptures by several rules, and relate them and their repairs to the change from intake.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.alliance_events(al.load_study("demo"), simulations=50)
    >>> result.estimates.loc[0, "label"]
    'Clients with a rupture'
    """
    draft = Draft(study, clinic)
    draft.compare(by)
    draft.adjust(covariates)
    who = find_covariates(study, repair_by or (), "repair_by")
    only_known_before(who)
    mark = None if marker is None else marker_of(declared(study), marker)
    asked = Asked(
        draft.measure("alliance", alliance),
        draft.measure("symptoms", outcome),
        points,
        min_ratings,
        repair_within,
        repair_to_sd,
        simulations,
        seed,
    )
    draft.with_therapists(needed=False, partial=True)
    sessions, label = draft.sessions, asked.alliance.instrument.label
    found = _found(draft, asked)
    hits = hits_of(found)
    draft.estimate(*event_estimates(found, hits), *(h.estimate() for h in phase_hits(found)))
    effects = _outcome(draft, found, sessions, asked.outcome)
    answer(draft, found, label, asked.outcome)
    event_tables(draft, found)
    _outcome_table(draft, effects, asked.outcome.instrument.label)
    marked = None if mark is None else marked_ratings(draft, found, mark, repair_within, repair_to_sd)
    if marked is not None:
        show_marker(draft, found, marked, label)
    odds = who_repairs(draft, found, who, repair_within)
    draft.shares_by_group(hits[:2], "Found by the same rule in every group.")
    draft.show(found_figure(found, label), repair_figure(found))
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    event_findings(draft, found, label)
    draft.usual_findings(draft.sessions.groupby("therapist")["client"].nunique())
    recorded = marker if marked is not None and marker else ""
    draft.method(describe(found, asked, bool(effects), bool(odds), recorded, bool(draft.checked)))
    draft.cite("eubanks2012", "shewhart1931", "cohen1960", "dean2015", "bordin1979")
    return draft


def _found(draft: Draft, asked: Asked) -> Found:
    """The ruptures by every rule in the ratings of clients with enough of them."""
    a = asked.alliance
    label = a.instrument.label
    draft.keep(draft.sessions[a.name].notna(), f"Sessions with {label}", f"no {label} score at the session")
    size = draft.sessions.groupby("client")["session"].transform("size")
    draft.keep(
        size >= asked.min_ratings,
        f"Clients with enough ratings of {label}",
        f"fewer than {asked.min_ratings} ratings",
    )
    draft.needs(draft.sessions["client"].nunique(), MIN_CLIENTS, f"the analysis of ruptures in {label}")
    ratings = draft.sessions[a.name]
    if not ratings.max() - ratings.min() > 0:
        raise draft.too_little(
            "All ratings of {label} are equal, so there are no ruptures to find.", label=label
        )
    found = find_events(draft.sessions, asked)
    draft.fact("Clients", Count(found.clients, "client"))
    draft.therapists(draft.sessions["therapist"])
    draft.fact("Ratings", Count(len(draft.sessions), "rating"))
    return found


def _outcome_table(draft: Draft, effects: list[Estimate], label: str) -> None:
    if not effects:
        return
    draft.table_of(
        "outcome",
        "Ruptures, repairs and outcome",
        "results",
        effects,
        [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        f"Change in {label} from the first to the last score, adjusted for the first score and for the mean and the trend "
        "of the client's alliance: a rising alliance has fewer falls and more repairs, and it may rise because the client improves. Clients without "
        "ruptures have no repairs and are not in the last row.",
    )


def _outcome(draft: Draft, found: Found, sessions: pd.DataFrame, outcome: Measure) -> list[Estimate]:
    """Change of the outcome by ruptures, and among clients with ruptures by repair."""
    clients, label = outcome_rows(found, sessions, outcome.name), outcome.instrument.label
    if len(clients) < MIN_CLIENTS:
        draft.find(
            "few_outcomes",
            "caution",
            "Only {n:noun} {n:has|have} two scores of {label}, so ruptures are not related to outcome.",
            label,
            n=Count(len(clients), "client"),
            label=label,
        )
        return []
    if not clients["end_change"].max() - clients["end_change"].min() > 0:
        draft.find(
            "equal_changes",
            "caution",
            "The change in {label} is the same for all clients, so ruptures are not related to it.",
            label,
            label=label,
        )
        return []
    made: list[Estimate] = []
    questions = (
        ("events", "Change and ruptures", ("rate_client", "rate_therapist"), clients),
        ("repaired", "Change and repair", ("repaired",), clients[clients["events"] > 0]),
    )
    words = {
        "rate_client": (
            "outcome_events",
            "One more rupture in ten ratings, compared with clients of the same therapist",
            "client",
        ),
        "rate_therapist": (
            "outcome_events_between",
            "Therapists with one more rupture in ten ratings",
            "therapist",
        ),
        "repaired": ("outcome_repaired", "All ruptures repaired, compared with none", "client"),
    }
    for name, title, terms, rows in questions:
        usable = [t for t in terms if len(rows) >= MIN_CLIENTS and rows[t].max() - rows[t].min() > 1e-9]
        if not usable:
            continue
        adjusted_rows, adjusted = draft.adjusters(rows)
        fixed = "end_change ~ " + " + ".join([*usable, "alliance", "trend", "intake", *adjusted])
        model = draft.fit(name, title, fixed, adjusted_rows, ENDPOINT)
        for term in usable:
            identity, said, level = words[term]
            inside = level == "client"
            unit = f"{label} points"
            made.append(draft.coefficient(identity, said, model, term, level=level, unit=unit, robust=inside))
        # Floor and ceiling are those of the last score.
        scores = adjusted_rows.assign(y=adjusted_rows["last"])
        draft.checks(
            model,
            scores,
            outcome,
            made[-len(usable)].label,
            term=usable[0],
            unit=unit,
            figures=name == "events",
        )
    return made


__all__ = ["alliance_events"]
