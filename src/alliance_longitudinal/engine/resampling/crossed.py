"""Draws from a fit with crossed factors or multiple membership: effects on their sparse columns, residuals by rows."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing


@dataclass(frozen=True, slots=True)
class CrossedDraws:
    """A source of cross-products with a new response, in internal units.

    Attributes
    ----------
    blocks : Crossing
    roots : tuple of ndarray, shape (q, q)
        Of each factor: root of the covariance of its effects.
    spread : float
        Standard deviation of the residuals.
    """

    blocks: Crossing
    roots: tuple[Array, ...]
    spread: float

    def draw(self, rng: np.random.Generator) -> Crossing:
        """The statistics of the fit with the cross-products of a newly drawn response."""
        effects = np.zeros(self.blocks.pattern.scalars)
        for rows, root in zip(self.blocks.rows, self.roots, strict=True):
            effects[rows] = rng.standard_normal((len(rows), len(root))) @ root.T
        residual = self.spread * rng.standard_normal(self.blocks.n)
        return self.blocks.with_response(self.blocks.z @ effects + residual)
