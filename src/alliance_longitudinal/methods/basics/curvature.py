"""A smooth function's derivatives by differences, and its lowest point."""

from collections.abc import Callable

import numpy as np

from alliance_longitudinal.errors import FitError
from alliance_longitudinal.methods.basics.frames import Floats

Function = Callable[[Floats], float]


def gradient(f: Function, x: Floats, step: float = 1e-6) -> Floats:
    """Central differences, shape (p,)."""
    out = np.empty(len(x))
    for i in range(len(x)):
        h = step * max(1.0, abs(x[i]))
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        out[i] = (f(up) - f(down)) / (2 * h)
    return out


def hessian(f: Function, x: Floats, step: float = 1e-4) -> Floats:
    """Second derivatives by central differences, shape (p, p)."""
    p, base = len(x), f(x)
    h = step * np.maximum(1.0, np.abs(x))
    out = np.empty((p, p))
    for i in range(p):
        for k in range(i + 1):
            if i == k:
                up, down = x.copy(), x.copy()
                up[i] += h[i]
                down[i] -= h[i]
                out[i, i] = (f(up) - 2 * base + f(down)) / h[i] ** 2
                continue
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                at = x.copy()
                at[i] += a * h[i]
                at[k] += b * h[k]
                total += a * b * f(at)
            out[i, k] = out[k, i] = total / (4 * h[i] * h[k])
    return out


def jacobian(f: Callable[[Floats], Floats], x: Floats, step: float = 1e-6) -> Floats:
    """Central differences of a vector, shape (outputs, p)."""
    columns = []
    for i in range(len(x)):
        h = step * max(1.0, abs(x[i]))
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        columns.append((f(up) - f(down)) / (2 * h))
    return np.column_stack(columns)


def lowest(f: Function, starts: "list[Floats]", what: str) -> Floats:
    """The lowest point found from several starts, certified: the gradient there is small beside the curvature.

    Raises
    ------
    FitError
        If no start leads to such a point.
    """
    from scipy import optimize

    best = None
    for start in starts:
        found = optimize.minimize(
            f, start, jac=lambda x: gradient(f, x), method="BFGS", options={"gtol": 1e-4, "maxiter": 500}
        )
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun - 1e-9):
            best = found
    if best is None:
        raise FitError(f"{what} did not converge. Check the columns for extreme values.")
    x = np.asarray(best.x, dtype=float)
    for _ in range(5):  # Newton steps take what is left
        g, h = gradient(f, x, 1e-5), hessian(f, x)
        values, vectors = np.linalg.eigh(h)
        scaled = vectors.T @ g
        usable = values > 1e-8 * max(float(values[-1]), 1e-300)
        move = vectors[:, usable] @ (scaled[usable] / values[usable])
        decrease = float(np.sum(scaled[usable] ** 2 / values[usable]))
        if decrease < 1e-10 or f(x - move) > f(x):
            break
        x = x - move
    if decrease > 1e-3:
        raise FitError(f"{what} did not converge. Check the columns for extreme values.")
    return x
