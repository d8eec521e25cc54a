"""The lowest deviance at a given value of one quantity, and the values at which it has risen to a given cut."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.inference.charts import Chart
from alliance_longitudinal.engine.inference.family import Family, Source, statistics_at
from alliance_longitudinal.engine.inference.surface import surface, turned_back
from alliance_longitudinal.engine.search.criterion import profiled
from alliance_longitudinal.engine.search.newton import minimise
from alliance_longitudinal.errors import FitError

#: A constrained deviance lower than the fit's by more than this means that the fit was not the best.
LOWER = 1e-6
#: A coordinate this near the end of its range is at it.
AT_END = 1e-6
#: Smallest diagonal entry of a factor at the start of a search: exactly at zero its derivative vanishes.
_LIFT = 0.02
#: Distance of the signed root from its target at which Newton's next step (error: its square) is taken unseen.
AT_CUT = 1e-4


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a profile.

    Attributes
    ----------
    u : ndarray, shape (d,)
        Coordinates, that of interest last.
    value : float
        Deviance, internal units.
    slope : float
        Derivative of the profiled deviance in the coordinate of interest.
    curvature : float
        Its second derivative.
    drift : ndarray, shape (d - 1,)
        Derivative of the other coordinates along the profile.
    """

    u: Array
    value: float
    slope: float
    curvature: float
    drift: Array


@dataclass(frozen=True, slots=True)
class End:
    """One end of an interval: coordinate, and how far the deviance rose there if it is not at the cut."""

    h: float
    rise: float
    reached: bool


class LowerOptimum(Exception):
    """The search along a profile came to a lower deviance than the fit's."""

    def __init__(self, relative: list[Array], gain: float, extra: Array) -> None:
        super().__init__(f"a deviance lower by {gain:.3g}")
        self.relative = relative
        self.extra = extra
        self.gain = gain


