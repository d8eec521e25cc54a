"""The dense block that is left when the sparse nodes are eliminated: its factor, inverse and derivatives.

With ``S`` its cross-products and ``D`` its block-diagonal relative covariance, ``R R' = D`` and ``M = I + R'SR``::

    log det(I + SD) = log det M    P = D (I + SD)^-1 = R M^-1 R'    N = (I + SD)^-1 S = S - S P S
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array

#: Factor, first column, number of nodes, effects of a node.
Run = tuple[int, int, int, int]
#: Above this value of ``D S`` the blocks of ``N`` come from ``R'NR = I - M^-1`` without loss of digits.
_WELL_SCALED = 1e-3


@dataclass(frozen=True, slots=True)
class DenseBlock:
    """The factored block.

    Attributes
    ----------
    runs : tuple of Run
        Neighbouring nodes of one factor.
    d, roots : ndarray, shape (F, qmax, qmax)
        Relative covariances and their roots.
    s : ndarray, shape (r, r)
        Cross-products.
    p, m_inverse : ndarray, shape (r, r)
    logdet : float
        Not a number when the block cannot be factored.
    """

    runs: tuple[Run, ...]
    d: Array
    roots: Array
    s: Array
    p: Array
    m_inverse: Array
    logdet: float

    def solve(self, rhs: Array) -> tuple[Array, Array]:
        """``(I + SD)^-1 rhs`` and D times that."""
        b = self.p @ rhs
        return rhs - self.s @ b, b

    def gammas(self) -> Array:
        """Sums over each factor's nodes of the diagonal blocks of ``N``, shape (F, qmax, qmax)."""
        out = np.zeros_like(self.d)
        for f, first, count, q in self.runs:
            at = slice(first, first + count * q)
            s = diagonal_blocks(self.s[at, at], q)
            smallest = np.linalg.eigvalsh(self.d[f, :q, :q])[0]
            if smallest * np.median(np.einsum("jaa->ja", s)) > _WELL_SCALED:
                back = np.linalg.inv(self.roots[f, :q, :q])
                inner = count * np.eye(q) - diagonal_blocks(self.m_inverse[at, at], q).sum(axis=0)
                out[f, :q, :q] += back.T @ inner @ back
            else:
                sp = self.s[at] @ self.p
                product = np.einsum(
                    "jac,jbc->ab", sp.reshape(count, q, -1), self.s[at].reshape(count, q, -1), optimize=True
                )
                out[f, :q, :q] += s.sum(axis=0) - product
        return out

    def block_sums(self, matrix: Array) -> Array:
        """Sums over each factor's nodes of the diagonal blocks of a matrix (r, r), shape (F, qmax, qmax)."""
        out = np.zeros_like(self.d)
        for f, first, count, q in self.runs:
            at = slice(first, first + count * q)
            out[f, :q, :q] += diagonal_blocks(matrix[at, at], q).sum(axis=0)
        return out


@dataclass(frozen=True, slots=True)
class DenseCurves:
    """What second derivatives need: ``(I + SD)^-1`` and ``N``, both (r, r)."""

    block: DenseBlock
    a_inverse: Array
    n: Array

    @classmethod
    def of(cls, block: DenseBlock) -> "DenseCurves":
        """Two products of the block's size."""
        sp = block.s @ block.p
        n = block.s - sp @ block.s
        return cls(block, np.eye(len(sp)) - sp, 0.5 * (n + n.T))

    def along(self, ds: Array, dd: Array) -> tuple[Array, Array]:
        """Derivatives of ``N`` and ``P`` when ``S`` moves by ``ds`` and the covariances by ``dd`` (F, qmax, qmax)."""
        dn = np.zeros_like(self.n)
        if ds.any():
            dn += self.a_inverse @ ds @ self.a_inverse.T
        runs, d = self.block.runs, self.block.d
        if any(dd[f].any() for f, *_ in runs):
            dn -= times(self.n, dd, runs) @ self.n
        nd = times(self.n, d, runs)
        dnd = times(dn, d, runs)
        ndd = times(self.n, dd, runs)
        dp = -times(dnd.T, d, runs) - times(ndd.T, d, runs) - times(ndd.T, d, runs).T
        del nd
        for f, first, count, q in runs:
            for j in range(count):
                at = slice(first + j * q, first + (j + 1) * q)
                dp[at, at] += dd[f, :q, :q]
        return dn, dp

    def log_curve(self, dd: Array, other: Array) -> float:
        """Second derivative of the log-determinant along two directions of the covariances."""
        left = times(self.n, dd, self.block.runs)
        right = times(self.n, other, self.block.runs)
        return -float(np.einsum("ab,ba->", left, right))


def factor_block(s: Array, d: Array, runs: tuple[Run, ...]) -> DenseBlock:
    """Factor the block; ``s`` is symmetric, shape (r, r)."""
    r = len(s)
    roots = np.zeros_like(d)
    for f, _, _, q in runs:
        values, vectors = np.linalg.eigh(d[f, :q, :q])
        roots[f, :q, :q] = vectors * np.sqrt(np.maximum(values, 0.0))
    inner = times(times(s, roots, runs).T, roots, runs)
    inner[np.diag_indices(r)] += 1.0
    if r == 0:
        return DenseBlock(runs, d, roots, s, s, s, 0.0)
    from scipy.linalg import lapack  # not for nested groups, which never come here

    chol, failed = lapack.dpotrf(inner, lower=1)
    if failed or not np.isfinite(chol).all():
        nothing = np.full_like(s, np.nan)
        return DenseBlock(runs, d, roots, s, nothing, nothing, np.nan)
    logdet = 2 * float(np.log(np.diag(chol)).sum())
    inverse, _ = lapack.dpotri(chol, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    p = transposed_times(transposed_times(inverse, roots, runs).T, roots, runs)
    return DenseBlock(runs, d, roots, s, 0.5 * (p + p.T), inverse, logdet)


def times(matrix: Array, blocks: Array, runs: tuple[Run, ...]) -> Array:
    """A matrix times the block-diagonal matrix of each node's block."""
    out = np.empty_like(matrix)
    for f, first, count, q in runs:
        at = slice(first, first + count * q)
        out[:, at] = (matrix[:, at].reshape(len(matrix) * count, q) @ blocks[f, :q, :q]).reshape(
            len(matrix), -1
        )
    return out


def transposed_times(matrix: Array, blocks: Array, runs: tuple[Run, ...]) -> Array:
    """A matrix times the transpose of that block-diagonal matrix."""
    return times(matrix, blocks.transpose(0, 2, 1), runs)


def diagonal_blocks(matrix: Array, q: int) -> Array:
    """Blocks on the diagonal, shape (J, q, q)."""
    count = len(matrix) // q
    each = np.arange(count)
    return np.asarray(matrix.reshape(count, q, count, q)[each, :, each, :])
