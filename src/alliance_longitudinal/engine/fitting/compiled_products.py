"""One pass over rows, compiled: cross-products of every innermost group, without sorting or keeping the rows."""

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.compiled import jit

Array = NDArray[np.float64]
Index = NDArray[np.intp]


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

    A row is brought to provisional units first: ``u = raw @ transform``, ``(y - raw[:p] @ beta) / y_scale`` last, all
    times the root of its weight.

    Parameters
    ----------
    raw : ndarray, shape (m, k)
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
    k, p = raw.shape[1], beta.shape[0]
    u = np.empty(k + 1)
    for i in range(raw.shape[0]):
        g = group[i]
        if g < low or g >= high:
            continue
        counts[g] += 1
        rest = y[i]
        for j in range(p):
            rest -= raw[i, j] * beta[j]
        for j in range(k):
            part = 0.0
            for h in range(j + 1):
                part += raw[i, h] * transform[h, j]
            u[j] = part
        u[k] = rest / y_scale
        if root.shape[0] > 0:
            for j in range(k + 1):
                u[j] *= root[i]
        at = 0
        for j in range(k + 1):
            f = u[j]
            for h in range(j + 1):
                out[g, at] += f * u[h]
                at += 1
