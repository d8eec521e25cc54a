"""Simulation and refits with a residual structure: residuals are drawn row by row, as innovations of each group."""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_names import natural
from alliance_longitudinal.engine.fitted.tables import varcorr_values
from alliance_longitudinal.engine.resampling.draws import Noise, root_of
from alliance_longitudinal.engine.resampling.refits import start_of
from alliance_longitudinal.engine.search.optimize import Optimum, descend
from alliance_longitudinal.engine.search.residual import evaluator
from alliance_longitudinal.engine.statistics.structured.model import ResidualModel
from alliance_longitudinal.engine.statistics.structured.structure import AR1
from alliance_longitudinal.engine.statistics.structured.whiten import Innovations, innovations

#: Where a refit of a `CAR1` starts whose fit lies at independence.
_START = 0.1
_SAME = 1e-7


@dataclass(frozen=True, slots=True)
class StructuredDraws:
    """Responses of mean zero.

    Attributes
    ----------
    effects : Noise
        Random effects of all rows in the order of the design; no residuals.
    innovations : Innovations
    sd : ndarray, shape (n,)
        Residual standard deviation of each row if its stratum were the reference.
    """

    effects: Noise
    innovations: Innovations
    sd: Array

    def draw(self, rng: np.random.Generator) -> Array:
        """One draw, shape (n,)."""
        out = self.effects.draw(rng)
        rows = self.innovations.pattern.rows
        out[rows] += self.sd[rows] * self.innovations.colour(rng.standard_normal(len(rows)))
        return out


@dataclass(frozen=True, slots=True)
class Refits:
    """Estimates of the replicates, user's units; missing without a verified optimum.

    Attributes
    ----------
    params : ndarray, shape (B, p)
    components : ndarray, shape (B, c)
        In the rows of the table of variance components.
    residual : ndarray, shape (B, m)
        As in ``residual_parameters``.
    failed, boundary : int
        Replicates without a verified optimum, and with some covariance on its boundary.
    """

    params: Array
    components: Array
    residual: Array
    failed: int
    boundary: int


def structured_draws(fit: MixedFit, internal: bool) -> StructuredDraws:
    """Draws in the user's units, or in internal ones (rows times the root of their weight)."""
    assert fit.residual is not None
    design = fit.design
    made = innovations(fit.residual.model.pattern, fit.residual.tau)
    root = np.ones(len(design.y)) if design.weights is None else np.sqrt(design.weights)
    s = fit.criterion.rss / fit.criterion.nu
    if internal:
        z = tuple(fit.basis.q @ c for c in fit.basis.c)
        roots = tuple(np.sqrt(s) * root_of(d) for d in fit.record.best.relative)
        sd = np.full(len(root), np.sqrt(s))
    else:
        z = tuple(t.z for t in design.terms)
        roots = tuple(root_of(psi) for psi in fit.psi)
        sd = np.sqrt(fit.scale) / root
    factors = [design.factors[t.factor] for t in design.terms]
    effects = Noise(
        z, tuple(f.codes for f in factors), tuple(f.size for f in factors), roots, np.zeros(len(root))
    )
    return StructuredDraws(effects, made, sd)


def structured_refits(fit: MixedFit, n_boot: int, rng: np.random.Generator) -> Refits:
    """Refits to responses drawn from the fit, the structure's parameters estimated anew in each."""
    assert fit.residual is not None
    draws = structured_draws(fit, internal=True)
    start, effects = start_of(fit), [np.linalg.inv(b) for b in fit.basis.b]
    values = varcorr_values(fit.psi, fit.scale)[0]
    params = np.full((n_boot, len(fit.beta)), np.nan)
    components = np.full((n_boot, len(values)), np.nan)
    residual = np.full((n_boot, fit.residual.n_parameters), np.nan)
    boundary = 0
    for i in range(n_boot):
        found = _refit(fit, draws.draw(rng), start)
        if found is None:
            continue
        optimum, residual[i] = found
        criterion = optimum.criterion
        scale = fit.basis.y_scale**2 * criterion.rss / criterion.nu
        psi = tuple(scale * e @ d @ e.T for e, d in zip(effects, optimum.relative, strict=True))
        params[i] = fit.beta + fit.basis.y_scale * np.linalg.solve(fit.basis.r_x, criterion.beta)
        components[i] = varcorr_values(psi, scale)[0]
        boundary += optimum.face.ranks != optimum.face.sizes
    return Refits(params, components, residual, int(np.isnan(params[:, 0]).sum()), boundary)


def _refit(fit: MixedFit, y: Array, start: list[Array]) -> tuple[Optimum, Array] | None:
    """Optimum for another response (internal units, order of the design), and its structure's parameters."""
    assert fit.residual is not None
    residual = fit.residual
    full = residual.full.with_response(y[residual.full.pattern.rows])
    tau = np.append(-np.log(-np.log(_START)), residual.tau) if residual.independent else residual.tau
    edge = None
    if full.pattern.correlated and not isinstance(full.pattern.structure, AR1):
        free = full.independent()
        edge = _search(fit, free, start, tau[1:])
    inside = _search(fit, full, start, tau, once=edge is not None)
    if edge and not (inside and inside.value < edge.value - _SAME):
        return edge, np.append(0.0, natural(free.pattern, edge.extra))
    return (inside, natural(full.pattern, inside.extra)) if inside else None


def _search(
    fit: MixedFit, model: ResidualModel, start: list[Array], tau: Array, once: bool = False
) -> Optimum | None:
    """From the fit's parameters, and (unless ``once``) from others where that gets no certificate; None if none does."""
    face = replace(fit.record.best.face.full(), extra=model.pattern.size)
    others = [] if once else [[size * np.eye(q) for q in face.sizes] for size in (1.0, 0.0, 0.05, 5.0)]
    for relative in [start, *others]:
        found = descend(evaluator(model, fit.reml), face, relative, False, tau)
        if found.certificate.holds:
            return found
    return None
