"""Directions in which the likelihood rises for ever: a predictor that separates the responses has no finite estimate.

Every row allows the linear predictor to move only where its log-density does not fall. If some combination of terms
moves some row and is allowed by all, the estimate runs off along it (Albert and Anderson 1984, Biometrika 71:1-10;
Konis 2007 for the linear programme).
"""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.distributions import Family

#: Linear predictors further out than this, without random effects, make a separation worth looking for.
SUSPICIOUS = 12.0


def suspicious(eta: Array, converged: bool) -> bool:
    """Whether the fit without random effects looks as if it ran off."""
    return not converged or bool(np.abs(eta).max() > SUSPICIOUS)


def separating(family: Family, x: Array, y: Array, size: Array, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the terms whose estimates run off together; empty if there are none.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        In the user's terms, so that a single term can be named.
    """
    from scipy import optimize  # heavy, and seldom needed

    scale = np.maximum(np.abs(x).max(axis=0), 1e-300)
    forms = _allowed(family, x / scale, y, size)
    forms = np.unique(forms, axis=0)
    found = optimize.linprog(
        -forms.sum(axis=0), A_ub=-forms, b_ub=np.zeros(len(forms)), bounds=(-1, 1), method="highs"
    )
    if not found.success or -found.fun < 1e-7:
        return ()
    direction = found.x[: x.shape[1]]
    # The sparsest direction names fewest terms: leave out, one after another, what is not needed.
    needed = [j for j in range(x.shape[1]) if abs(direction[j]) > 1e-7]
    for j in list(needed):
        bounds = [(-1, 1) if k in needed and k != j else (0, 0) for k in range(x.shape[1])]
        bounds += [(-1, 1)] * (forms.shape[1] - x.shape[1])
        less = optimize.linprog(
            -forms.sum(axis=0), A_ub=-forms, b_ub=np.zeros(len(forms)), bounds=bounds, method="highs"
        )
        if less.success and -less.fun > 1e-7:
            needed = [k for k in needed if k != j and abs(less.x[k]) > 1e-7]
    return tuple(names[j] for j in needed)


def _allowed(family: Family, x: Array, y: Array, size: Array) -> Array:
    """Linear forms in a direction that must not be negative, one a row of the result.

    For an ordered response the direction also moves the thresholds.
    """
    if family.name == "binomial":
        return np.concatenate([x[y > 0], -x[y < size]])
    if family.name in ("poisson", "negative-binomial"):
        return np.concatenate([x[y > 0], -x[y > 0], -x[y == 0]])
    k = y.astype(np.intp)
    cuts = np.eye(family.n_aux)
    below, above = k > 0, k < family.n_aux
    upper = np.concatenate([-x[above], cuts[k[above]]], axis=1)
    lower = np.concatenate([x[below], -cuts[k[below] - 1]], axis=1)
    return np.concatenate([upper, lower])
