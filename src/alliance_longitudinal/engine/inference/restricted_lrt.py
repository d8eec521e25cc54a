"""Null distribution of the restricted likelihood-ratio statistic of one variance, by simulation.

With one random effect the distribution is exact in finite samples (Crainiceanu and Ruppert 2004, J R Stat Soc B
66:165-185, theorem 1)::

    RLRT = sup_(lam >= 0)  (n - p) log(1 + N(lam) / D(lam)) - sum_s log(1 + lam mu_s)
    N = sum_s lam mu_s w_s^2 / (1 + lam mu_s),   D = sum_s w_s^2 / (1 + lam mu_s) + chi2(n - p - G)

with ``mu`` the eigenvalues of ``Z'P0 Z`` and standard normal ``w``. With other random effects in the model their relative
variances are taken as known, at their estimates under the null hypothesis: the same formula holds for the whitened data.
(Greven, Crainiceanu, Kuechenhoff and Peters 2008, J Comput Graph Stat 17:870-891, take their predicted values as known
instead; that ignores how much of the tested effect the others can explain.)
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit

#: Most groups for which the eigenvalues are computed; with more, the mixture of chi-squared distributions is as good.
MOST_GROUPS = 2000
_CHUNK = 2_000_000


def eigenvalues(fit: MixedFit, term: int, relative: list[Array]) -> Array:
    """Eigenvalues of ``Z'P0 Z`` of a term with one effect, the other terms' relative covariances (internal) being known.

    Returns
    -------
    ndarray, shape (G,)
    """
    z = _spread(fit, term)
    x = fit.basis.q[:, : fit.blocks.p]
    others = [t for t in range(len(fit.design.terms)) if t != term and np.any(relative[t])]
    loads = [_spread(fit, t) @ sparse.kron(sparse.eye(_size(fit, t)), _root(relative[t])) for t in others]
    whiten = _whitener(loads)
    zv, xv = whiten(z.toarray()), whiten(x)
    ztx = z.T @ xv
    middle = z.T @ zv - ztx @ np.linalg.solve(x.T @ xv, ztx.T)
    return np.clip(np.linalg.eigvalsh(0.5 * (middle + middle.T)), 0.0, None)


def _whitener(loads: list[sparse.csr_matrix]) -> Callable[[Array], Array]:
    """The function ``a -> V0^-1 a`` for ``V0 = I + sum load load'``."""
    if not loads:
        return lambda a: a
    load = sparse.hstack(loads).tocsc()
    solve = splu((sparse.eye(load.shape[1]) + load.T @ load).tocsc()).solve

    def whiten(a: Array) -> Array:
        return np.asarray(a - load @ solve(load.T @ a))

    return whiten


def _spread(fit: MixedFit, t: int) -> sparse.csr_matrix:
    """Effects of the rows (internal units, weighted), spread over the groups: shape (n, G q), group by group."""
    z = fit.basis.q @ fit.basis.c[t]
    n, q = z.shape
    factor = fit.design.factors[fit.design.terms[t].factor]
    members = factor.members
    shares = np.ones(members.shape) if factor.weights is None else factor.weights
    row, which = np.nonzero(members >= 0)
    values = z[row] * shares[row, which][:, None]
    columns = members[row, which][:, None] * q + np.arange(q)
    return sparse.csr_matrix(
        (values.ravel(), (np.repeat(row, q), columns.ravel())), shape=(n, factor.size * q)
    )


def _size(fit: MixedFit, t: int) -> int:
    return fit.design.factors[fit.design.terms[t].factor].size


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def simulate_null(
    mu: Array, n: int, p: int, count: int, rng: np.random.Generator, truth: float = 0.0
) -> Array:
    """Draws of the statistic under the null hypothesis, shape (count,); or where the variance is there.

    Parameters
    ----------
    mu : ndarray, shape (G,)
    n, p : int
        Rows, fixed effects.
    truth : float
        True variance over the residual variance: ``w_s^2`` then has the expectation ``1 + truth mu_s``.
    """
    mu = mu[mu > 1e-10 * mu.max()]
    grid = np.concatenate([[0.0], np.exp(np.linspace(-9, 14, 231)) / mu.mean()])
    shrink = 1 / (1 + grid[:, None] * mu)
    penalty = np.log1p(grid[:, None] * mu).sum(axis=1)
    out = np.empty(count)
    step = max(1, _CHUNK // max(len(mu), len(grid)))
    for begin in range(0, count, step):
        size = min(step, count - begin)
        w2 = rng.standard_normal((size, len(mu))) ** 2 * (1 + truth * mu)
        rest = rng.chisquare(n - p - len(mu), (size, 1)) if n - p > len(mu) else 0.0
        d = w2 @ shrink.T + rest
        total = w2.sum(axis=1, keepdims=True) + rest
        values = (n - p) * np.log(total / d) - penalty
        out[begin : begin + size] = _peak(values)
    return out


def _peak(values: Array) -> Array:
    """Largest value of each row; between grid points by a parabola."""
    rows = np.arange(len(values))
    best = values.argmax(axis=1)
    top = values[rows, best]
    inside = (best > 1) & (best < values.shape[1] - 1)
    low, high = values[rows, np.maximum(best - 1, 0)], values[rows, np.minimum(best + 1, values.shape[1] - 1)]
    bend = low - 2 * top + high
    gain = np.where(inside & (bend < 0), (low - high) ** 2 / (-8 * np.where(bend < 0, bend, -1.0)), 0.0)
    return np.asarray(np.maximum(top + gain, 0.0))
