"""Simulation and refits with a residual structure: residuals are drawn row by row, as innovations of each group."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.fitting.optimize import Optimum, descend
from alliance_longitudinal.engine.resampling.draws import Noise, root_of
from alliance_longitudinal.engine.residuals.estimates import natural
from alliance_longitudinal.engine.residuals.search import evaluator
from alliance_longitudinal.engine.residuals.structure import AR1
from alliance_longitudinal.engine.residuals.whiten import Innovations, innovations

Array = NDArray[np.float64]

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


def refit(fit: MixedFit, y: Array, start: list[Array]) -> tuple[Optimum, Array]:
    """Optimum for another response (internal units, order of the design), and its structure's parameters."""
    assert fit.residual is not None
    residual, face = fit.residual, fit.record.best.face
    full = residual.full.with_response(y[residual.full.pattern.rows])
    tau = residual.tau
    if residual.independent:
        tau = np.append(-np.log(-np.log(_START)), tau)
    inside = descend(evaluator(full, fit.reml), replace(face, extra=full.pattern.size), start, False, tau)
    if not full.pattern.correlated or isinstance(full.pattern.structure, AR1):
        return inside, natural(full.pattern, inside.extra)
    model = full.independent()
    edge = descend(evaluator(model, fit.reml), replace(face, extra=model.pattern.size), start, False, tau[1:])
    if inside.certificate.holds and inside.value < edge.value - _SAME:
        return inside, natural(full.pattern, inside.extra)
    return edge, np.append(0.0, natural(model.pattern, edge.extra))
