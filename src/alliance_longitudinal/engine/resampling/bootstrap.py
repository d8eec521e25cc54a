"""Simulation from a fit, and the parametric bootstrap: only the response changes, so each refit starts at the optimum."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.blocks import Blocks
from alliance_longitudinal.engine.fitting.criterion import Criterion, profiled
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.fitting.optimize import descend
from alliance_longitudinal.engine.resampling.draws import Noise, draws_of, root_of
from alliance_longitudinal.engine.show.tables import varcorr_keys, varcorr_values
from alliance_longitudinal.errors import FitError

Array = NDArray[np.float64]
_LEAVE_BOUNDARY = 0.02


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Estimates of the refits, one row a replicate; a replicate without a certified optimum is missing.

    Attributes
    ----------
    params : DataFrame, n_boot by terms
    varcorr : DataFrame, n_boot by rows of the table of variance components
        Variances and covariances; columns ``(group, term1, term2)``, with empty text where the table has a
        missing value. Replicates on the boundary are kept.
    n_failed : int
        Replicates without a certified optimum.
    """

    params: pd.DataFrame
    varcorr: pd.DataFrame
    n_failed: int


def simulate(fit: MixedFit, n: int, seed: int | None) -> pd.DataFrame:
    """Draw ``n`` responses from the fitted model, random effects included; columns 0 to n - 1."""
    if n < 1:
        raise FitError(f"The number of draws must be at least 1, not {n}.")
    rng = np.random.default_rng(seed)
    design = fit.design
    weights = 1.0 if design.weights is None else design.weights
    noise = Noise(
        tuple(t.z for t in design.terms),
        tuple(design.factors[t.factor].codes for t in design.terms),
        tuple(design.factors[t.factor].size for t in design.terms),
        tuple(root_of(psi) for psi in fit.psi),
        np.sqrt(fit.scale / weights) * np.ones(len(design.y)),
    )
    mean = design.x @ fit.beta + (0.0 if design.offset is None else design.offset)
    return pd.DataFrame(np.stack([mean + noise.draw(rng) for _ in range(n)], axis=1), index=design.index)


def bootstrap(fit: MixedFit, n_boot: int, seed: int | None) -> Bootstrap:
    """Parametric bootstrap of coefficients and variance components.

    Raises
    ------
    FitError
        Fewer than two replicates asked for.
    """
    if n_boot < 2:
        raise FitError(f"A bootstrap needs at least 2 replicates, not {n_boot}; 1000 or more for intervals.")
    rng = np.random.default_rng(seed)
    draws = draws_of(fit)
    start = [
        d + (_LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(fit.record.best.relative, fit.record.best.face.ranks, strict=True)
    ]
    keys = varcorr_keys(fit.design).fillna("")
    params = np.full((n_boot, len(fit.beta)), np.nan)
    components = np.full((n_boot, len(keys)), np.nan)
    failed = 0
    for i in range(n_boot):
        estimate = _refit(fit, draws.draw(rng), start)
        if estimate is None:
            failed += 1
        else:
            params[i], components[i] = estimate
    return Bootstrap(
        pd.DataFrame(params, columns=list(fit.design.names)),
        pd.DataFrame(components, columns=pd.MultiIndex.from_frame(keys)),
        failed,
    )


def _refit(fit: MixedFit, blocks: Blocks, start: list[Array]) -> tuple[Array, Array] | None:
    def evaluate(relative: list[Array], order: int) -> Criterion:
        return profiled(blocks, relative, fit.reml, order)

    optimum = descend(evaluate, fit.record.best.face, start, polish=False)
    if not optimum.certificate.holds:
        return None
    criterion = optimum.criterion
    basis = fit.basis
    scale = basis.y_scale**2 * criterion.rss / criterion.nu
    effects = [np.linalg.inv(b) for b in basis.b]
    psi = tuple(scale * e @ d @ e.T for e, d in zip(effects, optimum.relative, strict=True))
    beta = fit.beta + basis.y_scale * np.linalg.solve(basis.r_x, criterion.beta)
    return beta, varcorr_values(psi, scale)[0]
