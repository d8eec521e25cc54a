"""From starts to a verified optimum over the cone of covariances: faces, certificate, way out of false optima."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.search.criterion import Criterion
from alliance_longitudinal.engine.search.newton import DECREMENT, ENOUGH, Stationary, Step, minimise
from alliance_longitudinal.engine.search.theta import Face

#: Relative covariances, the highest derivative wanted and, where the face has some, its extra parameters, to the criterion.
Evaluate = Callable[..., Criterion]

#: Largest tolerated descent off a face, in deviance per unit of relative variance.
DESCENT = -1e-6
#: An eigenvalue of a relative covariance below this (times the largest) makes a face worth trying.
NEAR_FACE = 1e-4
_SAME = 1e-8
#: Newton decrement of an optimum from which rounding keeps the search away.
ROUNDED = 1e-6
#: Deviance above a known optimum from which a search may have arrived there, and the share of it within which the optimum's
#: own parabola has to say the same: then Newton's next steps can only lead to it.
_NEXT = 1.0
_PARABOLA = 0.25


@dataclass(frozen=True, slots=True)
class Certificate:
    """Conditions for a minimum over positive semidefinite covariances, in unit-free numbers.

    Attributes
    ----------
    decrement : float
        Newton decrement on the face, in deviance units; below 1e-10 at an optimum, and below 1e-6 (a thousandth of a standard
        error) where rounding ends the search before, as with weights over twelve orders of magnitude or counts near 1e9.
    curvature : float
        Smallest Hessian eigenvalue on the face; not negative at an optimum.
    descent : float
        Smallest eigenvalue of the deviance's derivative over the directions that leave the face (infinite
        when the optimum is inside the cone); below -1e-6 the boundary would be a false optimum.
    complementarity : float
        Sum of ``tr(Gamma D)``; zero at an optimum.
    """

    decrement: float
    curvature: float
    descent: float
    complementarity: float

    @property
    def holds(self) -> bool:
        """Whether all conditions are met."""
        return bool(self.decrement < ROUNDED and self.curvature > -1e-6 and self.descent > DESCENT)

    @property
    def exact(self) -> bool:
        """Whether they are met to all digits, so that no further search is worth it."""
        return self.holds and self.decrement < DECREMENT

    @property
    def distance(self) -> float:
        """Distance to the optimum in standard errors."""
        return float(np.sqrt(max(self.decrement, 0.0) / 2))


@dataclass(frozen=True, slots=True)
class Optimum:
    """One optimum: covariances (design order), where it lies, its certificate, and how it was reached.

    ``criterion`` is the evaluation at the optimum, with first derivatives only.
    """

    relative: tuple[Array, ...]
    face: Face
    theta: Array
    value: float
    criterion: Criterion
    certificate: Certificate
    path: tuple[Step, ...]
    evaluations: int

    @property
    def extra(self) -> Array:
        """Free parameters that are not of the covariances, shape (face.extra,)."""
        return self.theta[: self.face.extra]


@dataclass(frozen=True, slots=True)
class OptimRecord:
    """The search, for the record.

    Attributes
    ----------
    best : Optimum
    values : tuple of float
        Deviance (internal units) reached from each start.
    starts : tuple of float
        Relative variance, in internal units, that each start gave to every random effect (nan: a given start).
    evaluations : int
        All evaluations of criterion, gradient and Hessian.
    """

    best: Optimum
    values: tuple[float, ...]
    starts: tuple[float, ...]
    evaluations: int

    @property
    def differ(self) -> bool:
        """Whether the starts ended at different optima."""
        return max(self.values) - min(self.values) > 1e-6


def search(
    evaluate: Evaluate,
    face: Face,
    several: int,
    extra: tuple[Array, ...] = (np.zeros(0),),
    first: list[Array] | None = None,
) -> OptimRecord:
    """Search from relative variance 1, from ``several`` of the starts 0, 5 and 0.05 too, from all while nothing is certified.

    From all as well while rounding keeps every search from the last digits; the nearest is then taken.

    From zero the search builds the covariances up along the steepest descent, which finds boundary optima that a
    search from inside passes by. Each of the starts of the ``extra`` parameters is tried from relative variance 1.
    With relative covariances to start from ``first``, 1 is the last resort.
    """
    found: list[Optimum] = []
    starts: list[float] = []
    at_one = [(1.0, at) for at in extra]
    others = [(start, extra[0]) for start in (0.0, 5.0, 0.05)]
    tries = [*at_one, *others] if first is None else [(np.nan, extra[0]), *others, *at_one]
    enough = len(extra) + int(several)
    for start, at in tries:
        starts.append(start)
        given = first if first is not None and np.isnan(start) else [start * np.eye(q) for q in face.sizes]
        known = min((f for f in found if f.certificate.exact), key=lambda f: f.value, default=None)
        watched = evaluate if known is None or face.extra else _Watched.of(evaluate, face, known)
        try:
            here = descend(watched, face, given, known is None, extra=at)
        except _Arrived as arrived:
            assert known is not None  # only a watched search arrives
            here = replace(known, evaluations=arrived.evaluations)
        if known is not None and here.value < known.value - _SAME:  # another optimum: all its digits
            here = descend(evaluate, face, list(here.relative), extra=here.extra)
        found.append(here)
        if any(f.certificate.exact for f in found) and len(found) >= enough:
            break
    certified = [f for f in found if f.certificate.holds] or found
    lowest = min(certified, key=lambda f: f.value)
    same = _SAME if lowest.certificate.exact else ROUNDED  # where digits are lost, so are those of the values
    equals = [f for f in certified if f.value <= lowest.value + same]
    nearest = min(equals, key=lambda f: f.certificate.decrement)
    best = next((f for f in equals if f.certificate.exact), nearest)
    return OptimRecord(best, tuple(f.value for f in found), tuple(starts), sum(f.evaluations for f in found))


class _Arrived(Exception):
    """A search has come to an optimum that is known."""

    def __init__(self, evaluations: int) -> None:
        self.evaluations = evaluations


@dataclass(slots=True)
class _Watched:
    """A criterion that stops a search near a known optimum, from where it could only go there.

    Attributes
    ----------
    evaluate : callable
    face : Face
        For the order of the covariances' entries.
    known : Optimum
    curve : Criterion
        There, with second derivatives.
    evaluations : int
        So far.
    """

    evaluate: Evaluate
    face: Face
    known: Optimum
    curve: Criterion
    evaluations: int = 0

    @classmethod
    def of(cls, evaluate: Evaluate, face: Face, known: Optimum) -> "_Watched":
        """Watch for an optimum, by its parabola."""
        return cls(evaluate, face, known, evaluate(list(known.relative), 2))

    def _leads_there(self, criterion: Criterion, relative: list[Array]) -> bool:
        """Whether value and slope are those of the optimum's parabola, or the place is that of the optimum itself."""
        off = [a - b for a, b in zip(relative, self.known.relative, strict=True)]
        way = np.concatenate([off[t][np.tril_indices(len(off[t]))] for t in self.face.entry_order])
        bend = self.curve.hessian @ way
        value = float(self.curve.gradient @ way + 0.5 * bend @ way)
        slope = self.curve.gradient + bend
        rise = criterion.value - self.known.value
        return bool(
            abs(rise - value) <= _PARABOLA * abs(rise) + _SAME
            and np.abs(criterion.gradient - slope).max()
            <= _PARABOLA * np.abs(criterion.gradient).max() + _SAME
        )

    def __call__(self, relative: list[Array], order: int) -> Criterion:
        self.evaluations += 1
        criterion = self.evaluate(relative, order)
        if abs(criterion.value - self.known.value) < _NEXT and self._leads_there(criterion, relative):
            raise _Arrived(self.evaluations)
        return criterion


