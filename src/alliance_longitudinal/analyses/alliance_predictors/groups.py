"""Effects of the predictors in each group of clients, such as the arms of a trial."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.compute import (
    Model,
    Ratings,
    estimates_of,
    fit_course,
    fit_early,
)
from alliance_longitudinal.analyses.alliance_predictors.design import Predictor
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    Draft,
    Estimate,
    Groups,
    number_of_therapists,
)
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column

MIN_CLIENTS = 20


def compare_groups(
    draft: Draft,
    groups: Groups,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    part: str,
    units: tuple[str, str],
) -> None:
    """Effects of clients' predictors on the early alliance, or on its level, from a model of each group alone."""
    found: dict[str, list[Estimate]] = {}
    own = groups.column(ratings.clients)
    for group in groups.names:
        inside = ratings.of(own.eq(group))
        rated = inside.clients["early"].notna() if part == "early" else inside.clients["mean"].notna()
        if int(rated.sum()) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            model = _fit(draft, inside, predictors, people, part, group)
        except FitError:
            draft.unfitted_group(groups, group)
            continue
        draft.uses(model.fitted)
        estimates = estimates_of(model, part, *units)
        found[group] = [e for e in estimates if e.level == "client" and not e.id.endswith("_points")]
    if len(found) > 1:
        draft.by_group(
            found,
            [Column("unit", "Unit"), *ESTIMATE],
            "A separate model for each group. Standard deviations are those of all clients.",
        )


def _fit(
    draft: Draft,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    part: str,
    group: str,
) -> Model:
    few = ratings.split and number_of_therapists(ratings.clients["therapist"]) < 2 * len(predictors) + 4
    ratings = replace(ratings, between=ratings.between and not few)
    fit = fit_early if part == "early" else fit_course
    return fit(draft, ratings, predictors, people, group)
