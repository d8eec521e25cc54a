"""Derivatives of the passes in `loops` along one direction of the covariances, in the same plain style."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.linalg.crossed_loops import Flags, Shape


def tangent_forward(
    shape: Shape,
    d: Array,
    dd: Array,
    moved: Flags,
    s: Array,
    ainv: Array,
    p: Array,
    ds: Array,
    dp: Array,
    ddense: Array,
    touched: Flags,
) -> None:
    """Derivative of the eliminated rows.

    Parameters
    ----------
    d, dd : ndarray, shape (F, qmax, qmax)
        Relative covariances and their direction.
    moved : ndarray of bool, shape (F,)
        Factors whose direction is not zero.
    s, ainv, p : ndarray
        As `loops.factorise` left them.
    ds, dp, ddense : ndarray
        Derivatives, laid out as ``s``, ``p`` and the dense block (upper triangle); zero on entry.
    touched : ndarray of bool, shape (nodes,)
        Filled: nodes whose rows have a derivative.
    """
    q, factor, cptr, cols, sptr, iptr, split, lptr, lnode, loff, lpos, pos, widest, dense_first = shape
    size = d.shape[1]
    t, dt = np.empty((size, widest[0])), np.empty((size, widest[0]))
    for g in range(len(q)):
        f = factor[g]
        own = moved[f]
        if not (own or touched[g]):
            continue
        n, w, at, place, start = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g], cptr[g]
        for i in range(n):
            for j in range(n):
                v = 0.0
                for k in range(n):
                    for m in range(n):
                        v -= p[place + i * n + k] * ds[at + k * w + m] * p[place + m * n + j]
                        if own:
                            v += ainv[place + k * n + i] * dd[f, k, m] * ainv[place + m * n + j]
                dp[place + i * n + j] = v
        for i in range(n):
            for b in range(n, w):
                u, v = 0.0, 0.0
                for k in range(n):
                    u += p[place + i * n + k] * s[at + k * w + b]
                    v += dp[place + i * n + k] * s[at + k * w + b]
                    v += p[place + i * n + k] * ds[at + k * w + b]
                t[i, b] = u
                dt[i, b] = v
        for e in range(lptr[g], lptr[g + 1]):
            h, o, base = lnode[e], loff[e], lpos[e]
            wh = cptr[h + 1] - cptr[h]
            touched[h] = True
            for i in range(q[h]):
                row = sptr[h] + i * wh
                for k in range(n):
                    u, v = s[at + k * w + o + i], ds[at + k * w + o + i]
                    for b in range(o, w):
                        ds[row + pos[base + b - o]] -= u * dt[k, b] + v * t[k, b]
        for i in range(split[g], w):
            row = cols[start + i] - dense_first[0]
            for k in range(n):
                u, v = s[at + k * w + i], ds[at + k * w + i]
                for b in range(i, w):
                    ddense[row, cols[start + b] - dense_first[0]] -= u * dt[k, b] + v * t[k, b]


def tangent_backward(
    shape: Shape,
    d: Array,
    dd: Array,
    moved: Flags,
    s: Array,
    ainv: Array,
    ds: Array,
    dp: Array,
    touched: Flags,
    dense_c: Array,
    ddense_c: Array,
    c: Array,
    dc: Array,
    dgammas: Array,
    stop: int,
) -> None:
    """Derivative of `loops.conditional` for the nodes from ``stop`` on: fills ``dc``, adds to ``dgammas`` (F, qmax, qmax)."""
    q, factor, cptr, cols, sptr, iptr, split, lptr, lnode, loff, lpos, pos, widest, dense_first = shape
    size = d.shape[1]
    nl, x, dnl, dx = np.empty((4, size, widest[0]))
    da, half, dhalf = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
    for g in range(len(q) - 1, stop - 1, -1):
        n, w, at, place, start, f = q[g], cptr[g + 1] - cptr[g], sptr[g], iptr[g], cptr[g], factor[g]
        own, lower = moved[f], moved[f] or touched[g]
        if lower:  # d(A^-1) = -A^-1 (dS D + S dD) A^-1
            for i in range(n):
                for j in range(n):
                    v = 0.0
                    for k in range(n):
                        v += ds[at + i * w + k] * d[f, k, j] + s[at + i * w + k] * dd[f, k, j]
                    half[i, j] = v
            for i in range(n):
                for j in range(n):
                    v = 0.0
                    for k in range(n):
                        for m in range(n):
                            v -= ainv[place + i * n + k] * half[k, m] * ainv[place + m * n + j]
                    da[i, j] = v
        for i in range(n):
            for b in range(w):
                u, v = 0.0, 0.0
                for k in range(n):
                    u += ainv[place + i * n + k] * s[at + k * w + b]
                    if lower:
                        v += da[i, k] * s[at + k * w + b] + ainv[place + i * n + k] * ds[at + k * w + b]
                nl[i, b], dnl[i, b], x[i, b], dx[i, b] = u, v, 0.0, 0.0
        for e in range(lptr[g], lptr[g + 1]):
            h, o, base = lnode[e], loff[e], lpos[e]
            wh = cptr[h + 1] - cptr[h]
            for a in range(q[h]):
                row = sptr[h] + a * wh
                for b in range(o, w):
                    to = row + pos[base + b - o]
                    u, v = c[to], dc[to]
                    for i in range(n):
                        x[i, b] += nl[i, o + a] * u
                        dx[i, b] += nl[i, o + a] * v + dnl[i, o + a] * u
                        if b >= o + q[h]:
                            x[i, o + a] += nl[i, b] * u
                            dx[i, o + a] += nl[i, b] * v + dnl[i, b] * u
        for a in range(split[g], w):
            row = cols[start + a] - dense_first[0]
            for i in range(n):
                for b in range(split[g], a + 1):  # symmetric: each entry serves both
                    to = cols[start + b] - dense_first[0]
                    u, v = dense_c[row, to], ddense_c[row, to]
                    x[i, a] += nl[i, b] * u
                    dx[i, a] += nl[i, b] * v + dnl[i, b] * u
                    if b < a:
                        x[i, b] += nl[i, a] * u
                        dx[i, b] += nl[i, a] * v + dnl[i, a] * u
        for i in range(n):
            for j in range(n):
                u, v = 0.0, 0.0
                for b in range(n, w):
                    u += x[i, b] * nl[j, b]
                    v += dx[i, b] * nl[j, b] + x[i, b] * dnl[j, b]
                half[i, j], dhalf[i, j] = u, v
                dgammas[f, i, j] += dnl[i, j] - v
        for i in range(n):
            for j in range(n):
                v = dp[place + i * n + j] if lower else 0.0
                for k in range(n):
                    for m in range(n):
                        v += d[f, i, k] * dhalf[k, m] * d[f, m, j]
                        if own:
                            v += dd[f, i, k] * half[k, m] * d[f, m, j]
                            v += d[f, i, k] * half[k, m] * dd[f, m, j]
                dc[at + i * w + j] = v
            for b in range(n, w):
                v = 0.0
                for k in range(n):
                    v += d[f, i, k] * dx[k, b]
                    if own:
                        v += dd[f, i, k] * x[k, b]
                dc[at + i * w + b] = -v
