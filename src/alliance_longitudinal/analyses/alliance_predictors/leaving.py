"""Effects on growth, if clients whose ratings end early have another course."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.compute import TEN, Model, Ratings, scaled
from alliance_longitudinal.analyses.alliance_predictors.design import Effect
from alliance_longitudinal.analyses.kit import COUNT, ESTIMATE, Draft, Estimate, Number, listed, short
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.present import Column

#: Fewest clients on each side of the horizon.
MIN_CLIENTS = 20
#: An effect that moves by more than this many standard errors of the move depends on who left; several are looked at.
MOVED = 2.5
#: Most effects that are examined, each with a model of its own.
MOST = 8


def show_leaving(
    draft: Draft, ratings: Ratings, model: Model, effects: list[tuple[Effect, Estimate]], time: str
) -> None:
    """Effects of clients on growth, averaged over clients whose ratings end early and the others.

    The horizon is the median over clients of the last rated time. Little 1993, doi 10.2307/2290705.
    """
    last = model.rows.groupby("client")["weeks"].transform("max")
    horizon = float(model.rows.groupby("client")["weeks"].max().median())
    rows = model.rows.assign(left=(last < horizon).astype(int))
    left = rows.groupby("client")["left"].first()
    own = [(x, e) for x, e in effects if not x.of_therapists and len(x.weights) == 1][:MOST]
    if not own or min(int(left.sum()), int((1 - left).sum())) < MIN_CLIENTS:
        return
    found, moved = [], []
    for effect, main in own:
        try:
            average = _averaged(model, rows, effect, main)
        except AllianceError:
            continue
        found += [main, average]
        turned = (main.ci_low > 0 or main.ci_high < 0) and average.ci_low <= 0 <= average.ci_high
        # The average uses less of the data: without a dependence both differ by the difference of their variances (Hausman 1978).
        chance = np.sqrt(max(average.se**2 - main.se**2, 0.0))
        if abs(average.estimate - main.estimate) > MOVED * chance or turned:
            moved.append(effect.label)
    if not found:
        return
    draft.estimate(*found[1::2])
    draft.table_of(
        "leaving",
        "Growth, if clients whose ratings end early have another course",
        "sensitivity",
        found,
        [Column("label", "Effect"), *ESTIMATE, COUNT],
        "The first row of each effect takes ratings after the last one as missing at random. The second comes from a model in which "
        "clients whose ratings end early have a level, a growth and effects of their own, and weights both groups by their sizes. Early: "
        "before the median of the clients' last rated times. If both rows agree, the effect does not depend on this assumption. Both rows take "
        "the effect as the same for all therapists.",
    )
    draft.cite("little1993")
    if moved:
        draft.find(
            "leaving_moves_growth",
            "caution",
            "If clients whose ratings end before {time} {horizon} have a course of their own, these effects on growth are different "
            "or no longer clear: {names}.",
            "growth",
            short("little1993"),
            time=time,
            horizon=Number(horizon + ratings.middle, n=len(left)),
            names=listed(moved),
        )


def _averaged(model: Model, rows: pd.DataFrame, effect: Effect, main: Estimate) -> Estimate:
    from alliance_longitudinal.methods import pattern_mixture

    term = f"weeks:{next(iter(effect.weights))}"
    found = pattern_mixture(model.fitted.formula, rows, "left", term, "client", reml=True)
    row = t_inference(float(found.params["average"]), float(found.bse["average"]), main.df)
    kept = {k: v for k, v in scaled(row, TEN / model.sd).items() if k != "t"}
    label = f"{main.label}: averaged over clients whose ratings end early and the others"
    return Estimate(f"{main.id}_patterns", label, n=main.n, level=main.level, unit=main.unit, **kept)
