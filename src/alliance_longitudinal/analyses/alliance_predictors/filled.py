"""A predictor that many clients lack, filled in several times as if it were missing at random."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.asked import MANY_MISSING, Asked
from alliance_longitudinal.analyses.alliance_predictors.compute import (
    Model,
    Ratings,
    identity_of,
    scaled,
    units,
)
from alliance_longitudinal.analyses.alliance_predictors.design import Predictor, build
from alliance_longitudinal.analyses.kit import ENDPOINT, ESTIMATE, TEST, Draft, Estimate, Fitted, fit_first
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.present import Column

if TYPE_CHECKING:
    from alliance_longitudinal.engine.results.pooled import PooledResults

#: Completed copies of the data.
COPIES = 20


def show_filled(
    draft: Draft,
    ratings: Ratings,
    everybody: Ratings,
    asked: Asked,
    model: Model,
    main: Sequence[Estimate],
    seed: int,
) -> None:
    """Effects on the early alliance of numbers that many clients lack, by multiple imputation.

    Each predictor is filled in by a mixed model on the early alliance (of the client and of the therapist) and the other predictors,
    among clients for whom the others are known; fits are pooled by Rubin's rules.
    """
    usual = {e.id: e for e in main}
    found: list[Estimate] = []
    for predictor in asked.predictors:
        known = predictor.of(everybody.clients).notna()
        if predictor.level != "client" or predictor.categories or (~known).mean() <= MANY_MISSING:
            continue
        try:
            own = _filled(draft, ratings, everybody, asked, model, predictor, seed)
        except AllianceError:
            continue
        for e in own:
            found += [usual[e.id.removesuffix("_imputed")], e]
    if not found:
        return
    draft.estimate(*found[1::2])
    draft.cite("rubin1987")
    draft.table_of(
        "imputed",
        "If predictors that many clients lack are filled in",
        "sensitivity",
        found,
        [Column("label", "Effect of"), *ESTIMATE, *TEST],
        f"The first row of each effect is from clients for whom all predictors are known. In the second, missing values of this predictor were "
        f"filled in {COPIES} times from the early alliance and the other predictors, as if they were missing at random, and the results pooled "
        "(Rubin); standard deviations are those of the completed data. Both rows take the effect as the same for all therapists.",
    )


def _filled(
    draft: Draft,
    ratings: Ratings,
    everybody: Ratings,
    asked: Asked,
    model: Model,
    predictor: Predictor,
    seed: int,
) -> list[Estimate]:
    from alliance_longitudinal import methods
    from alliance_longitudinal.engine import MixedModel, pool

    others = [p for p in asked.predictors if p.name != predictor.name]
    rows = everybody.clients[everybody.clients["early"].notna()]
    rows = rows[np.logical_and.reduce([p.of(rows).notna() for p in others])] if others else rows
    rows = rows.reset_index(drop=True)
    of_others = build(rows, others, ratings.clients, split=ratings.split, between=ratings.between)
    early = rows["early"] - rows["early"].mean()
    above = early.groupby(rows["therapist"]).transform("mean")
    frame = pd.concat([rows, of_others.columns], axis=1)
    frame = frame.assign(x_=predictor.of(rows).astype(float), early_own=early - above, early_mean=above)
    formula = "x_ ~ " + " + ".join(["early_own", "early_mean", *of_others.terms]) + " + (1 | therapist)"
    copies = methods.impute(MixedModel.from_formula(formula, frame), frame, m=COPIES, seed=seed)
    unit = float(np.mean([copy["x_"].std() for copy in copies]))
    fits = []
    for copy in copies:
        complete = replace(predictor, values=pd.Series(copy["x_"].to_numpy(), index=rows["client"]))
        fits.append(_refit(draft, ratings, rows, asked, complete, unit))
    pooled = pool([f.result for f in fits])
    return _estimates(asked, model, predictor, pooled, rows)


def _refit(
    draft: Draft, ratings: Ratings, rows: pd.DataFrame, asked: Asked, complete: Predictor, unit: float
) -> Fitted:
    """The early model on one completed copy."""
    predictors = [complete if p.name == complete.name else p for p in asked.predictors]
    design = build(rows, predictors, rows, split=ratings.split, between=ratings.between)
    columns = design.columns
    for effect in (e for e in design.effects if e.predictor.name == complete.name):
        (column,) = effect.weights  # in the same unit in every copy
        columns = columns.assign(**{column: columns[column] * effect.sd / unit})
    frame, adjusted = draft.adjusters(pd.concat([rows, columns], axis=1))
    fixed = "early ~ " + " + ".join([*map(str, columns), *adjusted])
    return fit_first("filled", "Early alliance, filled in", fixed, frame, ENDPOINT)


def _estimates(
    asked: Asked,
    model: Model,
    predictor: Predictor,
    pooled: "PooledResults",
    rows: pd.DataFrame,
) -> list[Estimate]:
    sd, n = float(rows["early"].std()), len(rows)
    out = []
    for effect in model.design.effects:
        if effect.predictor.name != predictor.name:
            continue
        (column,) = effect.weights
        bound = model.max_df if effect.of_therapists else np.inf
        row = t_inference(
            float(pooled.params[column]), float(pooled.bse[column]), min(float(pooled.df[column]), bound)
        )
        kept = {k: v for k, v in scaled(row, 1 / sd).items() if k != "t"}
        level, of = ("therapist", model.therapists) if effect.of_therapists else ("client", n)
        unit = units(asked.a, "early", "")[0]
        identity = f"{identity_of('early', effect)}_imputed"
        out.append(Estimate(identity, f"{effect.label}: filled in", n=of, level=level, unit=unit, **kept))
    return out
