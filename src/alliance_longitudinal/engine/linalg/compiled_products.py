"""One pass over rows, compiled: cross-products of every innermost group, without sorting or keeping the rows."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.linalg.compiled import LANES, jit


@jit
def add_rows(
    raw: Array,
    y: Array,
    root: Array,
    group: Index,
    transform: Array,
    beta: Array,
    y_scale: float,
    low: int,
    high: int,
    out: Array,
    counts: Index,
) -> None:
    """Add the cross-products of rows to their groups, for groups from ``low`` to below ``high``.

    A row is brought to provisional units first: ``u = row @ transform``, ``(y - row[:p] @ beta) / y_scale`` last, all
    times the root of its weight.

    Parameters
    ----------
    raw : ndarray, shape (k, m)
    y : ndarray, shape (m,)
    root : ndarray, shape (m,) or (0,)
        Roots of prior weights; empty for weights of one.
    group : ndarray of int, shape (m,)
    transform : ndarray, shape (k, k)
        Upper triangular.
    beta : ndarray, shape (p,)
    out : ndarray, shape (J, (k + 1)(k + 2) / 2)
        Lower triangles, row by row; added to.
    counts : ndarray of int, shape (J,)
        Rows of each group; added to.
    """
    k, p, rows = raw.shape[0], beta.shape[0], raw.shape[1]
    size = (k + 1) * (k + 2) // 2
    u, products = np.empty((k + 1, LANES)), np.empty((size, LANES))
    for start in range(0, rows, LANES):
        lanes = min(LANES, rows - start)
        for j in range(k):
            for x in range(lanes):
                u[j, x] = raw[0, start + x] * transform[0, j]
            for h in range(1, j + 1):
                for x in range(lanes):
                    u[j, x] += raw[h, start + x] * transform[h, j]
        for x in range(lanes):
            u[k, x] = y[start + x]
        for j in range(p):
            for x in range(lanes):
                u[k, x] -= raw[j, start + x] * beta[j]
        for x in range(lanes):
            u[k, x] /= y_scale
        if root.shape[0] > 0:
            for j in range(k + 1):
                for x in range(lanes):
                    u[j, x] *= root[start + x]
        at = 0
        for j in range(k + 1):
            for h in range(j + 1):
                for x in range(lanes):
                    products[at, x] = u[j, x] * u[h, x]
                at += 1
        for x in range(lanes):
            g = group[start + x]
            if low <= g < high:
                counts[g] += 1
                for j in range(size):
                    out[g, j] += products[j, x]
