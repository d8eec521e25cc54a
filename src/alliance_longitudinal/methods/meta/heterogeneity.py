"""How much true effects differ: estimators of the variance between effects, and between studies."""

from collections.abc import Callable

import numpy as np

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.meta.evidence import Evidence, Point, at

#: Points of the first look at a criterion in one variance; Brent's method refines each change of sign.
LOOK = 200


def typical_variance(e: Evidence) -> float:
    """The "typical" sampling variance of Higgins & Thompson (2002), ``(k - p) / tr(P)`` under a common effect."""
    w = 1 / e.v
    weighted = w[:, None] * e.x
    trace = np.sum(w) - np.sum((weighted.T @ weighted) * np.linalg.inv(e.x.T @ weighted))
    return float((len(e.y) - e.x.shape[1]) / trace)


def cochran_q(e: Evidence) -> float:
    """Weighted squares of the effects around the common effect (or the common regression)."""
    return at(e, 0.0, 0.0, reml=False).quadratic


def between_effects(e: Evidence, method: str) -> float:
    """Variance of the true effects by DerSimonian and Laird, Paule and Mandel, ML or REML; at least 0."""
    k, p = e.x.shape
    if method == "DL":
        return float(max(0.0, (cochran_q(e) - (k - p)) * typical_variance(e) / (k - p)))
    if method == "PM":
        return _roots(lambda b: _along(e, b, reml=False)[0] - (k - p), e)[-1]
    reml = method == "REML"
    candidates = _roots(lambda b: _along(e, b, reml)[1], e)
    if len(candidates) == 1:
        return candidates[0]
    return float(max(candidates, key=lambda b: at(e, 0.0, b, reml).llf))


def _along(e: Evidence, b: Floats, reml: bool) -> tuple[Floats, Floats]:
    """``y'P y`` and the slope of the likelihood at several variances between effects, each of shape (m,)."""
    w = 1 / (e.v + b[:, None])
    p = e.x.shape[1]
    products = (e.x[:, :, None] * e.x[:, None, :]).reshape(len(e.y), -1)
    cov = np.linalg.inv((w @ products).reshape(-1, p, p))
    beta = np.einsum("mpq,mq->mp", cov, (w * e.y) @ e.x)
    weighted = w * (e.y - beta @ e.x.T)
    trace = w.sum(axis=1)
    if reml:
        trace -= np.einsum("mpq,mpq->m", cov, (w**2 @ products).reshape(-1, p, p))
    return np.sum(weighted**2 / w, axis=1), -0.5 * (trace - np.sum(weighted**2, axis=1))


def _roots(function: Callable[[Floats], Floats], e: Evidence) -> list[float]:
    """Zero and the places where a criterion falls through zero, ascending."""
    from scipy.optimize import brentq

    spread = float(np.var(e.y - e.x @ np.linalg.lstsq(e.x, e.y, rcond=None)[0]))
    top = 100 * (spread + float(e.v.max()))
    grid = np.concatenate([[0.0], np.geomspace(1e-8 * float(e.v.min()), top, LOOK)])
    values = function(grid)
    falls = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    single = [
        brentq(
            lambda b: float(function(np.array([b]))[0]), grid[i], grid[i + 1], xtol=1e-15 * top, rtol=1e-14
        )
        for i in falls
    ]
    return [0.0, *map(float, single)]


def between_studies(e: Evidence, reml: bool) -> tuple[float, float, bool]:
    """Variances between studies and between the effects of a study by (RE)ML, and whether it is an optimum.

    From several starts by a quasi-Newton method with bounds, then Newton's with the average information. An optimum has
    no slope in a variance above zero and none upwards at zero.
    """
    from scipy.optimize import minimize

    unit = between_effects(e, "PM") or typical_variance(e)

    def criterion(theta: Floats) -> tuple[float, Floats]:
        point = _at(e, unit * theta, reml)
        return -point.llf, -point.gradient * unit

    starts = ([0.5, 0.5], [0.05, 0.95], [0.95, 0.05])
    searches = [
        minimize(
            criterion, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 2, options={"ftol": 1e-15}
        )
        for start in starts
    ]
    theta = unit * np.asarray(min(searches, key=lambda found: found.fun).x)
    slope = np.inf
    for _ in range(100):
        gradient = unit * _at(e, theta, reml).gradient
        slope = float(np.where(theta > 0, np.abs(gradient), np.maximum(gradient, 0)).max())
        if slope < 1e-9:
            break
        theta = _newton(e, theta, reml)
    return float(theta[0]), float(theta[1]), slope < 1e-6


def _at(e: Evidence, theta: Floats, reml: bool) -> Point:
    return at(e, float(theta[0]), float(theta[1]), reml)


def _newton(e: Evidence, theta: Floats, reml: bool) -> Floats:
    """One step towards the optimum that does not lower the likelihood."""
    here = _at(e, theta, reml)
    free = (theta > 0) | (here.gradient > 0)
    if not free.any():
        return theta
    step = np.zeros(2)
    step[free] = np.linalg.solve(here.information[np.ix_(free, free)], here.gradient[free])
    for _ in range(30):
        there = np.maximum(theta + step, 0.0)
        if _at(e, there, reml).llf >= here.llf - 1e-13 * abs(here.llf):  # rounding
            return there
        step /= 2
    return theta
