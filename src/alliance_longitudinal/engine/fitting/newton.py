"""Trust-region Newton with exact Hessian: a descent step from every point, also where the Hessian is indefinite."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Parameters and the highest derivative wanted, to value, gradient and (for 2) Hessian.
Objective = Callable[[Array, int], tuple[float, Array, Array]]

#: Newton decrement, in deviance units, at which a point counts as stationary.
DECREMENT = 1e-10
#: Decrement from which a search without polish goes on with the Hessian at hand: it is nearly that of the optimum.
CLOSE = 1e-3
_NOISE = 1e-9


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
    objective: Objective, theta: Array, polish: bool = True, max_evaluations: int = 200
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
    """
    value, gradient, hessian = objective(theta, 2)
    if not len(theta) or not np.isfinite(value):
        decrement = 0.0 if np.isfinite(value) else np.inf
        return Stationary(theta, value, decrement, np.inf, (Step(value, decrement, 0.0),), 1)
    radius, evaluations, last = 1.0, 1, False
    decrement, curvature = _decrement(gradient, hessian)
    steps = [Step(value, decrement, radius)]
    while evaluations < max_evaluations and radius > 1e-12:
        move = _step(gradient, hessian, radius)
        predicted = -float(gradient @ move + 0.5 * move @ hessian @ move)
        trial = theta + move
        closing = not polish and decrement < CLOSE
        new_value, new_gradient, new_hessian = objective(trial, 1 if closing else 2)
        if closing:
            new_hessian = hessian
        evaluations += 1
        better = _accept(value, new_value, predicted, decrement, new_gradient, new_hessian)
        gain = (
            (value - new_value) / predicted
            if predicted > _NOISE and np.isfinite(new_value)
            else float(better)
        )
        if gain < 0.25:
            radius = 0.25 * float(np.linalg.norm(move))
        elif gain > 0.75 and np.linalg.norm(move) > 0.8 * radius:
            radius *= 2
        if better:
            theta, value, gradient, hessian = trial, new_value, new_gradient, new_hessian
            decrement, curvature = _decrement(gradient, hessian)
            steps.append(Step(value, decrement, radius))
        if last or (decrement < DECREMENT and not (better and polish)):
            break
        last = decrement < DECREMENT  # once more from here: the next point has nearly all digits
    return Stationary(theta, value, decrement, curvature, tuple(steps), evaluations)


def _accept(
    value: float, new_value: float, predicted: float, decrement: float, gradient: Array, hessian: Array
) -> bool:
    """Whether a trial point is better; by its gradient where the values differ by rounding only."""
    if not np.isfinite(new_value):
        return False
    if predicted > _NOISE:
        return new_value < value - 1e-4 * predicted
    return new_value <= value + _NOISE and _decrement(gradient, hessian)[0] < decrement


def _bent(hessian: Array) -> tuple[Array, Array, float]:
    """Eigenvalues made positive, eigenvectors, and the smallest eigenvalue as it is."""
    values, vectors = np.linalg.eigh(hessian)
    floor = max(1e-10, 1e-12 * float(np.abs(values).max()))
    return np.maximum(np.abs(values), floor), vectors, float(values[0])


def _decrement(gradient: Array, hessian: Array) -> tuple[float, float]:
    values, vectors, smallest = _bent(hessian)
    along = vectors.T @ gradient
    return float(np.sum(along**2 / np.maximum(values, 1e-6))), smallest


def _step(gradient: Array, hessian: Array, radius: float) -> Array:
    """Minimise the bent quadratic within the radius."""
    values, vectors, _ = _bent(hessian)
    along = vectors.T @ gradient
    plain = along / values
    if float(plain @ plain) <= radius**2:
        return -vectors @ plain
    shift = 0.0
    for _ in range(60):  # More and Sorensen (1983): rises to the root from below
        step = along / (values + shift)
        length = float(np.sqrt(step @ step))
        if length <= radius * (1 + 1e-12):
            break
        shift += (length - radius) / radius * length**2 / float(step @ (step / (values + shift)))
    return -vectors @ (along / (values + shift))
