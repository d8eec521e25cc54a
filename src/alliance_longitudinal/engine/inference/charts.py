"""Coordinates of the variance parameters in which one quantity of interest is a coordinate of its own.

Profiling a standard deviation, a correlation or a variance share means minimising the deviance with that quantity held
fixed. In the right coordinates this needs no constraint. Each term's relative covariance is ``D = G L L' G'``; with the
effects of interest turned to the first rows of ``L`` (by ``G``) a standard deviation is ``sigma L[0, 0]``, a correlation
is the angle of the second row. Shares of variance have a module of their own.

Coordinates ``u`` are the free ones ``x`` and, last, the one of interest ``h``. Some charts carry ``kappa = 1 / sigma``
(internal units) as a coordinate; in the others the residual variance is profiled out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.search.theta import Face


@dataclass(frozen=True, slots=True)
class Placed:
    """Where coordinates lead.

    Attributes
    ----------
    factor : ndarray, shape (f,)
        Entries of the terms' triangular factors, in the order of `Face.places`.
    jacobian : ndarray, shape (f, d)
    bend : ndarray, shape (f, d, d)
        Second derivatives.
    kappa, kappa_gradient, kappa_bend : float, ndarray (d,), ndarray (d, d)
        ``1 / sigma`` and its derivatives; not numbers where the residual variance is profiled out.
    """

    factor: Array
    jacobian: Array
    bend: Array
    kappa: float = np.nan
    kappa_gradient: Array | None = None
    kappa_bend: Array | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity of interest as a coordinate.

    Attributes
    ----------
    face : Face
        The full cone.
    turn : dict of int to ndarray, shape (q, q)
        ``G`` of the terms that are turned; the others have the identity.
    place : callable
        Coordinates (d,) to `Placed`.
    start : callable
        Relative covariances (design order), residual variance (internal units) and the coordinates of the residual
        structure (none without) to coordinates (d,).
    value : callable
        From the last coordinate to the quantity, in the user's units.
    low, high : float
        Ends of the last coordinate.
    gauge : ndarray, shape (d - 1, d - 1), or None
        Where the free coordinates have a direction that changes nothing, ``x' gauge x`` is held near 1 by
        ``(x' gauge x - 1)^2 / 2``, which vanishes at every minimum.
    """

    face: Face
    turn: dict[int, Array]
    place: Callable[[Array], Placed]
    start: Callable[[list[Array], float, Array], Array]
    value: Callable[[float], float]
    low: float
    high: float
    gauge: Array | None = None

    def relative(self, u: Array) -> list[Array]:
        """Relative covariances, in design order."""
        factors = self.face.factors(self.place(u).factor)
        turned = [self.turn[t] @ f if t in self.turn else f for t, f in enumerate(factors)]
        return [f @ f.T for f in turned]

    @property
    def reach(self) -> float:
        """How far from the estimate to look: unbounded coordinates are logarithms and the like, 30 is a factor of 1e13."""
        return np.inf if np.isfinite(self.low) or np.isfinite(self.high) else 30.0

    def extra(self, u: Array) -> Array:
        """Coordinates of the residual structure."""
        return self.place(u).factor[: self.face.extra]


def offsets(face: Face) -> dict[int, int]:
    """Where each term's factor begins among the stacked entries."""
    out, at = {}, face.extra
    for t in face.entry_order:
        out[t] = at
        at += face.sizes[t] * (face.sizes[t] + 1) // 2
    return out


def standard_deviation(face: Face, t: int, effects: Array, i: int, y_scale: float) -> Chart:
    """Chart of the standard deviation of effect ``i`` of term ``t``.

    Parameters
    ----------
    effects : ndarray, shape (q, q)
        Internal to user's effects (of response scale one).
    """
    q, r = np.linalg.qr(np.concatenate([effects[[i]], np.delete(effects, i, axis=0)]).T)
    at, m = offsets(face)[t], face.dimension
    per_sd = 1 / (y_scale * abs(float(r[0, 0])))
    kept = np.delete(np.arange(m), at)
    turn = {t: np.asarray(q)}

    def place(u: Array) -> Placed:
        kappa, h = u[-2], u[-1]
        factor = np.zeros(m)
        factor[kept], factor[at] = u[:-2], per_sd * h * kappa
        jacobian, bend = np.zeros((m, len(u))), np.zeros((m, len(u), len(u)))
        jacobian[kept, np.arange(m - 1)] = 1.0
        jacobian[at, -2:] = per_sd * h, per_sd * kappa
        bend[at, -1, -2] = bend[at, -2, -1] = per_sd
        unit = np.zeros(len(u))
        unit[-2] = 1.0
        return Placed(factor, jacobian, bend, float(kappa), unit, np.zeros((len(u), len(u))))

    def start(relative: list[Array], scale: float, extra: Array) -> Array:
        packed = face.pack(turned(relative, turn), extra)
        kappa = 1 / np.sqrt(scale)
        return np.array([*packed[kept], kappa, packed[at] / (per_sd * kappa)])

    return Chart(face, turn, place, start, float, 0.0, np.inf)


