"""Whether empathy, attachment or another cause is related to outcome by way of the alliance."""

from collections.abc import Callable
from typing import Annotated

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.kit import (
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
    Number,
    OutcomeName,
    Seed,
    Window,
    analysis,
    needs_change,
    say,
    say_not_compared,
    time_unit,
)
from alliance_longitudinal.analyses.mechanisms.compute import (
    Paths,
    latent_clients,
    latent_paths,
    two_models,
    within_paths,
)
from alliance_longitudinal.analyses.mechanisms.design import (
    MIN_CLIENTS,
    MIN_SERIES,
    MIN_STEPS,
    MIN_THERAPISTS,
    Asked,
    Before,
    Cause,
    Detrend,
    before_of,
    find_cause,
    steps_of,
)
from alliance_longitudinal.analyses.mechanisms.estimates import estimates_of
from alliance_longitudinal.analyses.mechanisms.tables import show
from alliance_longitudinal.analyses.mechanisms.words import LIMITS, answer, findings, methods
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import told
from alliance_longitudinal.timing import TimeWindow


@analysis(
    "By way of the alliance",
    "Is a cause such as empathy or attachment related to outcome by way of the alliance?",
    main=("indirect_within", "indirect_between"),
    limits=LIMITS,
)
def mechanisms(
    study: Study,
    cause: Annotated[
        str | None,
        Field(
            description="What comes first: a measure or a covariate, by its name in the study file, such as empathy or attachment. None: the "
            "first other measure, or the first covariate of therapists."
        ),
    ] = None,
    window: Window = None,
    min_rated: Annotated[
        int, Field(ge=1, description="How many sessions of the early window must have an alliance score.")
    ] = 1,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    detrend: Annotated[
        Detrend,
        Field(
            description="What is removed from the sessions in addition to the client's mean. common: the common course. client: each client's own line. "
            "mean: nothing."
        ),
    ] = "common",
    adjust_early_change: Annotated[
        bool,
        Field(description="Adjust paths between clients for symptom change up to the end of the window."),
    ] = True,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Estimate the path from a cause over the alliance to the outcome, at the level at which the cause differs.

    A measure of sessions has a path within clients (cause, alliance one session later, outcome another session later) and one between
    clients; a cause of clients one between clients; a cause of therapists one between therapists.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.mechanisms(al.load_study("demo"), cause="Age")
    >>> result.estimates["id"].tolist()[:4]
    ['a', 'b', 'direct', 'indirect_between']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    adjust = ("intake", "change") if adjust_early_change else ("intake",)
    asked = Asked(
        draft.measure("alliance", alliance),
        draft.measure("symptoms", outcome),
        TimeWindow(*(window or study.early_window)),
        time_unit(study),
        min_rated,
        adjust,
    )
    draft.resolved["window"] = [asked.window.first, asked.window.last]
    found = find_cause(draft, cause, asked)
    known = "therapist" in draft.sessions and bool(draft.sessions["therapist"].notna().any())
    draft.with_therapists(
        needed=known or found.level == "therapist",
        partial=found.level != "therapist",
        why="the cause differs between therapists only",
    )
    sessions = draft.sessions
    before = before_of(draft, sessions, found, asked)
    steps = steps_of(sessions, found.name, asked, detrend) if found.level == "session" else None
    draft.fact("Clients", Count(len(before.clients), "client"))
    draft.therapists(before.therapists)
    if steps is not None:
        draft.fact("Steps of sessions", Count(len(steps), "step"))
    _enough(draft, found, before, steps, asked)
    draft.begin()
    every = _paths(draft, found, before, steps, sessions, seed)
    if not every:
        raise draft.too_little("No path could be estimated. The findings say why.", "no_path", "failed")
    for paths in every:
        draft.uses(*paths.models)
        draft.robust_errors |= any(m.robust is not None for m in paths.models)
    draft.estimate(*(e for k, p in enumerate(every) for e in estimates_of(p, found, asked, main=k == 0)))
    _checks(draft, every, found, before, asked)
    answer(draft, every, found, asked)
    show(draft, every, found, asked)
    if groups is not None:
        _compare(draft, groups, found, asked, detrend, seed)
    draft.usual_findings(
        before.clients.groupby("therapist")["client"].nunique(), therapists=found.level == "therapist"
    )
    findings(draft, every, found, asked)
    methods(draft, every, found, asked, detrend)
    return draft


def _enough(draft: Draft, cause: Cause, before: Before, steps: pd.DataFrame | None, asked: Asked) -> None:
    """Whether any path can be estimated."""
    draft.needs(len(before.clients), MIN_CLIENTS, "a path by way of the alliance")
    for column, label in (("x", cause.label), ("early", asked.alliance.instrument.label)):
        values = before.clients[column]
        if not values.max() - values.min() > 0:
            raise draft.too_little(
                "{label} is the same for all analysed clients, so there is no path from it or through it.",
                label=label,
            )
    needs_change(draft, asked.outcome)
    if cause.level == "therapist" and before.therapists < MIN_THERAPISTS:
        raise draft.too_little(
            "A path between therapists needs at least {n:noun}, and these data have fewer.",
            n=Number(MIN_THERAPISTS, "integer", "therapist"),
        )
    if steps is not None and steps["client"].nunique() < MIN_SERIES:
        draft.find(
            "few_series",
            "caution",
            "Too few clients have at least {steps} complete steps (cause, alliance of the next session, outcome of the one after), so there is no "
            "path within clients.",
            "within clients",
            steps=Number(MIN_STEPS, "integer"),
        )


def _paths(
    draft: Draft,
    cause: Cause,
    before: Before,
    steps: pd.DataFrame | None,
    sessions: pd.DataFrame,
    seed: int,
) -> list[Paths]:
    """All paths of the cause's level; one whose model cannot be fitted is named."""
    jobs: list[tuple[str, Callable[[], Paths]]] = []
    if steps is not None and steps["client"].nunique() >= MIN_SERIES:
        jobs.append(("within clients", lambda: within_paths(steps, seed)))
    if cause.level == "therapist":
        jobs.append(("between therapists (latent means)", lambda: latent_paths(before, seed)))
        jobs.append(
            ("between therapists (observed means)", lambda: two_models(before, cause, seed, "therapist"))
        )
    else:
        jobs.append(("between clients", lambda: two_models(before, cause, seed)))
        jobs.append(("between clients (latent means)", lambda: latent_clients(before, sessions, seed)))
    out = []
    for where, job in jobs:
        try:
            out.append(job())
        except AllianceError as error:
            draft.find(
                "path_not_fitted",
                "caution",
                "The path {which} could not be estimated: {why}",
                where,
                which=where,
                why=told(error),
            )
    return out


def _checks(draft: Draft, every: list[Paths], cause: Cause, before: Before, asked: Asked) -> None:
    """Residuals, floor and ceiling, and each therapist left out, for both paths of the two models."""
    clients, rows = before.clients, before.rows
    last = rows if before.course else clients.assign(y=clients["intake"] + clients["end_change"])
    for k, paths in enumerate(every):
        if not paths.models:
            continue
        own = {e.id.partition("_")[0]: e for e in estimates_of(paths, cause, asked, main=k == 0)}
        parts = (("a", clients.assign(y=clients["early"]), asked.alliance), ("b", last, asked.outcome))
        for (path, scores, measure), model, term in zip(parts, paths.models, paths.terms, strict=True):
            shown = own[path]
            draft.checks(model, scores, measure, shown.label, term=term, unit=shown.unit, figures=path == "b")


def _compare(draft: Draft, groups: Groups, cause: Cause, asked: Asked, detrend: Detrend, seed: int) -> None:
    """The indirect paths of each group alone."""
    rows: dict[str, list[Estimate]] = {}
    for group, sessions in groups.split(draft.sessions):
        if sessions.empty:  # an arm whose clients have left the analysis, such as one without therapists
            rows[group] = []
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        before = before_of(draft, sessions, cause, asked, flow=False)
        steps = steps_of(sessions, cause.name, asked, detrend) if cause.level == "session" else None
        rows[group] = []
        if len(before.clients) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        if cause.level == "therapist" and before.therapists < MIN_THERAPISTS:
            why = say("has fewer than {needed} therapists", needed=Number(MIN_THERAPISTS, "integer"))
            say_not_compared(draft, groups, group, len(before.clients), why)
            continue
        for k, paths in enumerate(_paths(draft, cause, before, steps, sessions, seed)):
            own = estimates_of(paths, cause, asked, main=k == 0)
            rows[group] += [e for e in own if e.id.startswith("indirect_") and not e.id.endswith("_per_sd")]
    if sum(map(bool, rows.values())) > 1:
        draft.by_group(
            rows, [Column("unit", "Unit"), *ESTIMATE], "Indirect paths from models of each group alone."
        )


__all__ = ["mechanisms"]
