"""Rows condensed to the coordinates that a fit can tell apart; exact, and independent of the number of rows.

Rows that lie in the same group of every factor form a cell. With the cell's columns of the basis ``U = Q R`` (``Q'Q = I``)
the part of the response outside the span of ``Q`` has covariance s I and meets no column, so ``R`` and ``Q'y`` say all.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.fit import MixedFit

#: An eigenvalue of a cell's cross-products below this share of the largest one is zero.
_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Cells:
    """Condensed rows, in internal units.

    Attributes
    ----------
    columns : ndarray, shape (d, k)
        ``R`` of all cells, one below the other; the first p columns are those of the fixed part.
    y : ndarray, shape (d,)
        ``Q'y``.
    row : ndarray of int, shape (d,)
        A row of the design that lies in the cell of each coordinate.
    """

    columns: Array
    y: Array
    row: Index


def condense(fit: MixedFit) -> Cells:
    """Condense the rows of a fit; with a residual structure they stay as they are."""
    if fit.residual is not None:
        return Cells(fit.basis.q, fit.basis.y, np.arange(len(fit.basis.y), dtype=np.intp))
    codes = _joint([column for f in fit.design.factors for column in _columns(f)])
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    q, y = fit.basis.q[order], fit.basis.y[order]
    k = q.shape[1]
    products, with_y = np.empty((len(starts), k, k)), np.empty((len(starts), k))
    for a in range(k):
        with_y[:, a] = np.add.reduceat(q[:, a] * y, starts)
        for b in range(a + 1):
            products[:, a, b] = products[:, b, a] = np.add.reduceat(q[:, a] * q[:, b], starts)
    values, vectors = np.linalg.eigh(products)
    count = np.minimum(np.diff(np.append(starts, len(y))), k)
    used = (np.arange(k) >= k - count[:, None]) & (values > _ZERO * values[:, -1:])
    root = np.sqrt(np.where(used, values, 1.0))
    columns = root[:, :, None] * vectors.transpose(0, 2, 1)
    condensed = np.einsum("jab,ja->jb", vectors, with_y) / root
    return Cells(columns[used], condensed[used], np.repeat(order[starts], used.sum(axis=1)))


def _columns(factor: Factor) -> list[Index]:
    """Index that are equal in rows with the same groups, and the same shares of them."""
    if factor.weights is None:
        return [factor.codes]
    shares = [np.unique(column, return_inverse=True)[1] for column in factor.weights.T]
    return [*(column + 1 for column in factor.members.T), *shares]


def _joint(codes: list[Index]) -> Index:
    """One code for each combination that occurs."""
    joint = codes[0].astype(np.int64)
    for other in codes[1:]:
        joint = np.unique(joint * (int(other.max()) + 1) + other, return_inverse=True)[1]
    return joint.astype(np.intp)