def correlation(face: Face, t: int, effects: Array, i: int, j: int) -> Chart:
    """Chart of the correlation of effects ``i`` and ``j`` of term ``t``; the coordinate is its arc sine.

    The sizes of the two effects are squares of coordinates: were they free to change sign, so would the correlation.
    """
    others = np.delete(effects, [i, j], axis=0)
    q, r = np.linalg.qr(np.concatenate([effects[[i, j]], others]).T)
    head = r[:2, :2].T / np.linalg.norm(r[:2, :2], axis=0)[:, None]
    back = np.eye(len(effects))
    back[:2, :2] = np.linalg.inv(head)
    turn = {t: np.asarray(q) @ back}
    at, m = offsets(face)[t], face.dimension
    kept = np.delete(np.arange(m), [at, at + 1, at + 2])

    def place(u: Array) -> Placed:
        first, second, h = u[-3:]
        sin, cos = np.sin(h), np.cos(h)
        size = second**2
        factor = np.zeros(m)
        factor[kept] = u[:-3]
        factor[at : at + 3] = first**2, size * sin, size * cos
        jacobian, bend = np.zeros((m, len(u))), np.zeros((m, len(u), len(u)))
        jacobian[kept, np.arange(m - 3)] = 1.0
        jacobian[at, -3] = 2 * first
        jacobian[at + 1, -2:], jacobian[at + 2, -2:] = (
            (2 * second * sin, size * cos),
            (2 * second * cos, -size * sin),
        )
        bend[at, -3, -3] = 2.0
        bend[at + 1, -2:, -2:] = [[2 * sin, 2 * second * cos], [2 * second * cos, -size * sin]]
        bend[at + 2, -2:, -2:] = [[2 * cos, -2 * second * sin], [-2 * second * sin, -size * cos]]
        return Placed(factor, jacobian, bend)

    def start(relative: list[Array], _: float, extra: Array) -> Array:
        packed = face.pack(turned(relative, turn), extra)
        angle = np.arctan2(packed[at + 1], packed[at + 2])
        size = np.sqrt(np.hypot(packed[at + 1], packed[at + 2]))
        return np.array([*packed[kept], np.sqrt(abs(packed[at])), size, angle])

    return Chart(face, turn, place, start, lambda h: float(np.sin(h)), -np.pi / 2, np.pi / 2)


def exponential(h: float) -> float:
    """What a logarithm stands for; a search along a flat profile may go very far."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.exp(h))


def residual_deviation(face: Face, y_scale: float) -> Chart:
    """Chart of the residual standard deviation; the coordinate is its logarithm."""
    m = face.dimension

    def place(u: Array) -> Placed:
        jacobian, bend = np.zeros((m, m + 1)), np.zeros((m, m + 1, m + 1))
        jacobian[:, :m] = np.eye(m)
        kappa = float(y_scale * np.exp(-u[-1]))
        unit, square = np.zeros(m + 1), np.zeros((m + 1, m + 1))
        unit[-1], square[-1, -1] = -kappa, kappa
        return Placed(u[:-1], jacobian, bend, kappa, unit, square)

    def start(relative: list[Array], scale: float, extra: Array) -> Array:
        return np.array([*face.pack(relative, extra), np.log(y_scale * np.sqrt(scale))])

    return Chart(face, {}, place, start, exponential, -np.inf, np.inf)


def structure_parameter(
    face: Face, k: int, value: Callable[[float], float], low: float, high: float
) -> Chart:
    """Chart of one of the residual structure's coordinates; ``value`` brings it to the user's units."""
    m = face.dimension
    order = [*np.delete(np.arange(m), k), k]

    def place(u: Array) -> Placed:
        factor, jacobian = np.zeros(m), np.zeros((m, m))
        factor[order] = u
        jacobian[order, np.arange(m)] = 1.0
        return Placed(factor, jacobian, np.zeros((m, m, m)))

    def start(relative: list[Array], _: float, extra: Array) -> Array:
        return face.pack(relative, extra)[order]

    return Chart(face, {}, place, start, value, low, high)


def turned(relative: list[Array], turn: dict[int, Array]) -> list[Array]:
    """Relative covariances in the turned effects of a chart."""
    out = list(relative)
    for t, g in turn.items():
        back = np.linalg.inv(g)
        out[t] = back @ relative[t] @ back.T
    return out
