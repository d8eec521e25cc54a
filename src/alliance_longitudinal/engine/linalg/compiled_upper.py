"""Elimination of an upper level, compiled: `kernels.upper_level` for many groups, side by side in lanes.

The same equations with ``H = I - C D Y`` used as the low-rank update that it is: ``S H = S - (S C) (D Y)``.
"""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.linalg.compiled import invert, jit
from alliance_longitudinal.engine.linalg.threads import share

#: Groups side by side, one piece of work.
LANES = 32


def upper_level(
    s: Array, ds: Array, dds: Array, c: Array, d: Array, e: Array, order: int
) -> tuple[float, Array, Array, Array, Array, Array]:
    """One upper level; see `kernels.upper_level`."""
    groups, k = len(s), s.shape[-1]
    lower, own = ds.shape[1], len(e)
    total = lower + own if order else 0
    pairs = total * (total + 1) // 2 if order == 2 else 0
    n, dn, ddn = np.empty((groups, k, k)), np.empty((groups, total, k, k)), np.empty((groups, pairs, k, k))
    count = -(-groups // LANES)
    logdet, dl, ddl = np.zeros(count), np.zeros((count, total)), np.zeros((count, total, total))
    fixed = [np.ascontiguousarray(a) for a in (s, ds, dds)]
    same = [np.repeat(a[..., None], LANES, axis=-1) for a in (c, d, e)]
    share(
        lambda a, b: _pieces(*fixed, *same, order, a, b, n, dn, ddn, logdet, dl, ddl),
        count,
        4,
    )
    first, second = dl.sum(axis=0), ddl.sum(axis=0)
    if not order:
        first, second = np.zeros(0), np.zeros((0, 0))
    elif order == 1:
        second = np.zeros((total, total))
    return float(logdet.sum()), first, second, n, dn, ddn


@jit
def _matrices(rows: int, columns: int) -> Array:
    return np.empty((rows, columns, LANES))


@jit
def _stacks(count: int, rows: int, columns: int) -> Array:
    return np.empty((count, rows, columns, LANES))


@jit
def _product(a: Array, b: Array, out: Array) -> None:
    """``out = a @ b`` in every lane."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for x in range(LANES):
                out[i, j, x] = a[i, 0, x] * b[0, j, x]
            for h in range(1, a.shape[1]):
                for x in range(LANES):
                    out[i, j, x] += a[i, h, x] * b[h, j, x]


@jit
def _transposed_product(a: Array, b: Array, out: Array) -> None:
    """``out = a.T @ b`` in every lane."""
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            for x in range(LANES):
                out[i, j, x] = a[0, i, x] * b[0, j, x]
            for h in range(1, a.shape[0]):
                for x in range(LANES):
                    out[i, j, x] += a[h, i, x] * b[h, j, x]


@jit
def _trace(a: Array, b: Array, lanes: int) -> float:
    """Trace of a product, summed over the lanes."""
    out = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for x in range(lanes):
                out += a[i, j, x] * b[j, i, x]
    return out


@jit
def _through(s: Array, c: Array, dy: Array, sc: Array, x: Array, out: Array) -> None:
    """``out = H' S H``, with ``sc = S C`` and ``x = C'S H`` on the way."""
    q, k = dy.shape[0], dy.shape[1]
    _product(s, c, sc)
    for a in range(k):
        for b in range(k):
            for v in range(LANES):
                out[a, b, v] = s[a, b, v]
            for i in range(q):
                for v in range(LANES):
                    out[a, b, v] -= sc[a, i, v] * dy[i, b, v]
    _transposed_product(c, out, x)
    for a in range(k):
        for b in range(a + 1):
            for i in range(q):
                for v in range(LANES):
                    out[a, b, v] -= dy[i, a, v] * x[i, b, v]
            for v in range(LANES):
                out[b, a, v] = out[a, b, v]


@jit
def _symmetric(left: Array, right: Array, sign: float, out: Array) -> None:
    """``out = sign (left'right + right'left)``."""
    q, k = left.shape[0], left.shape[1]
    for a in range(k):
        for b in range(a + 1):
            for v in range(LANES):
                out[a, b, v] = 0.0
            for i in range(q):
                for v in range(LANES):
                    out[a, b, v] += sign * (left[i, a, v] * right[i, b, v] + right[i, a, v] * left[i, b, v])
            for v in range(LANES):
                out[b, a, v] = out[a, b, v]


@jit
def _load(source: Array, at: int, lanes: int, out: Array) -> None:
    """Matrices of the groups from ``at`` on, into lanes; the last ones are repeated to fill up."""
    for x in range(LANES):
        g = at + min(x, lanes - 1)
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j, x] = source[g, i, j]


@jit
def _store(values: Array, at: int, lanes: int, out: Array) -> None:
    """The way back."""
    for x in range(lanes):
        for i in range(values.shape[0]):
            for j in range(values.shape[1]):
                out[at + x, i, j] = values[i, j, x]


@jit
def _pieces(
    s: Array,
    ds: Array,
    dds: Array,
    c: Array,
    d: Array,
    e: Array,
    order: int,
    begin: int,
    end: int,
    n: Array,
    dn: Array,
    ddn: Array,
    logdet: Array,
    dl: Array,
    ddl: Array,
) -> None:
    """Groups of the pieces ``begin`` to ``end``."""
    k, q = c.shape[0], c.shape[1]
    lower, own = ds.shape[1], e.shape[0]
    sl, nl, scratch = _matrices(k, k), _matrices(k, k), _matrices(k, k)
    sc, nc, cs, dy, y = _matrices(k, q), _matrices(k, q), _matrices(q, k), _matrices(q, k), _matrices(q, k)
    saa, a, inverse, p = _matrices(q, q), _matrices(q, q), _matrices(q, q), _matrices(q, q)
    naa, small, det = _matrices(q, q), _matrices(q, q), np.empty(LANES)
    x, px, low_y = _stacks(lower, q, k), _stacks(lower, q, k), _stacks(lower, q, k)
    pdsaa, low_naa = _stacks(lower, q, q), _stacks(lower, q, q)
    ey, en, one = _stacks(own, q, k), _stacks(own, q, q), _matrices(q, q)
    for i in range(q):
        for j in range(q):
            for v in range(LANES):
                one[i, j, v] = 1.0 if i == j else 0.0
    for piece in range(begin, end):
        at = piece * LANES
        lanes = min(LANES, s.shape[0] - at)
        _load(s, at, lanes, sl)
        _product(sl, c, sc)
        _transposed_product(c, sl, cs)
        _product(cs, c, saa)
        _product(saa, d, a)
        for i in range(q):
            for v in range(LANES):
                a[i, i, v] += 1.0
        invert(a, LANES, inverse, det)
        for v in range(lanes):
            logdet[piece] += np.log(det[v])
        _product(inverse, cs, y)
        _product(d, y, dy)
        _product(sc, dy, scratch)
        for i in range(k):
            for j in range(i + 1):
                for v in range(LANES):
                    nl[i, j, v] = sl[i, j, v] - 0.5 * (scratch[i, j, v] + scratch[j, i, v])
                    nl[j, i, v] = nl[i, j, v]
        _store(nl, at, lanes, n)
        if order == 0:
            continue
        _product(d, inverse, p)
        _product(nl, c, nc)
        _transposed_product(c, nc, naa)
        for t in range(lower):
            _load(ds[:, t], at, lanes, sl)
            _through(sl, c, dy, sc, x[t], scratch)
            _store(scratch, at, lanes, dn[:, t])
            _transposed_product(c, sc, small)
            _product(p, small, pdsaa[t])
            dl[piece, t] += _trace(pdsaa[t], one, lanes)
        for t in range(own):
            _product(e[t], y, ey[t])
            _product(e[t], naa, en[t])
            _symmetric(y, ey[t], -0.5, scratch)
            _store(scratch, at, lanes, dn[:, lower + t])
            dl[piece, lower + t] += _trace(en[t], one, lanes)
        if order == 1:
            continue
        for t in range(lower):
            _product(p, x[t], px[t])
            _product(inverse, x[t], low_y[t])
            _product(low_y[t], c, low_naa[t])
        _second(at, lanes, dds, c, e, dy, p, y, x, px, low_y, pdsaa, low_naa, ey, en, ddn, ddl[piece])


@jit
def _second(
    at: int,
    lanes: int,
    dds: Array,
    c: Array,
    e: Array,
    dy: Array,
    p: Array,
    y: Array,
    x: Array,
    px: Array,
    low_y: Array,
    pdsaa: Array,
    low_naa: Array,
    ey: Array,
    en: Array,
    ddn: Array,
    ddl: Array,
) -> None:
    """Second derivatives of one piece."""
    k, q = c.shape[0], c.shape[1]
    lower, own = x.shape[0], e.shape[0]
    sl, scratch, spread = _matrices(k, k), _matrices(k, k), _matrices(k, k)
    sc, small, spare = _matrices(k, q), _matrices(q, q), _matrices(q, k)
    pair = 0
    for i in range(lower):
        for j in range(i + 1):
            _load(dds[:, pair], at, lanes, sl)
            _through(sl, c, dy, sc, spare, spread)
            _symmetric(x[i], px[j], -1.0, scratch)
            scratch += spread
            _store(scratch, at, lanes, ddn[:, pair])
            _transposed_product(c, sc, small)
            ddl[i, j] += _trace(p, small, lanes) - _trace(pdsaa[i], pdsaa[j], lanes)
            pair += 1
    for i in range(own):
        for j in range(lower):
            _symmetric(low_y[j], ey[i], -1.0, scratch)
            _store(scratch, at, lanes, ddn[:, pair])
            ddl[lower + i, j] += _trace(e[i], low_naa[j], lanes)
            pair += 1
        for j in range(i + 1):
            _product(en[i], ey[j], spare)
            _symmetric(y, spare, 1.0, scratch)
            _store(scratch, at, lanes, ddn[:, pair])
            ddl[lower + i, lower + j] -= _trace(en[i], en[j], lanes)
            pair += 1
    for i in range(lower + own):
        for j in range(i):
            ddl[j, i] = ddl[i, j]
