"""The inner loops of `kernels`, compiled: same arguments, same results, for many groups.

Importing this module loads numba, so only large problems do. Groups are worked on in lanes: the same entry of many groups
lies side by side, whatever the sizes of the matrices. Work is cut into pieces of a fixed size, whose sums are added in
their order: results do not depend on the number of threads.
"""

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.linalg.kernels import lower_triangle
from alliance_longitudinal.engine.linalg.threads import share

#: Groups side by side, and most groups in one piece of work.
LANES = 64
PIECE = 4096
_FAST = {"reassoc", "contract", "nsz", "arcp"}


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at first call; keep the machine code beside the package, else in the user's cache, else not at all."""
    try:
        made: Callable[..., Any] = numba.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")(
            function
        )
    except RuntimeError:  # no folder can be written to
        made = numba.njit(nogil=True, fastmath=_FAST, error_model="numpy")(function)
    return made


def pieces(starts: Index) -> tuple[Index, Index]:
    """Cut segments into pieces of at most `PIECE` groups.

    Returns
    -------
    tuple of ndarray
        Where each piece begins (one more at the end), and the first piece of each segment.
    """
    lengths = starts[1:] - starts[:-1]
    if lengths.max() <= PIECE:
        return starts, np.arange(len(lengths))
    counts = np.maximum(1, -(-lengths // PIECE))
    edges = [np.arange(a, b, PIECE) if b > a else [a] for a, b in itertools.pairwise(starts)]
    return np.append(np.concatenate(edges), starts[-1]).astype(np.intp), np.append(0, counts.cumsum()[:-1])


def leaf_level(
    w: Array, saa: Array, s: Array, starts: Index, d: Array, e: Array, order: int
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Innermost groups; see `kernels.leaf_level`."""
    _, q, k = w.shape
    m = len(e) if order else 0
    pairs = m * (m + 1) // 2 if order == 2 else 0
    edges, first = pieces(np.asarray(starts))
    out = np.empty((len(edges) - 1, 1 + m + pairs, k * (k + 1) // 2))
    sums = np.zeros((len(edges) - 1, 1 + q * q))
    fourth = np.zeros((len(edges) - 1, q * q, q * q))
    own, both = _packed_maps(e.tobytes(), e.shape, m, pairs)
    d = np.ascontiguousarray(d)
    share(
        lambda a, b: _leaf_pieces(w, saa, edges, d, own, both, order, a, b, out, sums, fourth),
        len(edges) - 1,
        max(1, 4096 * (len(edges) - 1) // max(1, len(w))),
    )
    if len(first) < len(out):
        out = np.add.reduceat(out, first, axis=0)
    full = _unpack(out, k)
    total = sums.sum(axis=0)
    dl, ddl = np.zeros(len(e)), np.zeros((len(e), len(e)))
    if order >= 1:
        dl = e.reshape(len(e), -1) @ total[1:]
    if order == 2:
        flat = e.reshape(len(e), -1)
        ddl = (
            -flat
            @ fourth.sum(axis=0).reshape(q, q, q, q).transpose(3, 0, 1, 2).reshape(q * q, q * q)
            @ flat.T
        )
    return float(total[0]), dl, ddl, s - full[:, 0], -full[:, 1 : 1 + m], full[:, 1 + m :]


@lru_cache(maxsize=64)
def _packed_maps(directions: bytes, shape: tuple[int, ...], m: int, pairs: int) -> tuple[Array, Array]:
    """Lower triangles of the directions, and of the maps from ``N`` to ``E_i N E_j + E_j N E_i``; not to be written to."""
    e = np.frombuffer(directions).reshape(shape)
    q = e.shape[-1] if len(e) else 1
    lower = np.tril_indices(q)
    own = np.ascontiguousarray(e[:m][:, lower[0], lower[1]]) if m else np.zeros((0, len(lower[0])))
    both = np.zeros((pairs, len(lower[0]), q * q))
    if pairs:
        rows, cols = lower_triangle(m)
        full = np.einsum("tac,tdb->tabcd", e[rows], e[cols]) + np.einsum("tac,tdb->tabcd", e[cols], e[rows])
        both = np.ascontiguousarray(full.reshape(pairs, q, q, q * q)[:, lower[0], lower[1]])
    return own, both


def _unpack(packed: Array, k: int) -> Array:
    rows, cols = lower_triangle(k)
    full = np.empty((*packed.shape[:-1], k, k))
    full[..., rows, cols] = packed
    full[..., cols, rows] = packed
    return full


@jit
def invert(a: Array, lanes: int, inverse: Array, det: Array) -> None:
    """Inverses and determinants of ``a[q, q, lane]``; Gauss-Jordan with pivots beyond 2 by 2."""
    q = a.shape[0]
    if q == 1:
        for x in range(lanes):
            det[x] = a[0, 0, x]
            inverse[0, 0, x] = 1.0 / a[0, 0, x]
        return
    if q == 2:
        for x in range(lanes):
            det[x] = a[0, 0, x] * a[1, 1, x] - a[0, 1, x] * a[1, 0, x]
            r = 1.0 / det[x]
            inverse[0, 0, x] = a[1, 1, x] * r
            inverse[1, 1, x] = a[0, 0, x] * r
            inverse[0, 1, x] = -a[0, 1, x] * r
            inverse[1, 0, x] = -a[1, 0, x] * r
        return
    t = np.empty((q, 2 * q))
    for x in range(lanes):
        for i in range(q):
            for j in range(q):
                t[i, j] = a[i, j, x]
                t[i, q + j] = 1.0 if i == j else 0.0
        product = 1.0
        for i in range(q):
            pivot = i
            for j in range(i + 1, q):
                if abs(t[j, i]) > abs(t[pivot, i]):
                    pivot = j
            if pivot != i:
                product = -product
                for j in range(2 * q):
                    t[i, j], t[pivot, j] = t[pivot, j], t[i, j]
            product *= t[i, i]
            r = 1.0 / t[i, i]
            for j in range(2 * q):
                t[i, j] *= r
            for h in range(q):
                if h != i:
                    f = t[h, i]
                    for j in range(2 * q):
                        t[h, j] -= f * t[i, j]
        det[x] = product
        for i in range(q):
            for j in range(q):
                inverse[i, j, x] = t[i, q + j]


@jit
def _leaf_pieces(
    w: Array,
    saa: Array,
    edges: Index,
    d: Array,
    own: Array,
    both: Array,
    order: int,
    begin: int,
    end: int,
    out: Array,
    sums: Array,
    fourth: Array,
) -> None:
    """Pieces ``begin`` to ``end``: packed sums of ``Y'MY``, of log-determinants and ``N``, and of products of ``N``."""
    q, k = w.shape[1], w.shape[2]
    m, pairs, small = own.shape[0], both.shape[0], q * (q + 1) // 2
    wl, al = np.empty((q, k, LANES)), np.empty((q, q, LANES))
    a, inverse, det = np.empty((q, q, LANES)), np.empty((q, q, LANES)), np.empty(LANES)
    y, n, sd = np.empty((q, k, LANES)), np.empty((q * q, LANES)), np.empty((q, q, LANES))
    middle = np.empty((1 + pairs, small, LANES))
    for piece in range(begin, end):
        acc, total, four = out[piece], sums[piece], fourth[piece]
        acc[:] = 0.0
        for low in range(edges[piece], edges[piece + 1], LANES):
            lanes = min(LANES, edges[piece + 1] - low)
            for x in range(lanes):
                for i in range(q):
                    for c in range(k):
                        wl[i, c, x] = w[low + x, i, c]
                    for j in range(q):
                        al[i, j, x] = saa[low + x, i, j]
            for i in range(q):
                for j in range(q):
                    for x in range(lanes):
                        sd[i, j, x] = 0.0
                    for h in range(q):
                        f = d[h, j]
                        for x in range(lanes):
                            sd[i, j, x] += al[i, h, x] * f
                    one = 1.0 if i == j else 0.0
                    for x in range(lanes):
                        a[i, j, x] = sd[i, j, x] + one
            invert(a, lanes, inverse, det)
            for x in range(lanes):
                total[0] += np.log(det[x])
            for i in range(q):
                for c in range(k):
                    for x in range(lanes):
                        y[i, c, x] = inverse[i, 0, x] * wl[0, c, x]
                    for h in range(1, q):
                        for x in range(lanes):
                            y[i, c, x] += inverse[i, h, x] * wl[h, c, x]
            at = 0
            for i in range(q):  # D + D S D
                for j in range(i + 1):
                    f = d[i, j]
                    for x in range(lanes):
                        middle[0, at, x] = f
                    for h in range(q):
                        f = d[i, h]
                        for x in range(lanes):
                            middle[0, at, x] += f * sd[h, j, x]
                    at += 1
            if order > 0:
                for i in range(q):
                    for j in range(q):
                        for x in range(lanes):
                            n[i * q + j, x] = inverse[i, 0, x] * al[0, j, x]
                        for h in range(1, q):
                            for x in range(lanes):
                                n[i * q + j, x] += inverse[i, h, x] * al[h, j, x]
                        part = 0.0
                        for x in range(lanes):
                            part += n[i * q + j, x]
                        total[1 + i * q + j] += part
            if order > 1:
                for i in range(q * q):
                    for j in range(q * q):
                        part = 0.0
                        for x in range(lanes):
                            part += n[i, x] * n[j, x]
                        four[i, j] += part
                for t in range(pairs):
                    for g in range(small):
                        for x in range(lanes):
                            middle[1 + t, g, x] = 0.0
                        for h in range(q * q):
                            f = both[t, g, h]
                            if f != 0.0:
                                for x in range(lanes):
                                    middle[1 + t, g, x] += f * n[h, x]
            _add_products(y, middle, own, lanes, m, pairs, acc)


@jit
def _add_products(y: Array, middle: Array, own: Array, lanes: int, m: int, pairs: int, acc: Array) -> None:
    """Add ``y'My`` over the lanes, for every middle and every entry of the lower triangle."""
    q, k = y.shape[0], y.shape[1]
    small = q * (q + 1) // 2
    outer = np.empty((small, LANES))
    entry = 0
    for c in range(k):
        for b in range(c + 1):
            at = 0
            for i in range(q):
                for j in range(i):
                    for x in range(lanes):
                        outer[at, x] = y[i, c, x] * y[j, b, x] + y[j, c, x] * y[i, b, x]
                    at += 1
                for x in range(lanes):
                    outer[at, x] = y[i, c, x] * y[i, b, x]
                at += 1
            for g in range(small):
                part = 0.0
                for x in range(lanes):
                    part += middle[0, g, x] * outer[g, x]
                acc[0, entry] += part
                if m > 0:
                    part = 0.0
                    for x in range(lanes):
                        part += outer[g, x]
                    for t in range(m):
                        acc[1 + t, entry] += own[t, g] * part
                for t in range(pairs):
                    part = 0.0
                    for x in range(lanes):
                        part += middle[1 + t, g, x] * outer[g, x]
                    acc[1 + m + t, entry] += part
            entry += 1
