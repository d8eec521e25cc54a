"""Sudden gains and losses from one session to the next, and how many random fluctuation alone would produce."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from alliance_longitudinal.analyses.kit import (
    Audience,
    By,
    Clinic,
    Count,
    Draft,
    OutcomeName,
    Seed,
    analysis,
)
from alliance_longitudinal.analyses.kit.norms import Given, known_norms, sd_before
from alliance_longitudinal.analyses.sudden_gains.charts import around_figure, rules_figure
from alliance_longitudinal.analyses.sudden_gains.compute import (
    find_all,
    gain_estimates,
    gain_hits,
    points_for,
    variants_of,
)
from alliance_longitudinal.analyses.sudden_gains.findings import gain_findings
from alliance_longitudinal.analyses.sudden_gains.tables import gain_tables
from alliance_longitudinal.analyses.sudden_gains.words import answer, describe
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.methods.psychometrics.gains.events import (
    Rules,
    Stability,
    intervals,
    ordered_scores,
)

MIN_CLIENTS = 10


def _as_list(value: object) -> object:
    parts = [p.strip() for p in value.strip("[]() ").split(",")] if isinstance(value, str) else value
    return [parts] if isinstance(parts, int | float) else parts


def _above_zero(value: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if value is not None and any(not p > 0 for p in value):
        message = "points have to be above 0"
        raise ValueError(message)
    return value


@analysis(
    "Sudden gains and losses",
    "How many clients improved suddenly from one session to the next, and is that more than random fluctuation alone would "
    "produce?",
    main="gain_clients",
    limits=(
        "The rules for a sudden gain also find some in random fluctuation. Compare the result with "
        "what gradual change alone would produce.",
        "Clients with more sessions have more chances of a gain. If lengths of treatment differ, "
        "compare rates per interval.",
        "Clients with sudden gains end better partly by arithmetic, because the gain is a part of "
        "their change.",
    ),
)
def sudden_gains(
    study: Study,
    outcome: OutcomeName = None,
    points: Annotated[
        float | None,
        Field(
            gt=0,
            description="First criterion: points of a sudden change. None: points of reliable change, computed "
            "from the reliability if you give one, otherwise those of the instrument file.",
        ),
    ] = None,
    percent: Annotated[
        float | None,
        Field(
            gt=0,
            lt=100,
            description="Second criterion: percent of the score before the change. None: without this "
            "criterion.",
        ),
    ] = 25.0,
    stability: Annotated[
        Stability,
        Field(
            description="Third criterion, stability, and its critical value. adjusted: larger if scores are "
            "missing; fixed: always the same; t-test: a two-sample t-test; none: without this "
            "criterion."
        ),
    ] = "adjusted",
    alpha: Annotated[
        float, Field(gt=0, lt=1, description="Two-sided significance level of the third criterion.")
    ] = 0.05,
    reliability: Annotated[
        float | None, Field(ge=0, lt=1, description="Reliability, to compute the points of reliable change.")
    ] = None,
    sd: Annotated[
        float | None,
        Field(
            gt=0,
            description="SD, to compute the points of reliable change. None: that of the instrument file, "
            "otherwise that of the first scores.",
        ),
    ] = None,
    other_points: Annotated[
        tuple[float, ...] | None,
        BeforeValidator(_as_list),
        AfterValidator(_above_zero),
        Field(
            description="Other values for the first criterion, to compare with, such as 5,7. None: three "
            "quarters and five quarters of the main one."
        ),
    ] = None,
    intake: Annotated[bool, Field(description="Include session 0 (intake).")] = False,
    simulations: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="Number of simulated data sets that show what gradual change alone would produce. 0: "
            "no simulation.",
        ),
    ] = 200,
    seed: Seed = 20_260_101,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Find sudden gains and losses by the criteria of Tang and DeRubeis (1999), and the number that random fluctuation alone would produce.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.sudden_gains(al.load_study("demo"), points=5, simulations=0)
    >>> result.estimates.loc[0, "label"]
    'Clients with a sudden gain'
    """
    draft = Draft(study, clinic)
    draft.compare(by)
    measure = draft.measure("symptoms", outcome)
    draft.with_therapists(needed=False, alone=True)
    sample_sd = sd_before(draft.sessions, measure)
    label = measure.instrument.label
    draft.keep(
        draft.sessions[measure.name].notna(), f"Sessions with {label}", f"no {label} score at the session"
    )
    if not intake:
        draft.keep(draft.sessions["session"].ge(1), f"Sessions with {label} from session 1", "intake")
    rated = draft.sessions
    ordered = ordered_scores(rated, score=measure.name)
    _keep_tested(draft, ordered, label)
    draft.needs(draft.sessions["client"].nunique(), MIN_CLIENTS, f"the analysis of sudden gains in {label}")
    given = Given(points=points, reliability=reliability, sd=sd)
    known = known_norms(measure, given)
    points, points_from = points_for(known, given, sample_sd, label)
    draft.begin()
    others = (0.75 * points, 1.25 * points) if other_points is None else other_points
    draft.resolved |= {"points": points, "other_points": list(others)}
    gains = find_all(
        ordered,
        rated.groupby("client")["therapist"].first(),
        variants_of(Rules(points, None if percent is None else percent / 100, stability, alpha), others),
        fall=known.norms.direction < 0,
        points_from=points_from,
        limits=measure.instrument.total_range,
        n=simulations,
        seed=seed,
    )
    draft.fact("Clients", Count(gains.clients, "client"))
    draft.therapists(gains.table["therapist"])
    draft.fact("Intervals tested", Count(len(gains.table), "interval"))
    draft.fact("Points of a sudden change", f"{points:.4g}")
    if gains.steady is not None:
        draft.models["Gradual change"] = gains.steady.result
    hits = gain_hits(gains)
    draft.estimate(*gain_estimates(gains, hits))
    answer(draft, gains, label)
    gain_tables(draft, gains)
    draft.shares_by_group(hits, "Found by the same rules in every group.")
    draft.show(rules_figure(gains), around_figure(gains, label))
    gain_findings(draft, gains, known, measure, sample_sd)
    draft.method(describe(gains, measure, simulations, seed, intake))
    draft.cite("tang1999", "lutz2013", "wiedemann2020", "dean2015")
    return draft


def _keep_tested(draft: Draft, ordered: pd.DataFrame, label: str) -> None:
    """Keep the clients with an interval that can be tested; all their scores stay."""
    found = intervals(ordered)
    tested = np.unique(ordered["client"].to_numpy(object)[found.row[found.testable]])
    reason = "no change between two sessions with two scores before it and two after it"
    draft.keep(
        draft.sessions["client"].isin(tested), f"Clients whose changes in {label} can be tested", reason
    )


__all__ = ["sudden_gains"]
