"""Draws from what a fitted model knows: its parameters, its random effects, and responses that were not observed.

Variance parameters are drawn as their estimates in data simulated from the fit. Given them, coefficients (with a flat prior)
and random effects are drawn together from their exact conditional distribution: with effects and residuals simulated
from the model, ``b = E(b | y - y+) + b+`` (Durbin & Koopman 2002, Biometrika 89:603-615). That needs one solution per draw
and no covariance of the effects.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_nesting import refuse_structure
from alliance_longitudinal.engine.resampling.draws import Draws, RowDraws, draws_of, root_of, row_draws
from alliance_longitudinal.engine.resampling.refits import careful, start_of
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.modes import conditional_modes
from alliance_longitudinal.engine.statistics.nested import Blocks
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.errors import FitError

#: How often a simulated data set may have no verified optimum before the model is given up.
TRIES = 20


@dataclass(frozen=True, slots=True)
class PosteriorDraw:
    """One draw, in the user's units.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    effects : tuple of ndarray, shape (size, q_t)
        Random effects of each term.
    psi : tuple of ndarray, shape (q_t, q_t)
        Their covariances.
    scale : float
        Residual variance.
    """

    beta: Array
    effects: tuple[Array, ...]
    psi: tuple[Array, ...]
    scale: float


@dataclass(frozen=True)
class Posterior:
    """What draws from a fit need.

    Attributes
    ----------
    fit : MixedFit
    source : Draws
        Of simulated data.
    start : list of ndarray
        Where the search in simulated data begins.
    variances : bool
        Whether variance parameters are drawn; otherwise they are those of the fit.
    """

    fit: MixedFit
    source: Draws
    start: list[Array]
    variances: bool = True

    @classmethod
    def of(cls, fit: MixedFit, variances: bool = True) -> "Posterior":
        """Of a fit with independent residuals.

        Raises
        ------
        FitError
            The residuals have a structure.
        """
        refuse_structure(fit, "Drawing unobserved responses is", "Fit the model with independent residuals.")
        return cls(fit, draws_of(fit), start_of(fit), variances)

    def draw(self, rng: np.random.Generator) -> PosteriorDraw:
        """One draw of all parameters and effects."""
        fit, basis = self.fit, self.fit.basis
        relative, s = self._variances(rng)
        noise = [
            np.sqrt(s) * rng.standard_normal((size, len(d))) @ root_of(d).T
            for d, size in zip(relative, self._sizes, strict=True)
        ]
        response = basis.y - np.sqrt(s) * rng.standard_normal(len(basis.y))
        for term, c, effects in zip(fit.design.terms, basis.c, noise, strict=True):
            factor = fit.design.factors[term.factor]
            of_rows = effects[factor.codes] if factor.weights is None else factor.share @ effects
            response = response - np.einsum("nq,nq->n", basis.q @ c, of_rows)
        statistics = self._with_response(response)
        criterion = profiled(statistics, relative, True, 0)
        modes = conditional_modes(statistics, relative, criterion.beta, s)
        size = basis.y_scale
        back = [np.asarray(np.linalg.inv(b)) for b in basis.b]
        return PosteriorDraw(
            beta=basis.beta_ols + size * np.linalg.solve(basis.r_x, criterion.beta),
            effects=tuple(size * (m.values + n) @ e.T for m, n, e in zip(modes, noise, back, strict=True)),
            psi=tuple(size**2 * s * e @ d @ e.T for d, e in zip(relative, back, strict=True)),
            scale=float(size**2 * s),
        )

    @cached_property
    def _rows(self) -> RowDraws:
        return row_draws(self.fit)

    @property
    def _sizes(self) -> list[int]:
        return [self.fit.design.factors[t.factor].size for t in self.fit.design.terms]

    def _variances(self, rng: np.random.Generator) -> tuple[list[Array], float]:
        """Relative covariances and the residual variance, internal units."""
        fit = self.fit
        if not self.variances:
            return list(fit.record.best.relative), fit.criterion.rss / fit.criterion.nu
        for _ in range(TRIES):
            simulated = self.source.draw(rng)

            def evaluate(relative: list[Array], order: int, at: Statistics = simulated) -> Criterion:
                return profiled(at, relative, True, order)

            found = careful(evaluate, fit.record.best.face.full(), self.start)
            if found is not None:
                return list(found.relative), found.criterion.rss / found.criterion.nu
        raise FitError(
            f"In {TRIES} data sets simulated from the fit no optimum was found, so that its variances cannot be drawn. "
            "Leave out a random effect."
        )

    def _with_response(self, y: Array) -> Blocks | Crossing:
        if isinstance(self.fit.blocks, Crossing):
            return self.fit.blocks.with_response(y)
        return self._rows.with_response(y[self._rows.blocks.order])
