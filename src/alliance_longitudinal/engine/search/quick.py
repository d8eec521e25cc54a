"""A first search with average information, where the exact second derivatives of a large dense block are dear.

The average of observed and expected information needs no second derivative of ``log|V|`` (Gilmour, Thompson and Cullis
1995, Biometrics 51:1440-1450, eq. 7): ``y'P V_i P V_j P y`` is half the second derivative of the residual sum of squares.
The search ends near the optimum; the exact one, which certifies, starts there.
"""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import search
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.protocol import Parts

#: From this size of the dense block a search starts with average information.
LARGE = 200
_LEAVE_BOUNDARY = 0.02


@dataclass(frozen=True, slots=True)
class WithoutLogCurves:
    """Statistics whose second derivatives of ``log|V|`` are left out."""

    exact: Crossing

    @property
    def n(self) -> int:
        """Rows."""
        return self.exact.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.exact.p

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked."""
        return self.exact.entry_terms

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """See `Crossing.sweep`."""
        return self.exact.sweep(relative, order, log_curves=False)


def averaged(statistics: Crossing, relative: list[Array], reml: bool, order: int) -> Criterion:
    """The criterion with average information as its Hessian."""
    criterion = profiled(WithoutLogCurves(statistics), relative, reml, order)
    slope = criterion.drss / criterion.rss
    hessian = criterion.nu * (0.5 * criterion.ddrss / criterion.rss - np.outer(slope, slope))
    return replace(criterion, hessian=hessian)


def quick_start(
    statistics: Crossing, face: Face, reml: bool, first: list[Array] | None
) -> list[Array] | None:
    """Relative covariances near an optimum, searched from ``first``; None where the exact search is quick itself."""
    if statistics.pattern.scalars - statistics.pattern.dense_first < LARGE:
        return None

    def evaluate(relative: list[Array], order: int) -> Criterion:
        return averaged(statistics, relative, reml, order)

    best = search(evaluate, face, False, first=first).best
    return [
        d + (_LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(best.relative, best.face.ranks, strict=True)
    ]