@dataclass(frozen=True, slots=True)
class Profile:
    """A deviance in the coordinates of a chart.

    Attributes
    ----------
    source : Source
    reml : bool
    chart : Chart
    best : Point
        The fit.
    several : bool
        Whether to search from a second start at the ends.
    back : ndarray or None
        See `turned_back`.
    """

    source: Source
    reml: bool
    chart: Chart
    best: Point
    several: bool
    back: Array | None

    @classmethod
    def of(
        cls, source: Source, reml: bool, chart: Chart, relative: list[Array], extra: Array, several: bool
    ) -> "Profile":
        """Start at a fit: its relative covariances and the coordinates of its residual structure.

        Raises
        ------
        FitError
            The fit lies at the edge of what can be computed.
        """
        criterion = profiled(statistics_at(source, extra), relative, reml, 0)
        u = chart.start(relative, criterion.rss / criterion.nu, extra)
        back = turned_back(chart)
        _, gradient, hessian = surface(source, reml, chart, u, 2, back)
        if not np.isfinite(hessian).all():
            raise FitError(
                "The likelihood rises towards the edge of the parameter space, so that a profile has no optimum to start "
                "from. Leave out a random effect or the residual structure, or use method='bootstrap'."
            )
        gain = _gain(gradient, hessian)
        if gain > LOWER:  # not an optimum at all
            raise LowerOptimum(relative, gain, extra)
        return cls(source, reml, chart, _point(u, criterion.value, gradient, hessian), several, back)

    def at(self, h: float, near: Point) -> Point:
        """Lowest deviance with the last coordinate at ``h``, searched from the prediction of a nearby point."""
        for part in (
            1.0,
            0.3,
            0.0,
        ):  # of the way to the prediction, which may lie outside the parameter space
            x = near.u[:-1] + part * near.drift * (h - near.u[-1])
            found = self._settle(_lifted(x), h)
            if np.isfinite(found.value):
                break
        if found.value < self.best.value - LOWER:
            raise self._lower(found)
        return found

    def afresh(self, h: float) -> Point:
        """Lowest deviance with the last coordinate at ``h``, searched from relative variances of 1."""
        extra = self.source.fresh() if isinstance(self.source, Family) else np.zeros(0)
        fresh = self.chart.start([np.eye(q) for q in self.chart.face.sizes], 0.5, extra)
        found = self._settle(fresh[:-1], h)
        if found.value < self.best.value - LOWER:
            raise self._lower(found)
        return found

    def _lower(self, found: Point) -> LowerOptimum:
        gain = self.best.value - found.value
        return LowerOptimum(self.chart.relative(found.u), gain, self.chart.extra(found.u))

    def _settle(self, x: Array, h: float) -> Point:
        seen: tuple[Array, float, Array] | None = None
        bent = np.full((len(x) + 1, len(x) + 1), np.nan)

        def objective(free: Array, order: int) -> tuple[float, Array, Array]:
            nonlocal seen, bent
            value, gradient, hessian = surface(
                self.source, self.reml, self.chart, np.append(free, h), order, self.back
            )
            seen = free, value, gradient
            if order == 2:
                bent = hessian
            return value, gradient[:-1], hessian[:-1, :-1]

        for _ in range(4):
            result = minimise(objective, x, polish=False)
            if result.curvature > -1e-6 or not np.isfinite(result.value):
                break
            if seen is None or seen[0] is not result.theta:  # the last trial was turned down
                objective(result.theta, 2)
            x = result.theta + 0.1 * np.linalg.eigh(bent[:-1, :-1])[1][:, 0]
        if seen is None or seen[0] is not result.theta:
            objective(result.theta, 2)
        assert seen is not None
        return _point(np.append(result.theta, h), seen[1], seen[2], bent)

    def bound(self, side: int) -> float:
        """How far to look on one side: the end of the coordinate's range, or far from the fit."""
        chart, origin = self.chart, float(self.best.u[-1])
        return min(chart.high, origin + chart.reach) if side > 0 else max(chart.low, origin - chart.reach)

    def rise(self, point: Point) -> float:
        """Deviance above the fit's."""
        return max(point.value - self.best.value, 0.0)

    def end(self, side: int, cut: float) -> End:
        """Where the deviance has risen to the cut on one side (-1 or 1), or the end of the coordinate's range."""
        target = float(np.sqrt(cut))
        origin = float(self.best.u[-1])
        bound = self.bound(side)
        if abs(bound - origin) < AT_END:
            return End(bound, 0.0, False)
        inner, outer = (origin, 0.0), None
        near, sure = self.best, origin
        h = origin + side * _first_step(self.best, target)
        for count in range(60):
            if side * (h - bound) >= 0:
                h = bound
            here = self.at(h, near)
            zeta = float(np.sqrt(self.rise(here)))
            if not np.isfinite(zeta):  # the trial left the space of parameters: half way back
                outer, h = (h, zeta), (inner[0] + h) / 2
                continue
            if h == bound and zeta < target:
                return (
                    self._checked(here, End(h, zeta**2, False), side, cut)
                    if self.several
                    else End(h, zeta**2, False)
                )
            narrow = outer is not None and abs(outer[0] - inner[0]) < 1e-13 * abs(h - origin)
            if abs(zeta - target) < AT_CUT or narrow:
                end = End(h, inner[1] ** 2, False) if narrow else End(_landing(here, zeta, target), cut, True)
                return self._checked(here, end, side, cut) if self.several or narrow else end
            if zeta < target:  # only from there the next: a trial beyond may lie on a worse branch
                inner, near = (h, zeta), here
            else:
                outer = (h, zeta)
            if outer is not None and outer[0] != sure and zeta < target:
                beyond = side * (_newton(here, zeta, target, side) - outer[0])
                if beyond > 0:  # the trial there once more, from here
                    h, sure, outer = outer[0], outer[0], None
                    continue
            h = _next(here, zeta, target, origin, side, inner, outer)
            if outer is None and count > 40:
                return End(h, zeta**2, False)
        return End(inner[0], inner[1] ** 2, False)

    def _checked(self, here: Point, end: End, side: int, cut: float) -> End:
        """The end, pushed out if another start finds a lower deviance there (another branch of the profile)."""
        h = float(here.u[-1])
        other = self.afresh(h)
        if not np.isfinite(other.value) or other.value > here.value - LOWER:
            return end
        if h == self.bound(side):
            return End(h, self.rise(other), False)
        return _from_branch(self, other, side, cut)


def _from_branch(profile: Profile, point: Point, side: int, cut: float) -> End:
    """Follow another branch outwards from a point inside the cut."""
    bound = profile.bound(side)
    target, origin = float(np.sqrt(cut)), float(profile.best.u[-1])
    inner, outer = (float(point.u[-1]), float(np.sqrt(profile.rise(point)))), None
    here = near = point
    for _ in range(60):
        zeta = float(np.sqrt(profile.rise(here)))
        if abs(zeta - target) < AT_CUT:
            return End(_landing(here, zeta, target), cut, True)
        if zeta < target:
            inner, near = (float(here.u[-1]), zeta), here
        else:
            outer = (float(here.u[-1]), zeta)
        h = _next(here, zeta, target, origin, side, inner, outer)
        if side * (h - bound) >= 0:
            h = bound
        found = profile.at(h, near), profile.afresh(h)  # from nearby it may end at the worse branch
        here = min(found, key=lambda p: p.value)
        if h == bound and profile.rise(here) < cut:
            return End(h, profile.rise(here), False)
    return End(inner[0], inner[1] ** 2, False)


