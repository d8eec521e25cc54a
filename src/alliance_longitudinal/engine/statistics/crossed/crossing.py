"""Sufficient statistics of a design with crossed factors or multiple membership."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.linalg.matrices import block_diagonal
from alliance_longitudinal.engine.linalg.threads import one_thread
from alliance_longitudinal.engine.statistics.crossed.dense import Run
from alliance_longitudinal.engine.statistics.crossed.elimination import (
    Directions,
    Elimination,
    eliminate,
    fixed_curves,
    fixed_slopes,
)
from alliance_longitudinal.engine.statistics.crossed.pattern import Pattern
from alliance_longitudinal.engine.statistics.modes import Modes
from alliance_longitudinal.engine.statistics.protocol import Parts


@dataclass(frozen=True, slots=True)
class Crossing:
    """What every evaluation of the criterion needs.

    Attributes
    ----------
    n, p : int
        Rows, fixed effects.
    terms : tuple of tuple of int
        Terms of the design over each factor.
    rows : tuple of ndarray, shape (levels, q)
        Scalars (effects in elimination order) of each factor's levels.
    z : sparse array, shape (n, M)
        Effects of each row, in elimination order.
    k : sparse array, shape (M, M)
        ``Z'Z``.
    zu : ndarray, shape (M, p + 1)
        ``Z'U`` of the fixed-effect columns and the response.
    u : ndarray, shape (n, p)
        Fixed-effect columns.
    uu : ndarray, shape (p + 1, p + 1)
    pattern : Pattern
    s, dense : ndarray
        ``Z'Z`` laid out for the elimination.
    runs : tuple of Run
        Factors within the dense block.
    directions : Directions
    """

    n: int
    p: int
    terms: tuple[tuple[int, ...], ...]
    rows: tuple[Index, ...]
    z: sparse.csr_array
    k: sparse.csr_array
    zu: Array
    u: Array
    uu: Array
    pattern: Pattern
    s: Array
    dense: Array
    runs: tuple[Run, ...]
    directions: Directions

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked."""
        return tuple(t for terms in self.terms for t in terms)

    def sweep(self, relative: list[Array], order: int, log_curves: bool = True) -> Parts:
        """Eliminate all random effects at relative covariances, with derivatives up to ``order``.

        Without ``log_curves`` the second derivatives of ``log|V|`` are left zero.
        """
        with one_thread(len(self.dense)):
            return self._sweep(relative, order, log_curves)

    def _sweep(self, relative: list[Array], order: int, log_curves: bool) -> Parts:
        system = self.eliminate(relative)
        c, m = self.uu.shape[0], len(self.directions.factor)
        g, b = system.solve(self.zu)
        t = self.uu - self.zu.T @ b
        t = 0.5 * (t + t.T)
        if order == 0 or not np.isfinite(system.logdet):
            return system.logdet, np.zeros(0), np.zeros((0, 0)), t, np.zeros((0, c, c)), np.zeros((0, c, c))
        cov, gammas = system.conditional()
        e, factor = self.directions.e, self.directions.factor
        slopes = np.array([np.sum(gammas[f] * e[i]) for i, f in enumerate(factor)])
        dt = fixed_slopes(g, list(self.rows), self.directions)
        if order == 1:
            return system.logdet, slopes, np.zeros((m, m)), t, dt, np.zeros((0, c, c))
        ddt = fixed_curves(system, self.k, g, list(self.rows), self.directions)
        ddl = system.log_curves(cov, self.directions) if log_curves else np.zeros((m, m))
        return system.logdet, slopes, ddl, t, dt, ddt

    def eliminate(self, relative: list[Array]) -> Elimination:
        """The factored system at relative covariances."""
        size = self.directions.e.shape[-1]
        d = np.zeros((len(self.terms), size, size))
        for f, terms in enumerate(self.terms):
            block = block_diagonal([relative[t] for t in terms])
            d[f, : len(block), : len(block)] = block
        return eliminate(self.pattern, self.s, self.dense, self.runs, d)

    def modes(self, relative: list[Array], beta: Array, scale: float) -> list[Modes]:
        """Conditional modes of every term, in design order, with their covariances given the parameters."""
        system = self.eliminate(relative)
        b = system.solve(self.zu)[1] @ np.append(-beta, 1.0)
        c = system.conditional()[0]
        out: dict[int, Modes] = {}
        for terms, rows in zip(self.terms, self.rows, strict=True):
            blocks = scale * self._own_blocks(c, system.block.p, rows)
            at = 0
            for t in terms:
                q = len(relative[t])
                out[t] = Modes(b[rows[:, at : at + q]], blocks[:, at : at + q, at : at + q])
                at += q
        return [out[t] for t in range(len(relative))]

    def _own_blocks(self, c: Array, dense_c: Array, rows: Index) -> Array:
        """Blocks on the diagonal of the conditional covariance, for the levels of one factor."""
        first = self.pattern.dense_first
        inside = rows[:, 0] >= first
        left = np.repeat(rows[:, :, None], rows.shape[1], axis=2)
        right = left.transpose(0, 2, 1)
        out = np.empty(left.shape)
        out[inside] = dense_c[left[inside] - first, right[inside] - first]
        places = self.pattern.places(left[~inside].ravel(), right[~inside].ravel())
        out[~inside] = c[places].reshape(-1, *out.shape[1:])
        return out

    def with_response(self, y: Array) -> "Crossing":
        """The statistics with another response (n,), in internal units."""
        zu, uu = self.zu.copy(), self.uu.copy()
        zu[:, -1] = self.z.T @ y
        uu[:-1, -1] = uu[-1, :-1] = self.u.T @ y
        uu[-1, -1] = y @ y
        return replace(self, zu=zu, uu=uu)

    def describe(self) -> str:
        """How the random effects are eliminated, for teaching and debugging."""
        dense = self.pattern.scalars - self.pattern.dense_first
        return (
            f"{self.n} rows, {self.pattern.scalars} random effects: {self.pattern.sparse} groups one by one, "
            f"{dense} effects in one dense block"
        )
