"""One evaluation: all random effects eliminated at given covariances, with exact first and second derivatives.

With ``G = Z'V^-1U`` and directions ``E_i`` of the covariances, each acting on the effects of one factor::

    U'V^-1U: first derivative -G'E_i G, second G'E_i (Z'V^-1Z) E_j G + its transpose
    log|V|:  first derivative tr(E_i Z'V^-1Z), second by the derivative of that recursion
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.linalg.crossed_compiled import loop
from alliance_longitudinal.engine.statistics.crossed.dense import DenseBlock, DenseCurves, Run, factor_block
from alliance_longitudinal.engine.statistics.crossed.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Directions:
    """Free entries of the covariances, factor by factor.

    Attributes
    ----------
    factor : tuple of int
        Of each entry.
    e : ndarray, shape (m, qmax, qmax)
        Symmetric direction within the factor's covariance.
    """

    factor: tuple[int, ...]
    e: Array

    def spread(self, i: int, factors: int) -> Array:
        """One direction over all factors, shape (F, qmax, qmax)."""
        out = np.zeros((factors, *self.e.shape[1:]))
        out[self.factor[i]] = self.e[i]
        return out


@dataclass(frozen=True, slots=True)
class Elimination:
    """A factored system.

    Attributes
    ----------
    pattern : Pattern
    d : ndarray, shape (F, qmax, qmax)
    s, ainv, p : ndarray
        Rows and blocks of the sparse nodes, as `loops.factorise` leaves them.
    block : DenseBlock
    logdet : float
        ``log|V|``.
    """

    pattern: Pattern
    d: Array
    s: Array
    ainv: Array
    p: Array
    block: DenseBlock
    logdet: float

    def solve(self, rhs: Array) -> tuple[Array, Array]:
        """``G = (I + Z'ZD)^-1 rhs`` and ``D G``, both (M, c)."""
        g = np.ascontiguousarray(rhs, dtype=float).copy()
        b = np.zeros_like(g)
        first = self.pattern.dense_first
        loop("forward")(self.pattern.shape, self.s, self.p, g)
        g[first:], b[first:] = self.block.solve(g[first:])
        loop("backward")(self.pattern.shape, self.s, self.ainv, self.p, g, b)
        return g, b

    def conditional(self) -> tuple[Array, Array]:
        """Rows of the conditional covariance, and sums of the blocks of ``Z'V^-1Z`` over each factor's nodes."""
        c = np.empty_like(self.s)
        gammas = self.block.gammas()
        loop("conditional")(self.pattern.shape, self.d, self.s, self.ainv, self.p, self.block.p, c, gammas)
        return c, gammas

    def log_curves(self, c: Array, directions: Directions) -> Array:
        """Second derivatives of ``log|V|``, shape (m, m)."""
        curves = DenseCurves.of(self.block)
        factors, m = len(self.d), len(directions.factor)
        out = np.empty((m, m))
        spread = [directions.spread(i, factors) for i in range(m)]
        seen: set[int] = set()
        for f in dict.fromkeys(self.pattern.shape[1].tolist()):
            seen_now = np.isin(self.pattern.shape[1], list(seen))
            stop = int(np.argmin(seen_now))
            for i in [i for i in range(m) if directions.factor[i] == f]:
                gammas = self._tangent(c, spread[i], curves, stop)
                for j in [j for j in range(m) if directions.factor[j] not in seen]:
                    out[i, j] = out[j, i] = np.sum(gammas[directions.factor[j]] * directions.e[j])
            seen.add(f)
        for i in range(m):
            for j in range(i + 1):
                if directions.factor[i] not in seen and directions.factor[j] not in seen:
                    out[i, j] = out[j, i] = curves.log_curve(spread[i], spread[j])
        return out

    def _tangent(self, c: Array, dd: Array, curves: DenseCurves, stop: int) -> Array:
        """Derivative of the blocks' sums along a direction, shape (F, qmax, qmax)."""
        shape = self.pattern.shape
        moved = dd.any(axis=(1, 2))
        ds, dp = np.zeros_like(self.s), np.zeros_like(self.p)
        ddense, touched = np.zeros_like(self.block.s), np.zeros(self.pattern.sparse, dtype=np.bool_)
        loop("tangent_forward")(shape, self.d, dd, moved, self.s, self.ainv, self.p, ds, dp, ddense, touched)
        dn, dense_dc = curves.along(symmetric(ddense), dd)
        gammas = self.block.block_sums(dn)
        dc = np.zeros_like(self.s)
        loop("tangent_backward")(
            shape,
            self.d,
            dd,
            moved,
            self.s,
            self.ainv,
            ds,
            dp,
            touched,
            self.block.p,
            dense_dc,
            c,
            dc,
            gammas,
            stop,
        )
        return gammas


def eliminate(pattern: Pattern, s: Array, dense: Array, runs: tuple[Run, ...], d: Array) -> Elimination:
    """Factor the system at covariances ``d`` (F, qmax, qmax); ``s`` and ``dense`` are not changed."""
    s, upper = s.copy(), dense.copy()
    ainv, p = np.zeros(pattern.shape[5][-1]), np.zeros(pattern.shape[5][-1])
    logdet = loop("factorise")(pattern.shape, d, s, upper, ainv, p)
    block = factor_block(symmetric(upper), d, runs)
    return Elimination(pattern, d, s, ainv, p, block, logdet + block.logdet)


def symmetric(upper: Array) -> Array:
    """The matrix whose upper triangle this is."""
    return np.triu(upper) + np.triu(upper, 1).T


def fixed_slopes(g: Array, rows: list[Index], directions: Directions) -> Array:
    """``-G'E_i G``, shape (m, c, c); ``rows`` are each factor's scalars (nodes, q)."""
    out = np.empty((len(directions.factor), g.shape[1], g.shape[1]))
    moments: dict[int, Array] = {}
    for i, f in enumerate(directions.factor):
        if f not in moments:
            moments[f] = np.stack([[g[a].T @ g[b] for b in rows[f].T] for a in rows[f].T])
        q = rows[f].shape[1]
        out[i] = -np.einsum("ab,abij->ij", directions.e[i, :q, :q], moments[f])
    return out


def fixed_curves(
    system: Elimination, k: sparse.csr_array, g: Array, rows: list[Index], directions: Directions
) -> Array:
    """Second derivatives of ``U'V^-1U``, shape (m(m+1)/2, c, c), pairs row by row of the lower triangle."""
    m, width = len(directions.factor), g.shape[1]
    x = np.zeros((len(g), m, width))
    for i, f in enumerate(directions.factor):
        for a, b in zip(*np.nonzero(directions.e[i]), strict=True):
            x[rows[f][:, a], i] += directions.e[i, a, b] * g[rows[f][:, b]]
    stacked = x.reshape(len(g), m * width)
    y = system.solve(k @ stacked)[0]
    products = (stacked.T @ y).reshape(m, width, m, width).transpose(0, 2, 1, 3)
    lower = products[np.tril_indices(m)]
    return np.asarray(lower + lower.transpose(0, 2, 1))
