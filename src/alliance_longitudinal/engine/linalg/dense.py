"""The textbook likelihood on n by n matrices, in plain NumPy: the reading copy, and the oracle of the tests."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index


def design_matrix(z: Array, codes: Index, size: int) -> Array:
    """Spread the effects of n rows over the groups: shape (n, size * q), group by group."""
    n, q = z.shape
    out = np.zeros((n, size, q))
    out[np.arange(n), codes] = z
    return out.reshape(n, size * q)


def marginal_covariance(
    terms: list[tuple[Array, Index, Array]], scale: float, weights: Array | None, n: int
) -> Array:
    """Covariance of the response: ``scale / weights + sum Z (I x Psi) Z'``.

    Parameters
    ----------
    terms : list of (z, codes, psi)
        Effects (n, q), group of each row, covariance of the effects (q, q), all in the user's units.
    """
    v = scale * np.diag(np.ones(n) if weights is None else 1 / weights)
    for z, codes, psi in terms:
        v += (codes[:, None] == codes[None, :]) * (z @ psi @ z.T)
    return v


def deviance(y: Array, x: Array, v: Array, reml: bool) -> float:
    """-2 log-likelihood at covariance ``v``, coefficients profiled out, with lme4's constants.

    Under REML this is ``log|V| + log|X'V^-1 X| + r'V^-1 r + (n - p) log 2 pi`` (Laird and Ware 1982, eq. 3.4).
    """
    n, p = x.shape
    beta, precision = gls(y, x, v)
    residual = y - x @ beta
    value = np.linalg.slogdet(v)[1] + residual @ np.linalg.solve(v, residual)
    if reml:
        return float(value + np.linalg.slogdet(precision)[1] + (n - p) * np.log(2 * np.pi))
    return float(value + n * np.log(2 * np.pi))


def gls(y: Array, x: Array, v: Array) -> tuple[Array, Array]:
    """Generalised least-squares coefficients (p,) and their precision ``X'V^-1 X`` (p, p)."""
    weighted = np.linalg.solve(v, x)
    precision = x.T @ weighted
    return np.asarray(np.linalg.solve(precision, weighted.T @ y)), precision


def conditional_modes(y: Array, x: Array, v: Array, term: tuple[Array, Index, Array], size: int) -> Array:
    """Best linear unbiased predictions ``Psi Z'V^-1 (y - X beta)`` of one term, shape (size, q)."""
    z, codes, psi = term
    beta, _ = gls(y, x, v)
    spread = design_matrix(z, codes, size)
    scores = spread.T @ np.linalg.solve(v, y - x @ beta)
    return scores.reshape(size, -1) @ psi