def descend(
    evaluate: Evaluate,
    face: Face,
    start: list[Array],
    polish: bool = True,
    extra: Array | tuple[()] = (),
    enough: float = ENOUGH,
) -> Optimum:
    """Newton, then faces and escapes until the certificate holds or nothing more helps; see `newton.minimise`."""
    face = face.full() if any(d.any() for d in start) else replace(face, ranks=(0,) * len(face.sizes))
    theta = face.pack(start, extra)
    path: list[Step] = []
    evaluations = 0
    kept_rank: set[int] = set()

    seen: tuple[Array, Criterion] | None = None

    def run(on: Face, at: Array, saddles: bool = True) -> Stationary:
        def objective(theta: Array, order: int) -> tuple[float, Array, Array]:
            nonlocal seen
            criterion = _evaluate(evaluate, on, theta, order)
            seen = theta, criterion
            return _on_face(criterion, on, theta)

        nonlocal evaluations
        result = minimise(objective, at, polish, saddles, enough)
        evaluations += result.evaluations
        return result

    for _ in range(10):
        here = run(face, theta, saddles=False)
        path += here.steps
        if not here.decrement < DECREMENT:  # next to a saddle: at a face that is to be left, as a rule
            way_out = _shortcut(evaluate, face, here, seen[1] if seen and seen[0] is here.theta else None)
            if way_out is not None:
                t, theta = way_out
                kept_rank.add(t)
                continue
            here = run(face, here.theta)
            path += here.steps
        face, here = _reduce(face, here, run, kept_rank)
        relative = face.covariances(here.theta)
        criterion = seen[1] if seen and seen[0] is here.theta else _evaluate(evaluate, face, here.theta, 1)
        certificate, way_out = certify(face, here, criterion, relative)
        if certificate.descent > DESCENT or way_out is None:
            break
        t, direction = way_out
        kept_rank.add(t)
        theta = _escape(evaluate, face, here, t, direction)
        face = face.full()
    return Optimum(
        tuple(relative), face, here.theta, here.value, criterion, certificate, tuple(path), evaluations
    )


