"""The inner loops: elimination of grouping levels with exact first and second derivatives.

Arrays in, arrays out. Many groups are left to the compiled loops of `compiled` and `compiled_upper`; the functions on
NumPy here are their reference, and serve small problems, which are done before a compiler would be loaded. A random term acts on a cross-product matrix ``S`` through a
matrix ``C`` (its design in the basis of ``S``) and its relative covariance ``D``::

    A = I + C'SC D      Y = A^-1 C'S      N = S - (C'S)' D Y      log-determinant += log det A

``A`` is never singular, ``D`` may be (or be zero). Derivatives are with respect to entries of ``D``, each
entry a symmetric direction ``E``. With ``P = D A^-1`` and ``H = I - C D Y`` (so that ``N = S H``)::

    own entry            dN = -Y'E Y                       dl = tr(E Naa),   Naa = C'NC
    entry of a lower one dN = H' dS H                      dl = tr(P C'dS C)

and the second derivatives by the product rule. Checked against finite differences in the tests.
"""

from functools import lru_cache

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index

#: Innermost groups, and groups of a level above them, from which the compiled loops are worth loading.
MANY_LEAVES = 3000
MANY_GROUPS = 3000


@lru_cache(maxsize=64)
def lower_triangle(size: int) -> tuple[Index, Index]:
    """Rows and columns of a lower triangle, row by row; not to be written to."""
    rows, cols = np.tril_indices(size)
    return rows, cols


@lru_cache(maxsize=64)
def pair_places(size: int) -> Index:
    """Where each entry of a symmetric matrix stands in its lower triangle, row by row; not to be written to."""
    rows, cols = np.maximum.outer(range(size), range(size)), np.minimum.outer(range(size), range(size))
    return np.asarray(rows * (rows + 1) // 2 + cols, dtype=np.intp)


def inverse_and_logdet(a: Array) -> tuple[Array, Array]:
    """Inverses and log-determinants of a stack of small matrices with positive determinants.

    Parameters
    ----------
    a : ndarray, shape (J, q, q)
    """
    q = a.shape[-1]
    if q == 1:
        return 1.0 / a, np.log(a[:, 0, 0])
    if q == 2:
        det = a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0]
        inverse = np.empty_like(a)
        inverse[:, 0, 0] = a[:, 1, 1]
        inverse[:, 1, 1] = a[:, 0, 0]
        inverse[:, 0, 1] = -a[:, 0, 1]
        inverse[:, 1, 0] = -a[:, 1, 0]
        inverse /= det[:, None, None]
        return inverse, np.log(det)
    logdet: Array = np.linalg.slogdet(a)[1]
    return np.asarray(np.linalg.inv(a)), logdet


