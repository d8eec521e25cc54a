"""Trust-region Newton with exact Hessian: a descent step from every point, also where the Hessian is indefinite."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array

#: Parameters and the highest derivative wanted, to value, gradient and (for 2) Hessian.
Objective = Callable[[Array, int], tuple[float, Array, Array]]

#: Newton decrement, in deviance units, at which a point counts as stationary.
DECREMENT = 1e-10
#: Decrement from which nothing is left to polish: 1e-10 standard errors from the optimum.
ENOUGH = 1e-20
#: Decrement from which a search without polish goes on with the Hessian at hand: it is nearly that of the optimum.
CLOSE = 1e-3
#: A step with the Hessian of the point before has to shrink the decrement this much, or the next takes a new one.
_SHRINK = 0.1
_NOISE = 1e-9
#: Decrement from which a search next to a saddle is over, where the caller knows a better way out than Newton steps.
_SADDLE = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """One accepted point: value in deviance units, Newton decrement there, trust radius."""

    value: float
    decrement: float
    radius: float


@dataclass(frozen=True, slots=True)
class Stationary:
    """Where the search ended.

    Attributes
    ----------
    theta : ndarray, shape (m,)
    value, decrement : float
    curvature : float
        Smallest eigenvalue of the Hessian.
    steps : tuple of Step
    evaluations : int
    """

    theta: Array
    value: float
    decrement: float
    curvature: float
    steps: tuple[Step, ...]
    evaluations: int


def minimise(
    objective: Objective,
    theta: Array,
    polish: bool = True,
    saddles: bool = True,
    enough: float = ENOUGH,
    max_evaluations: int = 200,
) -> Stationary:
    """Follow Newton steps, bent to descend where the curvature is negative, until the decrement vanishes.

    Parameters
    ----------
    objective : callable
        Parameters and order (1 or 2) to value, gradient, Hessian.
    theta : ndarray, shape (m,)
    polish : bool
        One step more where the decrement already vanishes, for nearly all digits. Without it the last steps use
        the Hessian of the point before, for speed; gradient and decrement are those of the end point all the same.
    saddles : bool
        Whether to go on where the Hessian is indefinite and the gradient nearly vanishes: such a search ends at a
        saddle. Without it the search stops there early, with a decrement that does not count as stationary.
    enough : float
        Decrement at which nothing is left to polish: its root is the distance to the optimum in standard errors.
    """
    value, gradient, hessian = objective(theta, 2)
    if not len(theta) or not math.isfinite(value):
        decrement = 0.0 if math.isfinite(value) else np.inf
        return Stationary(theta, value, decrement, np.inf, (Step(value, decrement, 0.0),), 1)
    radius, evaluations, last, stale = 1.0, 1, False, False
    bent = _bent(hessian)
    decrement, curvature = _decrement(gradient, bent), bent.smallest
    steps = [Step(value, decrement, radius)]
    while evaluations < max_evaluations and radius > 1e-12:
        move = _step(gradient, bent, radius)
        predicted = -float(gradient @ move + 0.5 * move @ hessian @ move)
        trial = theta + move
        closing = not polish and decrement < CLOSE and not stale
        new_value, new_gradient, new_hessian = objective(trial, 1 if closing else 2)
        evaluations += 1
        new_bent, new_decrement = bent, np.inf
        if closing:
            new_hessian = hessian
        elif math.isfinite(new_value):
            new_bent = _bent(new_hessian)
        if math.isfinite(new_value):
            new_decrement = _decrement(new_gradient, new_bent)
        better = _accept(value, new_value, predicted, decrement, new_decrement)
        stale = closing and not new_decrement < _SHRINK * decrement  # that Hessian has served its time
        gain = (
            (value - new_value) / predicted
            if predicted > _NOISE and math.isfinite(new_value)
            else float(better)
        )
        if gain < 0.25:
            radius = 0.25 * _length(move)
        elif gain > 0.75 and _length(move) > 0.8 * radius:
            radius *= 2
        if better:
            theta, value, gradient, hessian = trial, new_value, new_gradient, new_hessian
            bent, decrement, curvature = new_bent, new_decrement, new_bent.smallest
            steps.append(Step(value, decrement, radius))
        if last or decrement < enough or (decrement < DECREMENT and not (better and polish)):
            break
        if not saddles and DECREMENT < decrement < _SADDLE and curvature < -1e-6 * float(bent.values[-1]):
            break
        last = decrement < DECREMENT  # once more from here: the next point has nearly all digits
    return Stationary(theta, value, decrement, curvature, tuple(steps), evaluations)


def _accept(value: float, new_value: float, predicted: float, decrement: float, new_decrement: float) -> bool:
    """Whether a trial point is better; by its decrement where the values differ by rounding only."""
    if not math.isfinite(new_value):
        return False
    if predicted > _NOISE:
        return new_value < value - 1e-4 * predicted
    return new_value <= value + _NOISE and new_decrement < decrement


@dataclass(frozen=True, slots=True)
class _Bent:
    """A Hessian's eigenvalues made positive, its eigenvectors, and the smallest eigenvalue as it is."""

    values: Array
    vectors: Array
    smallest: float


def _bent(hessian: Array) -> _Bent:
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(values)
    return _Bent(np.maximum(size, max(1e-10, 1e-12 * float(size.max()))), vectors, float(values[0]))


def _decrement(gradient: Array, bent: _Bent) -> float:
    along = gradient @ bent.vectors
    return float(along @ (along / np.maximum(bent.values, 1e-6)))


def _length(move: Array) -> float:
    return math.sqrt(float(move @ move))


def _step(gradient: Array, bent: _Bent, radius: float) -> Array:
    """Minimise the bent quadratic within the radius."""
    values, vectors = bent.values, bent.vectors
    along = gradient @ vectors
    plain = along / values
    if float(plain @ plain) <= radius**2:
        return -vectors @ plain
    shift = 0.0
    for _ in range(60):  # More and Sorensen (1983): rises to the root from below
        step = along / (values + shift)
        length = _length(step)
        if length <= radius * (1 + 1e-12):
            break
        shift += (length - radius) / radius * length**2 / float(step @ (step / (values + shift)))
    return -vectors @ (along / (values + shift))
