"""The inner loops of the sparse elimination, in plain Python that Numba can compile (`compiled`); one code for both.

A node is one level of one factor with its q effects; nodes are in elimination order. With ``S`` the cross-products of the
effects that are left when the turn of node g comes, ``D`` the relative covariance of its factor and L the later nodes that
it meets::

    A = I + S_gg D    P = D A^-1    N_g. = A^-1 S_g.    S_LL -= S_gL' P S_gL    log|V| += log det A

Backwards, ``C = D - D Z'V^-1Z D`` (the conditional covariance of all effects over the residual variance) and the blocks on
the diagonal of ``Z'V^-1Z``, of which the derivative of ``log|V|`` is made, need ``C`` only where L was touched
(Takahashi's recursion; Erisman and Tinney 1975, Commun ACM 18:177-179)::

    X = N_gL C_LL     C_gL = -D X     C_gg = P + D X N_gL' D     (Z'V^-1Z)_gg = N_gg - X N_gL'

``shape`` is `pattern.Pattern.shape`. Rows of S and C are flat: q by W, own columns first, those of the dense block last.
"""

import math
from typing import Any, TypeAlias

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Mask

Flags = Mask
Shape: TypeAlias = Any


def factorise(shape: Shape, d: Array, s: Array, dense: Array, ainv: Array, p: Array) -> float:
    """Eliminate all sparse nodes: overwrite ``s`` and the upper triangle of ``dense``, fill ``ainv`` and ``p``.

    Parameters
    ----------
    d : ndarray, shape (F, qmax, qmax)
        Relative covariance of each factor.
    s, ainv, p : ndarray
        Flat rows and flat q by q blocks of the nodes.
    dense : ndarray, shape (r, r)

    Returns
    -------
    float
        Sum of ``log det A``.
    """
    q, factor, cptr, cols, sptr, iptr, split, lptr, lnode, loff, lpos, pos, widest, dense_first = shape
    size = d.shape[1]
    a, t = np.empty((size, 2 * size)), np.empty((size, widest[0]))
    logdet = 0.0
    for g in range(len(q)):
        n, w, at, place = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g]
        df = d[factor[g]]
        for i in range(n):
            for j in range(n):
                v = 0.0
                for k in range(n):
                    v += s[at + i * w + k] * df[k, j]
                one = 1.0 if i == j else 0.0
                a[i, j] = v + one
                a[i, n + j] = one
        for i in range(n):
            best = i
            for k in range(i + 1, n):
                if abs(a[k, i]) > abs(a[best, i]):
                    best = k
            if best != i:
                for j in range(2 * n):
                    v = a[i, j]
                    a[i, j] = a[best, j]
                    a[best, j] = v
            pivot = a[i, i]
            logdet += math.log(abs(pivot)) if pivot != 0.0 else -np.inf
            for j in range(2 * n):
                a[i, j] = a[i, j] / pivot if pivot != 0.0 else np.nan
            for k in range(n):
                if k != i:
                    v = a[k, i]
                    for j in range(2 * n):
                        a[k, j] -= v * a[i, j]
        for i in range(n):
            for j in range(n):
                v = 0.0
                for k in range(n):
                    v += df[i, k] * a[k, n + j] + df[j, k] * a[k, n + i]
                p[place + i * n + j] = 0.5 * v
                ainv[place + i * n + j] = a[i, n + j]
        for i in range(n):
            for b in range(n, w):
                v = 0.0
                for k in range(n):
                    v += p[place + i * n + k] * s[at + k * w + b]
                t[i, b] = v
        for e in range(lptr[g], lptr[g + 1]):
            h, o, base = lnode[e], loff[e], lpos[e]
            wh = cptr[h + 1] - cptr[h]
            for i in range(q[h]):
                row = sptr[h] + i * wh
                for k in range(n):
                    v = s[at + k * w + o + i]
                    for b in range(o, w):
                        s[row + pos[base + b - o]] -= v * t[k, b]
        start = cptr[g]
        for i in range(split[g], w):
            row = cols[start + i] - dense_first[0]
            for k in range(n):
                v = s[at + k * w + i]
                for b in range(i, w):
                    dense[row, cols[start + b] - dense_first[0]] -= v * t[k, b]
    return logdet


