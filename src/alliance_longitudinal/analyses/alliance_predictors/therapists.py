"""What needs therapists: their variance that covariates explain, and interactions of clients and therapists."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.compute import (
    TITLES,
    Model,
    Ratings,
    fit_course,
    fit_early,
    scaled,
)
from alliance_longitudinal.analyses.alliance_predictors.design import CONSTANT, Predictor, build
from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    Draft,
    Estimate,
    Fitted,
    Structure,
    robust_of,
    variance_of,
    with_own_effect,
)


def explained(
    draft: Draft,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    model: Model,
    part: str,
) -> Estimate | None:
    """Share of the therapists' variance that their own covariates explain; None where it is not estimated."""
    own = [p for p in predictors if p.level == "therapist"]
    clients = [p for p in predictors if p.level != "therapist"]
    if not own or not model.fitted.structure.therapist:
        return None
    refit = fit_early if part == "early" else fit_course
    base = refit(draft, ratings, clients, people)
    before, after = (_therapist_variance(m.fitted) for m in (base, model))
    if not before > CONSTANT:
        return None
    names = " and ".join(p.label for p in own) if len(own) < 3 else "all therapist covariates together"
    return Estimate(
        "explained_therapists",
        f"Therapists' variance explained by {names}",
        1 - after / before,
        n=model.therapists,
        level="therapist",
        unit="share",
    )


def _therapist_variance(fitted: Fitted) -> float:
    found = variance_of(fitted.result.varcorr, "therapist", "Intercept")
    return 0.0 if np.isnan(found) else found


def interaction(
    draft: Draft,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    pair: tuple[Predictor, Predictor],
    part: str,
) -> Estimate | None:
    """A client's predictor by a therapist's, with the client's effect free to differ between therapists.

    Kenward-Roger's df; without the effect of their own, therapists would count as many independent cases (Heisig & Schaeffer 2019), so
    with fewer therapists than that needs errors are cluster-robust.
    """
    from alliance_longitudinal.engine import MixedModel

    clients = ratings.clients[ratings.clients["early"].notna()] if part == "early" else ratings.clients
    clients = clients.reset_index(drop=True)
    design = build(clients, predictors, people, split=True)
    found = {(e.predictor.name, e.part): e for e in design.effects}
    one, other = found.get((pair[0].name, "within")), found.get((pair[1].name, "between"))
    if one is None or other is None:
        return None
    own, of = next(iter(one.weights)), next(iter(other.weights))
    name = f"{one.id}_by_{other.id}"
    columns = design.columns.assign(**{name: design.columns[own] * design.columns[of]})
    inside = " + ".join(map(str, columns))
    structures: tuple[Structure, ...] = ENDPOINT if part == "early" else GROWTH
    if part == "early":
        rows, fixed = pd.concat([clients, columns], axis=1), f"early ~ {inside}"
    else:
        added = pd.concat([clients[["client"]], columns], axis=1)
        rows = ratings.sessions.merge(added, on="client", how="inner", validate="many_to_one")
        fixed = f"y ~ weeks + {inside}"
    rows, adjusted = draft.adjusters(rows)
    fixed = " + ".join([fixed, *adjusted])
    title = f"{TITLES['early' if part == 'early' else 'course']}, {pair[0].name} by {pair[1].name}"
    words = f"the effect of {pair[0].label}"
    fitted = draft.fit(f"{part}_{name}", title, fixed, rows, with_own_effect(structures, own, words))
    robust = robust_of(fitted)
    if robust is not None:
        fitted = robust
        draft.uses(fitted)
    elif fitted.mixed:
        result = MixedModel.from_formula(fitted.formula, rows).fit(df="kenward-roger")
        fitted = replace(fitted, result=result)
        draft.uses(fitted)
    if name not in fitted.result.params.index:
        return None
    sd = ratings.sd_early if part == "early" else ratings.sd
    kept = {k: v for k, v in scaled(fitted.combination({name: 1.0}), 1 / sd).items() if k != "t"}
    where = "early alliance" if part == "early" else "level"
    label = f"{pair[0].label} by {pair[1].label}, {where}"
    return Estimate(f"{part}_{name}", label, n=len(clients), level="client", unit="SD", **kept)
