"""Simulation from a fit, and the parametric bootstrap: only the response changes, so each refit starts at the optimum."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.blocks import Blocks
from alliance_longitudinal.engine.criterion import Criterion, profiled
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.optimize import descend
from alliance_longitudinal.engine.tables import varcorr_keys, varcorr_values
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


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What the replicates share: effects and groups in elimination order, roots of the covariances."""

    z: tuple[Array, ...]
    codes: tuple[NDArray[np.intp], ...]
    sizes: tuple[int, ...]
    roots: tuple[Array, ...]
    residual: Array


def simulate(fit: MixedFit, n: int, seed: int | None) -> pd.DataFrame:
    """Draw ``n`` responses from the fitted model, random effects included; columns 0 to n - 1."""
    if n < 1:
        raise FitError(f"The number of draws must be at least 1, not {n}.")
    rng = np.random.default_rng(seed)
    design = fit.design
    weights = 1.0 if design.weights is None else design.weights
    recipe = _Recipe(
        tuple(t.z for t in design.terms),
        tuple(design.factors[t.factor].codes for t in design.terms),
        tuple(design.factors[t.factor].size for t in design.terms),
        tuple(_root(psi) for psi in fit.psi),
        np.sqrt(fit.scale / weights) * np.ones(len(design.y)),
    )
    mean = design.x @ fit.beta
    return pd.DataFrame(np.stack([mean + _draw(recipe, rng) for _ in range(n)], axis=1), index=design.index)


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
    recipe = _internal_recipe(fit)
    v = fit.blocks.u @ fit.blocks.levels[0].c
    start = [
        d + (_LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(fit.record.best.relative, fit.record.best.face.ranks, strict=True)
    ]
    keys = varcorr_keys(fit.design).fillna("")
    params = np.full((n_boot, len(fit.beta)), np.nan)
    components = np.full((n_boot, len(keys)), np.nan)
    failed = 0
    for i in range(n_boot):
        blocks = _with_response(fit.blocks, v, _draw(recipe, rng))
        estimate = _refit(fit, blocks, start)
        if estimate is None:
            failed += 1
        else:
            params[i], components[i] = estimate
    return Bootstrap(
        pd.DataFrame(params, columns=list(fit.design.names)),
        pd.DataFrame(components, columns=pd.MultiIndex.from_frame(keys)),
        failed,
    )


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _internal_recipe(fit: MixedFit) -> _Recipe:
    order, design = fit.blocks.order, fit.design
    s = fit.criterion.rss / fit.criterion.nu
    return _Recipe(
        tuple((fit.basis.q @ c)[order] for c in fit.basis.c),
        tuple(design.factors[t.factor].codes[order] for t in design.terms),
        tuple(design.factors[t.factor].size for t in design.terms),
        tuple(np.sqrt(s) * _root(d) for d in fit.record.best.relative),
        np.full(len(design.y), np.sqrt(s)),
    )


def _draw(recipe: _Recipe, rng: np.random.Generator) -> Array:
    """Random effects and residuals of all rows, mean zero."""
    out = recipe.residual * rng.standard_normal(len(recipe.residual))
    for z, codes, size, root in zip(recipe.z, recipe.codes, recipe.sizes, recipe.roots, strict=True):
        effects = rng.standard_normal((size, root.shape[1])) @ root.T
        out += np.einsum("nq,nq->n", z, effects[codes])
    return out


def _with_response(blocks: Blocks, v: Array, y: Array) -> Blocks:
    """The same cross-products with another response (internal units, elimination order)."""
    w, s = blocks.w.copy(), blocks.s.copy()
    for a in range(v.shape[1]):
        w[:, a, -1] = np.add.reduceat(v[:, a] * y, blocks.row_starts[:-1])
    edges = blocks.row_starts[blocks.levels[0].starts]
    for p, (i, j) in enumerate(itertools.pairwise(edges)):
        s[p, :-1, -1] = s[p, -1, :-1] = blocks.u[i:j, :-1].T @ y[i:j]
        s[p, -1, -1] = y[i:j] @ y[i:j]
    return replace(blocks, w=w, s=s)


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