def _landing(here: Point, zeta: float, target: float) -> float:
    """Newton's step from next to the cut."""
    return float(here.u[-1] + (target - zeta) * 2 * zeta / here.slope)


def _first_step(best: Point, target: float) -> float:
    """Where a parabola would reach the cut."""
    curvature = best.curvature
    return target * float(np.sqrt(2 / curvature)) if curvature > 1e-12 else 0.5 * max(abs(best.u[-1]), 0.1)


def _newton(here: Point, zeta: float, target: float, side: int) -> float:
    """Where the signed root would reach the cut at the slope that it has here."""
    slope = side * here.slope / (2 * zeta) if zeta > 0 else 0.0
    return float(here.u[-1]) + side * ((target - zeta) / slope if slope > 0 else np.inf)


def _next(
    here: Point,
    zeta: float,
    target: float,
    origin: float,
    side: int,
    inner: tuple[float, float],
    outer: tuple[float, float] | None,
) -> float:
    """Newton's step for the signed root, kept within what is known."""
    h, new = float(here.u[-1]), _newton(here, zeta, target, side)
    if outer is None:
        return float(origin + side * min(side * (new - origin), 4 * abs(h - origin)))
    a, b = sorted((inner[0], outer[0]))
    margin = 1e-3 * (b - a)
    if a + margin < new < b - margin:
        return float(new)
    if a < new < b and abs(new - h) < 1e-3 * abs(h - origin):
        return float(new)
    share = (target - inner[1]) / (outer[1] - inner[1])
    return float(inner[0] + np.clip(share, 0.1, 0.9) * (outer[0] - inner[0]))


def _lifted(x: Array) -> Array:
    """Coordinates without vanishing ones, where there are some: at zero a factor's derivative vanishes too."""
    if not (np.abs(x) < 1e-3).any():
        return x
    return np.where(np.abs(x) < _LIFT, np.where(x < 0, -_LIFT, _LIFT), x)


def _gain(gradient: Array, hessian: Array) -> float:
    """What one Newton step promises, where the curvature is positive."""
    values, vectors = np.linalg.eigh(hessian)
    usable = values > 1e-8 * max(float(values[-1]), 1e-300)
    along = vectors[:, usable].T @ gradient
    return float(np.sum(along**2 / values[usable]) / 2)


def _point(u: Array, value: float, gradient: Array, hessian: Array) -> Point:
    inside, cross = hessian[:-1, :-1], hessian[:-1, -1]
    if not len(inside):
        return Point(u, value, float(gradient[-1]), float(hessian[-1, -1]), np.zeros(0))
    if not np.isfinite(hessian).all():
        return Point(u, np.inf, 0.0, 0.0, np.zeros(len(inside)))
    values, vectors = np.linalg.eigh(inside)
    usable = values > 1e-8 * max(float(values[-1]), 1e-300)
    drift = -vectors[:, usable] @ ((vectors[:, usable].T @ cross) / values[usable])
    return Point(u, value, float(gradient[-1]), float(hessian[-1, -1] + cross @ drift), drift)


def walk(profile: Profile, side: int, furthest: float, step: float) -> list[tuple[Point, float]]:
    """Points from the fit outwards, about ``step`` apart in the signed root, as far as ``furthest`` or the range's end."""
    origin, bound = float(profile.best.u[-1]), profile.bound(side)
    out: list[tuple[Point, float]] = []
    here, zeta = profile.best, 0.0
    rate = float(np.sqrt(max(here.curvature, 1e-12) / 2))
    while zeta < furthest and len(out) < 60 and abs(bound - here.u[-1]) > AT_END:
        ahead = step / rate if rate > 0 else np.inf
        limit = 2 * max(
            abs(here.u[-1] - origin), step / max(np.sqrt(max(profile.best.curvature, 1e-12) / 2), 1e-6)
        )
        h = float(here.u[-1]) + side * min(ahead, limit)
        h = bound if side * (h - bound) >= 0 else h
        here = profile.at(h, here)
        zeta = float(np.sqrt(profile.rise(here)))
        rate = side * here.slope / (2 * zeta) if zeta > 0 else rate
        out.append((here, side * zeta))
    return out
