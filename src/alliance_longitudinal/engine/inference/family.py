"""The sufficient statistics of a residual structure as a family, one member for each value of its parameters."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.resampling.refits import careful
from alliance_longitudinal.engine.search.criterion import Criterion
from alliance_longitudinal.engine.search.optimize import Optimum
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics.protocol import Parts, Statistics
from alliance_longitudinal.engine.statistics.structured.model import AtParameters, ResidualModel
from alliance_longitudinal.engine.statistics.structured.structure import CAR1

#: Root of a correlation below which it is nil.
_NIL = 1e-6
#: Where a search begins whose coordinate is nearer to zero: there the derivative vanishes.
_LIFT = 0.02
#: Roots or transformed correlations from which a search begins that is to be independent of the fit.
_FRESH = {True: 0.55, False: 0.2}


@dataclass(frozen=True, slots=True)
class Family:
    """Statistics over the coordinates of a structure.

    The coordinates are the structure's parameters, but that the correlation of a `CAR1`, which may be zero and not less,
    is the square of its own (that of the two closest neighbours): zero is then an ordinary point, reached with vanishing
    derivative like a standard deviation of zero.

    Attributes
    ----------
    model : ResidualModel
        With the correlation, if the structure has one.
    """

    model: ResidualModel

    @property
    def rooted(self) -> bool:
        """Whether the first coordinate is the root of a correlation."""
        return isinstance(self.model.pattern.structure, CAR1)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.model.pattern.size

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked."""
        return self.model.entry_terms

    @property
    def n(self) -> int:
        """Rows."""
        return self.model.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.model.p

    @property
    def closest(self) -> float:
        """Smallest gap of two neighbours, internal units."""
        return float(self.model.products.classes.lags.min())

    def at(self, coordinates: Array) -> Statistics:
        """Sufficient statistics, with derivatives in the coordinates before those in the covariances' entries."""
        coordinates = np.asarray(coordinates, dtype=float)
        if not self.rooted:
            return self.model.at(coordinates)
        size, sign = max(abs(float(coordinates[0])), _NIL), -1.0 if coordinates[0] < 0 else 1.0
        if size >= 1:  # outside: the criterion is lost there
            return _Rooted(self.model.at(np.append(np.inf, coordinates[1:])), np.nan, np.nan)
        log = np.log(size)
        slope, bend = -sign / (size * log), (1 + log) / (size * log) ** 2
        return _Rooted(self.model.at(self.tau(coordinates)), slope, bend)

    def start(self, tau: Array, independent: bool) -> Array:
        """Coordinates of a structure's parameters."""
        if not self.rooted:
            return np.array(tau)
        if independent:
            return np.append(0.0, tau)
        return np.append(np.exp(-self.closest * np.exp(-tau[0]) / 2), tau[1:])

    def tau(self, coordinates: Array) -> Array:
        """The structure's own parameters."""
        if not self.rooted:
            return np.array(coordinates)
        size = min(max(abs(float(coordinates[0])), _NIL), 1 - 1e-15)
        return np.append(np.log(self.closest) - np.log(-2 * np.log(size)), coordinates[1:])

    def lifted(self, coordinates: Array) -> Array:
        """Coordinates off zero, where the derivative vanishes."""
        out = np.array(coordinates)
        if self.rooted and abs(out[0]) < _LIFT:
            out[0] = _LIFT
        return out

    def fresh(self) -> Array:
        """Coordinates to search from that owe nothing to the fit."""
        first = [_FRESH[self.rooted]] if self.model.pattern.correlated else []
        return np.array(first + [0.0] * (self.size - len(first)))

    def phi(self, coordinate: float) -> float:
        """Correlation over one of the user's units of time from the first coordinate."""
        if not self.rooted:
            return float(np.tanh(coordinate))
        return float(min(abs(coordinate), 1.0) ** (2 / (self.closest * self.model.pattern.unit)))


#: Statistics as they are, or for every value of a residual structure's parameters.
Source: TypeAlias = Statistics | Family


def source_of(fit: MixedFit) -> Source:
    """What the deviance of a fit is a function of."""
    return fit.blocks if fit.residual is None else Family(fit.residual.full)


def extra_of(fit: MixedFit) -> Array:
    """Coordinates of a fit's residual structure; none without."""
    if fit.residual is None:
        return np.zeros(0)
    return Family(fit.residual.full).start(fit.residual.tau, fit.residual.independent)


def statistics_at(source: Source, extra: Array) -> Statistics:
    """The statistics at the coordinates of the structure, if there is one."""
    return source.at(extra) if isinstance(source, Family) else source


def best_over(
    source: Source, evaluate: Callable[..., Criterion], face: Face, start: list[Array], extra: Array
) -> Optimum | None:
    """Certified optimum from a start; with a residual structure the better of two, as it may have several optima."""
    if not isinstance(source, Family):
        return careful(evaluate, face, start)
    face = replace(face, extra=source.size)
    tries = [careful(evaluate, face, start, at) for at in (source.lifted(extra), source.fresh())]
    found = [optimum for optimum in tries if optimum is not None]
    return min(found, key=lambda optimum: optimum.value) if found else None


@dataclass(frozen=True, slots=True)
class _Rooted:
    """Statistics whose first parameter is a function of the coordinate: its two derivatives are put in."""

    whole: AtParameters
    slope: float
    bend: float

    @property
    def n(self) -> int:
        """Rows."""
        return self.whole.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.whole.p

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """See `Statistics`."""
        return self.whole.entry_terms

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """See `Statistics`."""
        logdet, dl, ddl, t, dt, ddt = self.whole.sweep(relative, order)
        if order == 0:
            return logdet, dl, ddl, t, dt, ddt
        dl, ddl, dt, ddt = np.array(dl), np.array(ddl), np.array(dt), np.array(ddt)
        if order > 1:
            rows = (
                np.arange(len(dl)) * np.arange(1, len(dl) + 1) // 2
            )  # of the pairs with the first parameter
            ddl[0] *= self.slope
            ddl[:, 0] *= self.slope
            ddl[0, 0] += self.bend * dl[0]
            ddt[rows] *= self.slope
            ddt[0] = ddt[0] * self.slope + self.bend * dt[0]
        dl[0] *= self.slope
        dt[0] *= self.slope
        return logdet, dl, ddl, t, dt, ddt