def _shortcut(
    evaluate: Evaluate, face: Face, here: Stationary, known: Criterion | None
) -> tuple[int, Array] | None:
    """From next to a saddle: the term whose covariance lacks a direction, and parameters that have it and are better.

    ``known`` is the criterion there, if it is at hand.
    """
    relative = face.covariances(here.theta)
    smaller = replace(face, ranks=tuple(_rank(d, NEAR_FACE, _largest(relative)) for d in relative))
    if not np.isfinite(here.value) or smaller.ranks == face.ranks:
        return None
    there = replace(here, theta=smaller.pack(relative, here.theta[: face.extra]))
    cut = smaller.covariances(there.theta)
    if known is None or max(float(np.abs(a - b).max()) for a, b in zip(cut, relative, strict=True)) > 1e-14:
        known = _evaluate(evaluate, smaller, there.theta, 1)
    if not known.value <= here.value + _SAME:
        return None
    certificate, way_out = certify(smaller, there, known, cut)
    if way_out is None or certificate.descent > DESCENT:
        return None
    return way_out[0], _escape(evaluate, smaller, there, *way_out)


def _evaluate(evaluate: Evaluate, face: Face, theta: Array, order: int) -> Criterion:
    """The criterion at the parameters of a face."""
    relative = face.covariances(theta)
    return evaluate(relative, order, theta[: face.extra]) if face.extra else evaluate(relative, order)


def _on_face(criterion: Criterion, face: Face, theta: Array) -> tuple[float, Array, Array]:
    """Value, gradient and Hessian in the parameters of a face."""
    if not np.isfinite(criterion.value):
        return np.inf, theta * np.nan, np.full((len(theta), len(theta)), np.nan)
    return criterion.value, *face.chain(theta, criterion.gradient, criterion.hessian)


def _reduce(
    face: Face, here: Stationary, run: Callable[[Face, Array], Stationary], kept_rank: set[int]
) -> tuple[Face, Stationary]:
    """Move to the face of lower rank where covariances are nearly singular and nothing is lost by it."""
    relative = face.covariances(here.theta)
    largest = _largest(relative)
    ranks = tuple(
        min(face.ranks[t], _rank(d, 1e-10 if t in kept_rank else NEAR_FACE, largest))
        for t, d in enumerate(relative)
    )
    if ranks == face.ranks:
        return face, here
    smaller = replace(face, ranks=ranks)
    there = run(smaller, smaller.pack(relative, here.theta[: face.extra]))
    if there.value <= here.value + _SAME * max(1.0, abs(here.value) * 1e-3):
        return smaller, there
    return face, here


def _largest(relative: list[Array]) -> float:
    """Largest eigenvalue of all covariances."""
    return max((float(np.linalg.eigvalsh(d)[-1]) for d in relative), default=0.0)


def _rank(d: Array, threshold: float, largest: float) -> int:
    """Number of eigenvalues of a covariance that are not nearly zero."""
    values = np.linalg.eigvalsh(d)
    return int(np.sum(values > threshold * max(1.0, min(values[-1], largest))))


def certify(
    face: Face, here: Stationary, criterion: Criterion, relative: list[Array]
) -> tuple[Certificate, tuple[int, Array] | None]:
    """Semidefinite Karush-Kuhn-Tucker conditions: ``Gamma D = 0`` and ``Gamma >= 0`` off the face.

    Returns
    -------
    Certificate
    tuple of int and ndarray, or None
        Term and direction of steepest descent off the face, if there is one.
    """
    return certificate_of(face, here, face.gammas(criterion.gradient), relative)


def certificate_of(
    face: Face, here: Stationary, gammas: list[Array], covariances: list[Array]
) -> tuple[Certificate, tuple[int, Array] | None]:
    """The certificate from the derivatives ``Gamma`` in the covariances, and the way off the face, as `certify` says."""
    descent, way_out, slack = np.inf, None, 0.0
    for t, (gamma, d) in enumerate(zip(gammas, covariances, strict=True)):
        slack += float(np.abs(np.sum(gamma * d)))
        if face.ranks[t] == face.sizes[t]:
            continue
        null = np.linalg.eigh(d)[1][:, : face.sizes[t] - face.ranks[t]]
        values, vectors = np.linalg.eigh(null.T @ gamma @ null)
        if values[0] < descent:
            descent, way_out = float(values[0]), (t, null @ vectors[:, 0])
    return Certificate(here.decrement, here.curvature, descent, slack), way_out


def _escape(evaluate: Evaluate, face: Face, here: Stationary, t: int, direction: Array) -> Array:
    """Leave a false boundary optimum along the direction of descent: parameters on the whole cone."""
    relative, tau = face.covariances(here.theta), here.theta[: face.extra]
    whole, size = face.full(), 1.0
    for _ in range(40):
        moved = [
            d + (size * np.outer(direction, direction) if i == t else 0.0) for i, d in enumerate(relative)
        ]
        theta = whole.pack(moved, tau)
        if _evaluate(evaluate, whole, theta, 2).value < here.value:  # the search goes on from there
            break
        size *= 0.3
    return theta
