"""Simulation from a generalised fit, and the parametric bootstrap: refits to simulated responses."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families import problem as internal
from alliance_longitudinal.engine.families.accuracy import runaway
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.families.search import descend
from alliance_longitudinal.engine.families.separation import separating, suspicious
from alliance_longitudinal.engine.fitted.generalised_tables import component_keys, component_values
from alliance_longitudinal.engine.fitted.rows import known_part
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit, effects, face_of, reported
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.engine.resampling.draws import root_of
from alliance_longitudinal.errors import FitError

_LEAVE_BOUNDARY = 0.02


def draw(fit: GeneralisedFit, rng: np.random.Generator) -> Array:
    """One response in the family's terms (successes, counts, positions of categories), random effects drawn anew."""
    eta = fit.design.x @ fit.beta + known_part(fit.design)
    for term, psi in zip(fit.design.terms, fit.psi, strict=True):
        factor = fit.design.factors[term.factor]
        root = root_of(psi)
        values = rng.normal(size=(factor.size, root.shape[1])) @ root.T
        eta = eta + np.einsum("nq,nq->n", term.z, values[factor.codes])
    return fit.response.family.draw(rng, eta, fit.response.size, fit.aux)


def simulate(fit: GeneralisedFit, n: int, seed: int | None) -> pd.DataFrame:
    """``n`` responses as in the data: shares of the trials, counts, or categories; columns 0 to n - 1.

    Raises
    ------
    FitError
        Fewer than one draw asked for.
    """
    if n < 1:
        raise FitError(f"The number of draws must be at least 1, not {n}.")
    rng = generator(seed)
    drawn = np.stack([draw(fit, rng) for _ in range(n)], axis=1)
    if fit.response.categories:
        labels = np.array(fit.response.categories, dtype=object)
        return pd.DataFrame(labels[drawn.astype(np.intp)], index=fit.design.index).infer_objects()
    return pd.DataFrame(drawn / fit.response.size[:, None], index=fit.design.index)


def bootstrap(fit: GeneralisedFit, n_boot: int, seed: int | None) -> Bootstrap:
    """Parametric bootstrap of coefficients (and thresholds) and variance components.

    A replicate counts as failed when its optimum is not certified or its estimates run off, because a term separates its
    responses.

    Raises
    ------
    FitError
        Fewer than two replicates asked for.
    """
    if n_boot < 2:
        raise FitError(f"A bootstrap needs at least 2 replicates, not {n_boot}; 1000 or more for intervals.")
    rng = generator(seed)
    keys = component_keys(fit.design).fillna("")
    params = np.full((n_boot, len(fit.params)), np.nan)
    components = np.full((n_boot, len(keys)), np.nan)
    failed = at_boundary = 0
    for i in range(n_boot):
        found = _refit(fit, draw(fit, rng))
        if found is None:
            failed += 1
        else:
            params[i], components[i], singular = found
            at_boundary += singular
    return Bootstrap(
        pd.DataFrame(params, columns=list(fit.names)),
        pd.DataFrame(components, columns=pd.MultiIndex.from_frame(keys)),
        failed,
        at_boundary,
    )


def _refit(fit: GeneralisedFit, response: Array) -> tuple[Array, Array, bool] | None:
    """Estimates from another response, searched from the fit's own optimum."""
    family = fit.problem.family
    if family.name == "ordinal" and len(np.unique(response)) <= family.n_aux:
        return None
    problem, _ = internal.build(fit.design, family, response, fit.response.size)
    criterion = Criterion(problem, fit.n_agq)
    best = fit.record.best
    start = [
        d + (_LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(
            best.face.covariances(best.params[criterion.n_fixed :]), best.face.ranks, strict=True
        )
    ]
    found = descend(criterion, face_of(fit.units), best.params[: criterion.n_fixed], start)
    if not found.certificate.holds:
        return None
    beta, aux, _ = criterion.split(found.params)
    if runaway(criterion, found):
        return None
    if suspicious(problem.x @ beta, True) and separating(
        family, fit.design.x, response, fit.response.size, fit.design.names
    ):
        return None
    psi, _ = effects(criterion, fit.units, found)
    singular = found.face.ranks != found.face.sizes
    return reported(problem, fit.units, beta, aux)[0], component_values(psi)[0], singular
