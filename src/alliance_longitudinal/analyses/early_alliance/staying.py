"""Clients who stayed to the end of the window weighted so that they stand for those who had left."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels, effect_estimate
from alliance_longitudinal.analyses.kit import (
    Draft,
    Estimate,
    each_alone,
    therapist_df,
)
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import variances_of
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.inference import t_inference

if TYPE_CHECKING:
    from alliance_longitudinal.methods.basics.frames import Floats

#: Fewest clients who left before the window's end for a model of their leaving.
MIN_LEFT = 10


def weighted_effects(draft: Draft, design: EarlyDesign, models: EarlyModels) -> list[Estimate]:
    """``slope_within_ipw`` and ``slope_between_ipw``: the course with weights for those who left before the window's end.

    The model of the course without random effects of therapists, with the clients' random effects as working covariance, weights of clients,
    and cluster-robust (CR2) errors by therapist. Empty where few left, or without a model of the course.
    """
    if models.growth is None or not models.growth.mixed:
        return []
    try:
        weights = client_weights(draft.sessions, design)
        if weights is None:
            return []
        rows = _effects(design, models, weights)
    except DataError:
        return []  # nobody differs from those who left, or too few therapists for robust errors
    words = ", weighted for clients who left before the end of the window"
    return [effect_estimate(design, "slope", effect, row, "_ipw", words) for effect, row in rows.items()]


def client_weights(sessions: pd.DataFrame, design: EarlyDesign) -> "Floats | None":
    """Weight of each analysed client, shape (clients,); None where few left before the window's end.

    Leaving before each session of the window depends on the session, the last outcome score and the mean alliance so far.
    """
    from alliance_longitudinal.methods import person_period
    from alliance_longitudinal.methods.missing.staying import staying_weights

    choices = design.choices
    last = choices.window.last
    own = sessions[["client", "session"]].assign(
        y=sessions[choices.outcome.name], a=sessions[choices.alliance.name]
    )
    own = own[own["session"] >= 0].sort_values(["client", "session"]).reset_index(drop=True)
    rated = own["a"].notna()
    own["a"] = own["a"].fillna(0).groupby(own["client"]).cumsum() / rated.groupby(own["client"]).cumsum()
    periods = person_period(own, "client", "session", carry=["y", "a"], horizon=last)
    periods = periods[periods["period"] >= 2]
    if int(periods["event"].sum()) < MIN_LEFT:
        return None
    periods = periods.assign(unrated=periods["a"].isna().astype(float))
    periods = periods.fillna({"y": periods["y"].mean(), "a": periods["a"].mean()}).reset_index(drop=True)
    weights = staying_weights(periods, "client", "period", "event", ["y", "a", "unrated"])
    return np.asarray(design.clients["client"].map(weights).fillna(1.0), dtype=float)


def _effects(design: EarlyDesign, models: EarlyModels, weights: "Floats") -> dict[str, dict[str, float]]:
    from alliance_longitudinal.methods import clustered_slope
    from alliance_longitudinal.methods.missing.staying import weighted_course

    assert models.growth is not None
    rows = design.rows
    _, within, _, sigma2 = variances_of(models.growth, 2)
    names = [*design.predictors(split=True), *design.covariates]
    basis = np.column_stack([np.ones(len(rows)), rows["weeks"].to_numpy(float)])
    columns = rows[names].to_numpy(float)
    x = np.column_stack([basis, columns, columns * basis[:, [1]]])
    persons = pd.Index(design.clients["client"]).get_indexer(pd.Index(rows["client"]))
    y, x = weighted_course(rows["y"].to_numpy(float), x, basis, persons, within, sigma2, weights)
    bound = therapist_df(design.n_therapists, design.therapist_predictors())
    out = {}
    for effect, name in (("within", "early_client"), ("between", "early_therapist")):
        if name in names:
            place = 2 + len(names) + names.index(name)
            cell = clustered_slope(y, x, each_alone(rows)["therapist"].to_numpy(), place)
            df = min(cell.df, bound) if effect == "between" else cell.df
            out[effect] = t_inference(cell.estimate, cell.se, df)
    return out
