"""Profile likelihood of a fixed-effect coefficient, by maximum likelihood."""

from dataclasses import dataclass, field, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.inference.constrained import AT_CUT, LOWER, LowerOptimum
from alliance_longitudinal.engine.inference.family import Family, Source, statistics_at
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import Optimum, descend
from alliance_longitudinal.engine.statistics.protocol import Parts, Statistics


@dataclass(frozen=True, slots=True)
class Held:
    """Sufficient statistics with one combination of the coefficients held at a value.

    The combination's column joins the known part of the response: with ``T = U'V^-1 U`` this is a change of the columns
    of ``T``, whatever eliminated the random effects.

    Attributes
    ----------
    whole : Statistics
    columns : ndarray, shape (p, p)
        New coefficients to old: the first column is the direction of the one that is held, the others leave it as it is.
    value : float
        Of the coefficient that is held, internal units.
    last : list of (list of ndarray, ndarray)
        Covariances of the last sweep, and its ``T`` before the change of columns.
    """

    whole: Statistics
    columns: Array
    value: float
    entry_terms: tuple[int, ...] = field(init=False)
    n: int = field(init=False)
    p: int = field(init=False)
    last: list[tuple[list[Array], Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entry_terms", self.whole.entry_terms)
        object.__setattr__(self, "n", self.whole.n)
        object.__setattr__(self, "p", self.whole.p - 1)

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """See `Statistics`; fixed-effect columns and the response only."""
        logdet, dl, ddl, t, dt, ddt = self.whole.sweep(relative, order)
        self.last[:] = [(relative, t)]
        p = self.whole.p
        width = t.shape[-1]
        kept = [*range(p), width - 1]
        change = np.zeros((p + 1, p))
        change[:p, :-1] = self.columns[:, 1:]
        change[:p, -1] = -self.value * self.columns[:, 0]
        change[p, -1] = 1.0

        def turned(part: Array) -> Array:
            some = part if width == p + 1 else part[..., kept, :][..., kept]
            return np.asarray(change.T @ some @ change)

        return logdet, dl, ddl, turned(t), turned(dt), turned(ddt)


@dataclass(frozen=True, slots=True)
class FixedProfile:
    """The maximum-likelihood deviance as a function of one coefficient.

    Attributes
    ----------
    source : Source
    columns : ndarray, shape (p, p)
        See `Held`.
    best : Optimum
        Of the model fitted by maximum likelihood.
    estimate, spread : float
        Coefficient and its model-based standard error there, internal units.
    several : bool
        Whether a limit is searched from relative variances of 1 as well: with few groups there may be another optimum.
    """

    source: Source
    columns: Array
    best: Optimum
    estimate: float
    spread: float
    several: bool

    @classmethod
    def of(cls, source: Source, best: Optimum, row: Array, several: bool) -> "FixedProfile":
        """Profile of ``row @ coefficients`` (internal units)."""
        size = float(np.linalg.norm(row))
        whole = np.linalg.qr(np.column_stack([row, np.eye(len(row))]))[0][:, : len(row)]
        columns = np.column_stack([row / size**2, whole[:, 1:]])
        criterion = best.criterion
        scale = criterion.rss / criterion.nu
        spread = float(np.sqrt(scale * row @ criterion.cov_x @ row))
        return cls(source, columns, best, float(row @ criterion.beta), spread, several)

    def at(self, value: float, near: Optimum) -> tuple[Optimum, float]:
        """Optimum with the coefficient held, searched from a nearby one, and the derivative of its deviance."""

        def evaluate(relative: list[Array], order: int, extra: Array | tuple[()] = ()) -> Criterion:
            held = Held(statistics_at(self.source, np.asarray(extra)), self.columns, value)
            return profiled(held, relative, False, order)

        start = [d + 1e-4 * np.eye(len(d)) for d in near.relative]
        found = descend(evaluate, near.face, start, polish=False, extra=_lifted(self.source, near.extra))
        if found.value < self.best.value - LOWER:
            raise LowerOptimum(list(found.relative), self.best.value - found.value, found.extra)
        return found, self._slope(found, value)

    def _slope(self, found: Optimum, value: float) -> float:
        """Envelope theorem: the derivative of the residual sum of squares through the held column alone."""
        statistics = statistics_at(self.source, found.extra)
        t = statistics.sweep(list(found.relative), 0)[3]
        p = statistics.p
        residual = np.zeros(t.shape[-1])
        residual[:p] = -(self.columns[:, 1:] @ found.criterion.beta + self.columns[:, 0] * value)
        residual[-1] = 1.0
        along = float(self.columns[:, 0] @ (t @ residual)[:p])
        return -2 * along * found.criterion.nu / found.criterion.rss

    def rise(self, found: Optimum) -> float:
        """Deviance above the fit's."""
        return max(found.value - self.best.value, 0.0)

    def end(self, side: int, cut: float) -> float | None:
        """Where the deviance has risen to the cut; None where it does not within 1e6 standard errors.

        Around the estimate the covariances change with the square of the distance: each search starts where that leads.
        """
        target = float(np.sqrt(cut))
        value, near = self.estimate + side * target * self.spread, self.best
        inner, outer = 0.0, np.inf
        for _ in range(60):
            found, slope = self.at(value, near)
            zeta = float(np.sqrt(self.rise(found)))
            away = side * (value - self.estimate)
            narrow = outer - inner < 1e-13 * away
            if narrow or abs(zeta - target) < AT_CUT:
                lower = self._afresh(value) if self.several else None
                if lower is None or np.sqrt(self.rise(lower[0])) > target - AT_CUT:
                    return value if narrow else value + (target - zeta) * 2 * zeta / slope
                (found, slope), outer = lower, np.inf  # on from the better optimum
                zeta = float(np.sqrt(self.rise(found)))
            if zeta < target:
                inner = away
            else:
                outer = away
            rate = side * slope / (2 * zeta) if zeta > 0 else 0.0
            new = away + (target - zeta) / rate if rate > 0 else 2 * away
            new = min(new, 4 * away)
            if not inner < new < outer:
                new = 0.5 * (inner + outer)
            if new > 1e6 * self.spread:
                return None
            value, near = self.estimate + side * new, found
        return value

    def _afresh(self, value: float) -> tuple[Optimum, float]:
        """The same as `at`, searched from relative variances of 1."""
        ones = tuple(np.eye(len(d)) for d in self.best.relative)
        return self.at(value, replace(self.best, relative=ones))

    def walk(self, side: int, furthest: float, step: float) -> list[tuple[float, float, float]]:
        """Value, deviance above the fit's, and signed root, outwards from the estimate."""
        out: list[tuple[float, float, float]] = []
        value, near, zeta = self.estimate, self.best, 0.0
        rate = 1 / self.spread
        while zeta < furthest and len(out) < 60:
            value += side * min(step / rate if rate > 0 else np.inf, 2 * step * self.spread)
            found, slope = self.at(value, near)
            zeta, near = float(np.sqrt(self.rise(found))), found
            rate = side * slope / (2 * zeta) if zeta > 0 else rate
            out.append((value, zeta**2, side * zeta))
        return out


def maximum_likelihood(source: Source, best: Optimum, extra: Array, reml: bool) -> Optimum:
    """The optimum by maximum likelihood, from that of the fit and the coordinates of its residual structure."""
    if not reml and not isinstance(source, Family):
        return _complete(source, best)
    face = replace(best.face.full(), extra=len(extra))

    def evaluate(relative: list[Array], order: int, extra: Array | tuple[()] = ()) -> Criterion:
        return profiled(statistics_at(source, np.asarray(extra)), relative, False, order)

    start = [d + 0.02 * np.eye(len(d)) for d in best.relative]
    return _complete(source, descend(evaluate, face, start, extra=_lifted(source, extra)))


def _complete(source: Source, best: Optimum) -> Optimum:
    statistics = statistics_at(source, best.extra)
    return replace(best, criterion=profiled(statistics, list(best.relative), False, 1))


def _lifted(source: Source, extra: Array) -> Array:
    return source.lifted(extra) if isinstance(source, Family) else extra
