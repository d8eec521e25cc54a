"""Where a model's likelihood is greatest, and the proof of it: the gradient vanishes and the information is positive definite."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.methods.fiml.likelihood import Local, Model, deviance, local
from alliance_longitudinal.methods.fiml.patterns import Floats, Patterns

_STEPS, _TOLERANCE = 100, 1e-8


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where a search ended: parameters (q,), deviance, whether the gradient is zero there, expected information (q, q)."""

    free: Floats
    deviance: float
    converged: bool
    information: Floats


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was checked at the end of a search.

    Attributes
    ----------
    decrement : float
        How much lower the deviance would be at the end of one more Newton step.
    definite : bool
        Whether the observed information is positive definite: a minimum of the deviance, which the data determine.
    text : str
        Both in words.
    """

    decrement: float
    definite: bool
    text: str

    @property
    def valid(self) -> bool:
        """Whether the optimum is proved."""
        return self.definite and self.decrement < 1e-5


def certify(gradient: Floats, information: Floats) -> Certificate:
    """From the gradient (q,) of the deviance and the observed information (q, q)."""
    finite = bool(np.isfinite(information).all())
    scale = np.sqrt(np.clip(np.diag(information), 1e-300, None)) if finite else np.ones(len(gradient))
    units = (
        information / scale / scale[:, None] if finite and scale.min() > 1e-140 else np.full((1, 1), np.nan)
    )
    values = np.linalg.eigvalsh(units) if np.isfinite(units).all() else np.array([-1.0])
    definite = bool(values[0] > 1e-10)
    if not definite:
        text = "The information at the end of the search is not positive definite: the data do not determine all parameters."
        return Certificate(float("nan"), False, text)
    decrement = float(gradient @ np.linalg.solve(information, gradient)) / 4
    good = decrement < 1e-5
    text = (
        f"One more Newton step would lower the deviance by {decrement:.1e}"
        f"{'' if good else ', which is too much'}; the observed information is positive definite."
    )
    return Certificate(decrement, True, text)


def minimise(data: Patterns, spec: Model, start: Floats | None = None) -> Optimum:
    """Fisher scoring with step halving; where it stalls, BFGS with the analytic gradient."""
    free = spec.start.copy() if start is None else start.copy()
    here = local(data, spec, free)
    for _ in range(_STEPS):
        if not np.isfinite(here.deviance):
            break
        step = _solve(here.information, -here.gradient / 2)
        decrement = float(-here.gradient @ step)
        if abs(decrement) < _TOLERANCE:
            return Optimum(free, here.deviance, True, here.information)
        size, then = 1.0, local(data, spec, free + step)
        while not then.deviance < here.deviance - 1e-4 * size * max(decrement, 0.0) and size > 1e-6:
            size /= 2
            mean, cov = spec.moments(free + size * step)
            then = Local(deviance(data, mean, cov), then.gradient, then.information)
        if size <= 1e-6:
            break
        free = free + size * step
        here = then if size == 1.0 else local(data, spec, free)
    return _quasi_newton(data, spec, free)


def _solve(information: Floats, right: Floats) -> Floats:
    """The scoring step; where the information is singular, the shortest one."""
    try:
        root = np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(information, right, rcond=1e-12)[0])
    if np.diag(root).min() < 1e-6 * np.diag(root).max():
        return np.asarray(np.linalg.lstsq(information, right, rcond=1e-12)[0])
    return np.asarray(np.linalg.solve(information, right))


def _quasi_newton(data: Patterns, spec: Model, free: Floats) -> Optimum:
    from scipy import optimize

    def value(x: Floats) -> tuple[float, Floats]:
        at = local(data, spec, x, information=False)
        return (at.deviance, at.gradient) if np.isfinite(at.deviance) else (1e300, at.gradient)

    found = optimize.minimize(value, free, jac=True, method="BFGS", options={"maxiter": 200, "gtol": 1e-6})
    at = local(data, spec, found.x)
    step = _solve(at.information, -at.gradient / 2)
    good = np.isfinite(at.deviance) and abs(float(at.gradient @ step)) < 1e-5
    return Optimum(np.asarray(found.x), at.deviance, bool(good), at.information)