def leaf_level(
    w: Array,
    saa: Array,
    s: Array,
    starts: Index,
    d: Array,
    e: Array,
    order: int,
    compiled: bool | None = None,
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Eliminate the innermost groups and add them up within their parents.

    Parameters
    ----------
    w : ndarray, shape (J, q, k)
        ``C'S`` of each innermost group.
    saa : ndarray, shape (J, q, q)
        ``C'SC`` of each innermost group.
    s : ndarray, shape (P, k, k)
        Cross-products of each parent, summed over its groups.
    starts : ndarray of int, shape (P + 1,)
        Where each parent's groups begin; the last entry is J.
    d : ndarray, shape (q, q)
    e : ndarray, shape (m, q, q)
        Symmetric directions, one for each free entry of ``d``.
    order : {0, 1, 2}
        Highest derivative wanted.
    compiled : bool, optional
        Whether to use the compiled loops; without it they are used for many groups.

    Returns
    -------
    tuple
        ``l`` (float), ``dl`` (m,), ``ddl`` (m, m), ``n`` (P, k, k), ``dn`` (P, m, k, k) and ``ddn``
        (P, m(m+1)/2, k, k), pairs in row-major order of the lower triangle.
    """
    if len(w) >= MANY_LEAVES if compiled is None else compiled:
        from alliance_longitudinal.engine.linalg import compiled as loops

        return loops.leaf_level(w, saa, s, starts, d, e, order)
    q = w.shape[1]
    m = len(e)
    pairs = m * (m + 1) // 2
    inverse, logdet = inverse_and_logdet(np.eye(q) + saa @ d)
    y = inverse @ w
    naa = (inverse @ saa).reshape(-1, q * q)
    counts = (1, 1 + m, 1 + m + pairs)[order]
    middles = np.empty((len(w), q, counts, q))
    twice = (d[:, None, :, None] * d[:, None, :]).reshape(q * q, q * q)
    middles[:, :, 0] = d + (saa.reshape(-1, q * q) @ twice).reshape(saa.shape)
    dl, ddl = np.zeros(m), np.zeros((m, m))
    if order >= 1:
        middles[:, :, 1 : 1 + m] = e.transpose(1, 0, 2)
        dl = e.reshape(m, -1) @ naa.sum(axis=0)
    if order >= 2:
        middles[:, :, 1 + m :] = (naa @ _pair_map(e.tobytes(), q)).reshape(-1, q, pairs, q)
        fourth = (naa.T @ naa).reshape(q, q, q, q).transpose(3, 0, 1, 2).reshape(q * q, q * q)
        ddl = -e.reshape(m, -1) @ fourth @ e.reshape(m, -1).T
    sums = _segment_sandwich(y, middles, starts)
    return float(logdet.sum()), dl, ddl, s - sums[:, 0], -sums[:, 1 : 1 + m], sums[:, 1 + m :]


@lru_cache(maxsize=64)
def _pair_map(directions: bytes, q: int) -> Array:
    """Linear map from the entries of ``N`` to those of ``E_i N E_j + E_j N E_i``, laid out (q, pair, q)."""
    e = np.frombuffer(directions).reshape(-1, q, q)
    rows, cols = lower_triangle(len(e))
    one_way = np.einsum("tac,tdb->cdatb", e[rows], e[cols])
    other = np.einsum("tac,tdb->cdatb", e[cols], e[rows])
    both: Array = (one_way + other).reshape(q * q, -1)
    return both


def _segment_sandwich(y: Array, middles: Array, starts: Index) -> Array:
    """Sums over each segment of ``y_j' M_j y_j`` for every middle; shape (P, count, k, k).

    Parameters
    ----------
    y : ndarray, shape (J, q, k)
    middles : ndarray, shape (J, q, count, q)
    starts : ndarray of int, shape (P + 1,)
    """
    groups, q, k = y.shape
    count = middles.shape[2]
    right = (middles.reshape(groups, q * count, q) @ y).reshape(groups * q, count * k)
    left = y.reshape(groups * q, k)
    out = np.empty((len(starts) - 1, k, count * k))
    for p in range(len(starts) - 1):
        begin, end = starts[p] * q, starts[p + 1] * q
        np.matmul(left[begin:end].T, right[begin:end], out=out[p])
    stacked = out.reshape(-1, k, count, k).transpose(0, 2, 1, 3)
    return 0.5 * (stacked + stacked.transpose(0, 1, 3, 2))


def upper_level(
    s: Array,
    ds: Array,
    dds: Array,
    c: Array,
    d: Array,
    e: Array,
    order: int,
    compiled: bool | None = None,
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Eliminate one level whose cross-products already depend on the entries of lower levels.

    Parameters
    ----------
    s : ndarray, shape (J, k, k)
    ds : ndarray, shape (J, m, k, k)
        First derivatives in the m lower entries.
    dds : ndarray, shape (J, m(m+1)/2, k, k)
        Second derivatives.
    c : ndarray, shape (k, q)
    d : ndarray, shape (q, q)
    e : ndarray, shape (o, q, q)
        Directions of the o entries of this level.
    order : {0, 1, 2}
    compiled : bool, optional
        As in `leaf_level`.

    Returns
    -------
    tuple
        ``l, dl, ddl, n, dn, ddn`` as in `leaf_level`, for each group, entries of lower levels first.
    """
    if len(s) >= MANY_GROUPS if compiled is None else compiled:
        from alliance_longitudinal.engine.linalg import compiled_upper as loops

        return loops.upper_level(s, ds, dds, c, d, e, order)
    inverse, logdet = inverse_and_logdet(np.eye(len(d)) + c.T @ (s @ c) @ d)
    y = inverse @ (c.T @ s)
    dy = d @ y
    n = s - (s @ c) @ dy
    n = 0.5 * (n + n.transpose(0, 2, 1))
    lower, own = ds.shape[1], len(e)
    total = lower + own
    k = s.shape[-1]
    if order == 0:
        none = np.zeros((len(s), 0, k, k))
        return float(logdet.sum()), np.zeros(0), np.zeros((0, 0)), n, none, none
    p = d @ inverse
    h = np.eye(k) - c @ dy
    ht = h.transpose(0, 2, 1)
    naa = c.T @ n @ c
    ey = e[None] @ y[:, None]
    yt = y.transpose(0, 2, 1)[:, None]
    dsh = ds @ h[:, None]
    dn = np.concatenate([ht[:, None] @ dsh, -yt @ ey], axis=1)
    dsaa = c.T @ ds @ c
    pdsaa = p[:, None] @ dsaa
    dl = np.concatenate([np.einsum("jmaa->m", pdsaa), np.einsum("mab,jba->m", e, naa)])
    ddl = np.zeros((total, total))
    if order == 1:
        return float(logdet.sum()), dl, ddl, n, dn, np.zeros((len(s), 0, k, k))
    x = c.T @ dsh
    ddl, ddn = _second(p, pdsaa, x, inverse, naa, e, ey, yt, c)
    rows, cols = lower_triangle(lower)
    if lower:
        ddn[:, : len(rows)] += ht[:, None] @ dds @ h[:, None]
        ddsaa = c.T @ dds @ c
        through = np.einsum("jab,jmba->m", p, ddsaa)
        ddl[rows, cols] += through
        off = rows != cols
        ddl[cols[off], rows[off]] += through[off]
    return float(logdet.sum()), dl, ddl, n, dn, ddn


def _second(
    p: Array, pdsaa: Array, x: Array, inverse: Array, naa: Array, e: Array, ey: Array, yt: Array, c: Array
) -> tuple[Array, Array]:
    """Second derivatives without the term that carries the lower levels' own second derivatives."""
    lower, own = x.shape[1], len(e)
    total = lower + own
    rows, cols = lower_triangle(total)
    low, mixed, high = rows < lower, (rows >= lower) & (cols < lower), cols >= lower
    en = e @ naa[:, None]
    low_y = inverse[:, None] @ x
    low_naa = low_y @ c
    i, j = rows[low], cols[low]
    halves = [x[:, i].transpose(0, 1, 3, 2) @ (p[:, None] @ x)[:, j]]
    values = [-np.einsum("jtab,jtba->t", pdsaa[:, i], pdsaa[:, j])]
    i, j = rows[mixed] - lower, cols[mixed]
    halves.append(low_y[:, j].transpose(0, 1, 3, 2) @ ey[:, i])
    values.append(np.einsum("tab,jtba->t", e[i], low_naa[:, j]))
    i, j = rows[high] - lower, cols[high] - lower
    halves.append(-yt @ (en[:, i] @ ey[:, j]))
    values.append(-np.einsum("jtab,jtba->t", en[:, i], en[:, j]))
    k = x.shape[-1]
    ddn = np.empty((len(x), len(rows), k, k))
    ddl = np.empty((total, total))
    for which, half, value in zip((low, mixed, high), halves, values, strict=True):
        ddn[:, which] = -(half + half.transpose(0, 1, 3, 2))
        ddl[rows[which], cols[which]] = ddl[cols[which], rows[which]] = value
    return ddl, ddn
