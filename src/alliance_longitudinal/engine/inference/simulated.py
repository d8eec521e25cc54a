"""Simulated studies of one design, fitted again: estimates, standard errors and degrees of freedom of contrasts.

Responses are noise with given variances, drawn as cross-products (``resampling.draws``). In a linear model the error of an
estimate, its standard error and its degrees of freedom do not depend on the coefficients, so one run serves every size of
an effect: the estimate of an effect is the effect and the error that is returned here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Mask
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.satterthwaite import satterthwaite
from alliance_longitudinal.engine.linalg.threads import in_order
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.draws import draws_of, many_refitted
from alliance_longitudinal.engine.resampling.refits import LEAVE_BOUNDARY, careful
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.statistics.choose import threads_for
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class SimulatedTests:
    """Refits of simulated responses; one without a verified optimum is missing.

    Attributes
    ----------
    error : ndarray, shape (n, r)
        Estimate less truth of each contrast.
    se, df : ndarray, shape (n, r)
        Model-based standard errors and Satterthwaite's degrees of freedom.
    variances : list of ndarray, each of shape (n, q, q)
        Covariance of each term's effects.
    boundary : ndarray of bool, shape (n,)
        Whether some covariance is on its boundary.
    failed : int
        Refits without a verified optimum.
    """

    error: Array
    se: Array
    df: Array
    variances: list[Array]
    boundary: Mask
    failed: int


def simulated_tests(
    fit: MixedFit,
    psi: Sequence[Array],
    scale: float,
    rows: Array,
    n_sim: int,
    seed: int | None,
) -> SimulatedTests:
    """Simulate from the design of ``fit`` with other variances, and fit again by the fit's method.

    Parameters
    ----------
    fit : MixedFit
        Its design and method are used, its estimates are not.
    psi : sequence of ndarray
        True covariance of each term's effects, in the design's order.
    scale : float
        True residual variance.
    rows : ndarray, shape (r, p)
        Contrasts of the coefficients.
    n_sim : int
    seed : int or None

    Raises
    ------
    FitError
        Covariances that do not match the design, fewer than two simulations, or a residual structure.
    """
    sizes = [len(t.names) for t in fit.design.terms]
    if [np.shape(m) for m in psi] != [(q, q) for q in sizes]:
        raise FitError(f"The design has covariances of {sizes} effects; those given have other shapes.")
    if n_sim < 2:
        raise FitError(f"A simulation needs at least 2 studies, not {n_sim}.")
    if fit.residual is not None:
        raise FitError("Simulated studies are not available with a residual structure.")
    relative = [b @ (np.asarray(m, dtype=float) / scale) @ b.T for m, b in zip(psi, fit.basis.b, strict=True)]
    best = replace(fit.record.best, relative=tuple(relative))
    true = replace(fit, record=replace(fit.record, best=best))
    internal = (
        fit.criterion.rss / fit.criterion.nu
    )  # the draws' residual variance: what its unit stands for is `size`
    size = float(np.sqrt(scale / internal) / fit.basis.y_scale)
    start = [d + LEAVE_BOUNDARY * np.eye(len(d)) for d in relative]
    rng, draws = generator(seed), draws_of(true)
    back = np.linalg.inv(fit.basis.r_x)

    def refitted(statistics: Statistics) -> tuple[Array, Array, Array, list[Array], bool] | None:
        def evaluate(at: list[Array], order: int) -> Criterion:
            return profiled(statistics, at, fit.reml, order)

        found = careful(evaluate, fit.record.best.face.full(), start)
        if found is None:
            return None
        c = evaluate(list(found.relative), 2)  # degrees of freedom need the curvature
        s = c.rss / c.nu
        own = replace(fit, criterion=c, record=replace(fit.record, best=found))
        unit = size * fit.basis.y_scale
        cov = unit**2 * s * back @ c.cov_x @ back.T
        effects = [np.linalg.inv(b) for b in fit.basis.b]
        return (
            rows @ (unit * back @ c.beta),
            np.sqrt(np.einsum("ra,ab,rb->r", rows, cov, rows)),
            satterthwaite(own, rows),
            [unit**2 * s * e @ d @ e.T for e, d in zip(effects, found.relative, strict=True)],
            found.face.ranks != found.face.sizes,
        )

    with threads_for(fit.blocks):
        samples = (draws.draw(rng) for _ in range(n_sim))
        refits = list(in_order(refitted, samples, many_refitted(fit.blocks)))
    done = [r for r in refits if r is not None]

    def stacked(which: int) -> Array:
        missing = np.full(len(rows), np.nan)
        return np.array([missing if r is None else r[which] for r in refits])

    return SimulatedTests(
        stacked(0),
        stacked(1),
        stacked(2),
        [np.array([r[3][t] for r in done]).reshape(-1, q, q) for t, q in enumerate(sizes)],
        np.array([r[4] for r in done], dtype=bool),
        n_sim - len(done),
    )
