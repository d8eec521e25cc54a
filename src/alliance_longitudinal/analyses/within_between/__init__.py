"""When a client's alliance is better than usual, and clients and therapists with better alliances."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    OutcomeName,
    Seed,
    analysis,
    needs_change,
)
from alliance_longitudinal.analyses.within_between.charts import effects_figure, slopes_figure
from alliance_longitudinal.analyses.within_between.compute import estimate_all, outlier_estimates
from alliance_longitudinal.analyses.within_between.design import (
    MIN_CLIENTS,
    Detrend,
    Pairs,
    Treatment,
    intake_of,
    lagged,
    pairs_of,
)
from alliance_longitudinal.analyses.within_between.groups import compare_groups
from alliance_longitudinal.analyses.within_between.latent import mark_main, therapist_level
from alliance_longitudinal.analyses.within_between.tables import show_tables
from alliance_longitudinal.analyses.within_between.words import (
    LIMITS,
    answer,
    findings,
    methods_text,
    treatment_words,
)
from alliance_longitudinal.data.study import Measure, Study


def _names(value: object) -> object:
    """A list of names, also as a text with commas; an empty one is refused."""
    names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if names is not None and not names:
        message = "name at least one, or leave it out"
        raise ValueError(message)
    return names


@analysis(
    "Better than usual, and better than others",
    "When a client's alliance is better than usual, are symptoms lower afterwards; and do clients, and therapists, with better "
    "alliances have better courses?",
    main="client",
    limits=LIMITS,
)
def within_between(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    lag: Annotated[
        int, Field(ge=1, le=5, description="How many sessions before the outcome the alliance was rated.")
    ] = 1,
    detrend: Annotated[
        tuple[Detrend, ...] | None,
        BeforeValidator(_names),
        Field(
            description="How time is removed from the effect within clients. All that are named are shown, and none is the main one. "
            "none: not at all. common: the mean course of all clients. client: also a course for each client. lines: each client's "
            "line is removed from alliance and outcome. None: the first three.",
        ),
    ] = None,
    random_slope: Annotated[
        Literal["auto", "no"],
        Field(
            description="Whether the effect within clients may differ between clients and between therapists. auto: where the "
            "data are enough for it. no: it is the same for all."
        ),
    ] = "auto",
    outliers: Annotated[
        tuple[Treatment, ...] | None,
        BeforeValidator(_names),
        Field(
            description="Treatments of outlying alliance scores to compare. keep: all scores (the main result). sd3, sd2: leave out "
            "scores more than so many standard deviations from the mean. winsor3, winsor2: move them to this limit. None: all "
            "of them.",
        ),
    ] = None,
    adjust_intake: Annotated[bool, Field(description="Adjust for the first score of the outcome.")] = True,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Relate the alliance to the outcome of a later session within clients, between clients and between therapists.

    The effects within clients are a description: with feedback none of them is right, and `lagged_effects` has the headline.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.within_between(al.load_study("demo"), outliers=("keep",))
    >>> result.estimates.set_index("id").loc[["within_none", "within_client"], "estimate"].astype(float).round(2).tolist()
    [-0.05, 0.01]
    """
    detrend = detrend or ("none", "common", "client")
    outliers = outliers or ("keep", "sd3", "sd2", "winsor3", "winsor2")
    draft = Draft(study, clinic)
    draft.resolved |= {"detrend": list(detrend), "outliers": list(outliers)}
    groups = draft.compare(by)
    draft.adjust(covariates)
    a, y = draft.measure("alliance", alliance), draft.measure("symptoms", outcome)
    draft.with_therapists(needed=False, partial=True)
    pairs = _pairs(draft, a, y, lag, adjust_intake=adjust_intake)
    slopes = random_slope == "auto"
    main = estimate_all(draft, pairs, _unit(a, y), slopes=slopes)
    words = treatment_words()
    draft.estimate(*outlier_estimates(draft, pairs, outliers, words, _unit(a, y), slopes=slopes))
    choice = therapist_level(draft, pairs, main, _unit(a, y))
    mark_main(draft, choice)
    answer(draft, a, y, detrend, lag, choice)
    draft.checks(
        main,
        pairs.rows,
        y,
        "Effect within clients, common course",
        term="within",
        unit=_unit(a, y),
        seed=seed,
    )
    findings(draft, pairs, detrend, main, choice)
    show_tables(draft, a, y, detrend, main)
    draft.show(effects_figure(draft, a, y, detrend), slopes_figure(main, a, y))
    if groups is not None:
        compare_groups(draft, groups, a, y, adjust_intake=adjust_intake, slopes=slopes)
    draft.usual_findings(pairs.rows.groupby("therapist")["client"].nunique())
    methods_text(draft, a, y, lag, main, pairs, outliers, choice)
    return draft


def _unit(a: Measure, y: Measure) -> str:
    return f"{y.instrument.label} points per {a.instrument.label} point"


def _pairs(draft: Draft, a: Measure, y: Measure, steps: int, *, adjust_intake: bool) -> Pairs:
    """The rows, with what they cost in the sample flow, and the checks that a model needs."""
    sessions = draft.sessions
    first = sessions["client"].map(intake_of(sessions, y.name))
    draft.sessions = sessions.assign(before=lagged(sessions, a.name, steps), first=first.astype(float))
    draft.keep(
        draft.sessions[y.name].notna(), f"Sessions with {y.instrument.label}", "no score at the session"
    )
    draft.keep(
        draft.sessions["before"].notna(),
        f"Sessions with {a.instrument.label} rated before",
        "no rating at the earlier session",
    )
    _without_own_intake(draft, y, sessions, adjust_intake=adjust_intake)
    rows = draft.sessions
    several = rows.groupby("client").size()
    draft.needs(int((several >= 2).sum()), MIN_CLIENTS, "the analysis within and between clients")
    needs_change(draft, y)
    draft.fact("Clients", Count(rows["client"].nunique(), "client"))
    draft.therapists(rows["therapist"])
    draft.fact("Pairs of sessions", Count(len(rows), "pair", "pairs"))
    pairs = pairs_of(rows, y.name, draft.adjusters, therapists=draft.therapists_known, intake=adjust_intake)
    ratings = pairs.rows["alliance"]
    flat = [] if ratings.max() - ratings.min() > 0 else [f"The ratings of {a.instrument.label}"]
    if not flat and "within" not in pairs.terms("none"):
        flat = [f"Within clients, the ratings of {a.instrument.label}"]
    if flat:
        raise draft.too_little("{what} do not differ, so nothing can be related to them.", what=flat[0])
    return pairs


def _without_own_intake(draft: Draft, y: Measure, sessions: pd.DataFrame, *, adjust_intake: bool) -> None:
    """Leave out a client's first score as an outcome: it would be its own predictor."""
    first = sessions[sessions[y.name].notna()].groupby("client")["session"].min()
    own = draft.sessions["session"].eq(draft.sessions["client"].map(first))
    if adjust_intake and own.any():
        draft.keep(
            ~own,
            f"Sessions with an earlier {y.instrument.label}",
            "the client's first score, for which the model adjusts",
        )


__all__ = ["within_between"]
