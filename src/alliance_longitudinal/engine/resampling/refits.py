"""Refits of a model to resampled or simulated cross-products."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.tables import varcorr_values
from alliance_longitudinal.engine.linalg.threads import in_order
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import Optimum, descend
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics.choose import threads_for
from alliance_longitudinal.engine.statistics.protocol import Statistics

#: Added to relative covariances on their boundary, so that a refit can leave it.
LEAVE_BOUNDARY = 0.02


def start_of(fit: MixedFit) -> list[Array]:
    """Where refits start: the optimum, moved off its boundary."""
    best = fit.record.best
    return [
        d + (LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(best.relative, best.face.ranks, strict=True)
    ]


def careful(
    evaluate: Callable[..., Criterion], face: Face, start: list[Array], extra: Array | tuple[()] = ()
) -> Optimum | None:
    """Search from one start, and from others where it ends without a certificate; None if none gets one.

    ``extra`` are the parameters of a residual structure to start from, if the face has some.
    """
    tries = [start] + [[size * np.eye(q) for q in face.sizes] for size in (1.0, 0.0, 0.05, 5.0)]
    for relative in tries:
        found = descend(evaluate, face, relative, polish=False, extra=extra)
        if found.certificate.holds:
            return found
    return None


@dataclass(frozen=True, slots=True)
class Refit:
    """Estimates of one refit, user's units."""

    beta: Array
    vcov: Array
    boundary: bool


@dataclass(frozen=True)
class Refitter:
    """Refits of one model.

    Attributes
    ----------
    fit : MixedFit
    start : list of ndarray
        Relative covariances from which each search starts.
    origin : ndarray, shape (p,)
        Coefficients that internal zero stands for: those of the fit where noise is drawn around it, those of least
        squares where the response itself is resampled.
    """

    fit: MixedFit
    start: list[Array]
    origin: Array

    @cached_property
    def effects(self) -> list[Array]:
        """Internal random effects to the user's, for each term."""
        return [np.asarray(np.linalg.inv(b), dtype=float) for b in self.fit.basis.b]

    @cached_property
    def back(self) -> Array:
        """Internal coefficients to the user's, shape (p, p)."""
        return np.asarray(np.linalg.inv(self.fit.basis.r_x))

    def __call__(self, statistics: Statistics) -> Refit | None:
        """Estimates; None without a verified optimum."""

        def evaluate(relative: list[Array], order: int) -> Criterion:
            return profiled(statistics, relative, self.fit.reml, order)

        optimum = careful(evaluate, self.fit.record.best.face.full(), self.start)
        if optimum is None:
            return None
        criterion, basis = optimum.criterion, self.fit.basis
        scale = basis.y_scale**2 * criterion.rss / criterion.nu
        psi = tuple(scale * e @ d @ e.T for e, d in zip(self.effects, optimum.relative, strict=True))
        beta = self.origin + basis.y_scale * (self.back @ criterion.beta)
        boundary = optimum.face.ranks != optimum.face.sizes
        return Refit(beta, varcorr_values(psi, scale)[0], boundary)

    def all(self, samples: Iterator[Statistics], several: bool) -> tuple[Array, Array, int, int]:
        """Coefficients (B, p), variance components (B, c), failures and boundary estimates; failures are missing.

        With ``several`` they run in threads; worth it where most of the time goes into the compiled loops.
        """
        p, components = len(self.fit.beta), len(varcorr_values(self.fit.psi, self.fit.scale)[0])
        with threads_for(self.fit.blocks):
            refits = list(in_order(self, samples, several))
        beta = np.array([np.full(p, np.nan) if r is None else r.beta for r in refits])
        vcov = np.array([np.full(components, np.nan) if r is None else r.vcov for r in refits])
        failed = sum(r is None for r in refits)
        boundary = sum(r is not None and r.boundary for r in refits)
        return beta.reshape(-1, p), vcov.reshape(-1, components), failed, boundary