def forward(shape: Shape, s: Array, p: Array, rhs: Array) -> None:
    """Eliminate the sparse nodes from right-hand sides (M, c), in place."""
    q, _factor, cptr, cols, sptr, iptr, _split, _lptr, _lnode, _loff, _lpos, _pos, _widest, _first = shape
    width = rhs.shape[1]
    y = np.empty(width)
    for g in range(len(q)):
        n, w, at, place, start = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g], cptr[g]
        for i in range(n):
            y[:] = 0.0
            for k in range(n):
                v, row = p[place + i * n + k], cols[start + k]
                for j in range(width):
                    y[j] += v * rhs[row, j]
            for e in range(n, w):
                v, row = s[at + i * w + e], cols[start + e]
                for j in range(width):
                    rhs[row, j] -= v * y[j]


def backward(shape: Shape, s: Array, ainv: Array, p: Array, rhs: Array, b: Array) -> None:
    """After `forward` and the dense block (its rows of both are done): ``rhs`` becomes ``G``, ``b`` becomes ``D G``."""
    q, _factor, cptr, cols, sptr, iptr, _split, _lptr, _lnode, _loff, _lpos, _pos, _widest, _first = shape
    width = rhs.shape[1]
    x = np.empty((1 if len(q) == 0 else q.max(), width))
    for g in range(len(q) - 1, -1, -1):
        n, w, at, place, start = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g], cptr[g]
        for i in range(n):
            row = cols[start + i]
            for j in range(width):
                x[i, j] = rhs[row, j]
            for e in range(n, w):
                v, row = s[at + i * w + e], cols[start + e]
                for j in range(width):
                    x[i, j] -= v * b[row, j]
        for i in range(n):
            row = cols[start + i]
            for j in range(width):
                rhs[row, j] = 0.0
                b[row, j] = 0.0
            for k in range(n):
                u, v = ainv[place + i * n + k], p[place + i * n + k]
                for j in range(width):
                    rhs[row, j] += u * x[k, j]
                    b[row, j] += v * x[k, j]


def conditional(
    shape: Shape, d: Array, s: Array, ainv: Array, p: Array, dense_c: Array, c: Array, gammas: Array
) -> None:
    """Fill ``c`` (laid out as ``s``) backwards, and add the blocks of ``Z'V^-1Z`` to ``gammas`` (F, qmax, qmax)."""
    q, factor, cptr, cols, sptr, iptr, split, lptr, lnode, loff, lpos, pos, widest, dense_first = shape
    size = d.shape[1]
    nl, x = np.empty((size, widest[0])), np.empty((size, widest[0]))
    half = np.empty((size, size))
    for g in range(len(q) - 1, -1, -1):
        n, w, at, place, start = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g], cptr[g]
        f = factor[g]
        for i in range(n):
            for b in range(w):
                v = 0.0
                for k in range(n):
                    v += ainv[place + i * n + k] * s[at + k * w + b]
                nl[i, b] = v
                x[i, b] = 0.0
        for e in range(lptr[g], lptr[g + 1]):
            h, o, base = lnode[e], loff[e], lpos[e]
            wh = cptr[h + 1] - cptr[h]
            for a in range(q[h]):
                row = sptr[h] + a * wh
                for b in range(o, w):
                    v = c[row + pos[base + b - o]]
                    for i in range(n):
                        x[i, b] += nl[i, o + a] * v
                        if b >= o + q[h]:
                            x[i, o + a] += nl[i, b] * v
        for a in range(split[g], w):
            row = cols[start + a] - dense_first[0]
            for i in range(n):
                z, own = 0.0, nl[i, a]
                for b in range(split[g], a):  # symmetric: each entry serves both
                    v = dense_c[row, cols[start + b] - dense_first[0]]
                    x[i, b] += own * v
                    z += nl[i, b] * v
                x[i, a] += z + own * dense_c[row, row]
        for i in range(n):
            for j in range(n):
                v = 0.0
                for b in range(n, w):
                    v += x[i, b] * nl[j, b]
                half[i, j] = v
                gammas[f, i, j] += nl[i, j] - v
        for i in range(n):
            for j in range(n):
                v = p[place + i * n + j]
                for k in range(n):
                    for m in range(n):
                        v += d[f, i, k] * half[k, m] * d[f, m, j]
                c[at + i * w + j] = v
            for b in range(n, w):
                v = 0.0
                for k in range(n):
                    v += d[f, i, k] * x[k, b]
                c[at + i * w + b] = -v
