"""Elimination of the top level: `kernels.upper_level` where only the sums over its groups are wanted.

Every term that runs through a group is ``V + V'`` of one ``V = Y'M``, so the sum over all groups is one product of
two tall matrices, where `kernels.upper_level` takes a small product for each group and each pair of entries. In the
notation of `kernels`, with ``X = C'dS H``::

    S - N              M = D C'S / 2
    dS - dN, lower     M = D (C'dS + X) / 2; the same of the second derivatives of S
    -dN, own           M = E Y / 2
    -ddN, mixed        M = E A^-1 X
    -ddN, own          M = -E Naa E Y

Two lower entries have ``X'P X`` besides, which is one product for all of them as well.
"""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.linalg.kernels import inverse_and_logdet, lower_triangle

#: Columns from which this is quicker than the compiled loops, however many groups there are.
NARROW = 10


def top_level(
    s: Array, ds: Array, dds: Array, c: Array, d: Array, e: Array, order: int
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Eliminate one level and add up all its groups.

    Parameters
    ----------
    s, ds, dds, c, d, e, order
        As in `kernels.upper_level`.

    Returns
    -------
    tuple
        ``l, dl, ddl, n, dn, ddn`` as in `kernels.upper_level`, the last three summed over the groups: (1, k, k),
        (1, m + o, k, k) and (1, pairs, k, k).
    """
    groups, k, q, lower, own = len(s), s.shape[-1], len(d), ds.shape[1], len(e)
    cs = (s @ c).transpose(0, 2, 1)
    saa = cs @ c
    inverse, logdet = inverse_and_logdet(np.eye(q) + saa @ d)
    y, naa = inverse @ cs, inverse @ saa
    middles = [0.5 * (d @ cs)[:, :, None]]
    none = np.zeros((1, 0, k, k))
    if order == 0:
        n = s.sum(axis=0) - _both(y, middles)
        return float(logdet.sum()), np.zeros(0), np.zeros((0, 0)), n, none, none
    below = np.concatenate([ds, dds], axis=1) if order == 2 else ds
    p = d @ inverse
    x, middle, dsaa = _through(below, c, d, y)
    ey = (e.reshape(own * q, q) @ y).reshape(groups, own, q, k).transpose(0, 2, 1, 3)
    middles += [middle, 0.5 * ey]
    traces = np.einsum("jab,jmba->m", p, dsaa)
    dl = np.concatenate([traces[:lower], e.reshape(own, -1) @ naa.sum(axis=0).ravel()])
    if order == 1:
        both = _both(y, middles)
        dn = np.concatenate([ds.sum(axis=0), np.zeros((own, k, k))]) - both[1:]
        ddl = np.zeros((lower + own, lower + own))
        return float(logdet.sum()), dl, ddl, s.sum(axis=0) - both[:1], dn[None], none
    low_y = _left(inverse, x[:, :, :lower])
    ddl = _ddl(p, dsaa[:, :lower], traces[lower:], low_y @ c, naa, e)
    both = _both(y, [*middles, _mixed(e, low_y), _own(e, naa, ey)])
    n, dn, ddn = _in_order(both, s, below, lower, own)
    ddn[: below.shape[1] - lower] -= _cross(x[:, :, :lower], _left(d, low_y))
    return float(logdet.sum()), dl, ddl, n, dn[None], ddn[None]


def _left(a: Array, x: Array) -> Array:
    """``A x`` of each group and entry; shapes (J, q, q) or (q, q), and (J, q, count, k)."""
    out: Array = (a @ x.reshape(len(x), x.shape[1], -1)).reshape(x.shape)
    return out


def _both(y: Array, middles: list[Array]) -> Array:
    """``V + V'`` with ``V = Y'M`` summed over the groups, for every middle; shape (count, k, k).

    Parameters
    ----------
    y : ndarray, shape (J, q, k)
    middles : list of ndarray, shape (J, q, some, k)
    """
    k = y.shape[-1]
    stacked = np.concatenate(middles, axis=2)
    half = y.reshape(-1, k).T @ stacked.reshape(-1, stacked.shape[2] * k)
    v = half.reshape(k, -1, k).transpose(1, 0, 2)
    return v + v.transpose(0, 2, 1)


def _through(below: Array, c: Array, d: Array, y: Array) -> tuple[Array, Array, Array]:
    """Of derivatives ``dS``, shape (J, m, k, k): ``X`` and their middles (J, q, m, k), and ``C'dS C`` (J, m, q, q)."""
    groups, m, k = below.shape[:3]
    q = len(d)
    right = below @ c
    cds = right.transpose(0, 3, 1, 2)
    dsaa = c.T @ right
    inner = dsaa.transpose(0, 2, 1, 3).reshape(groups, q * m, q) @ (d @ y)
    x = cds - inner.reshape(groups, q, m, k)
    return x, 0.5 * _left(d, cds + x), dsaa


def _mixed(e: Array, low_y: Array) -> Array:
    """``E A^-1 X`` of each own entry and each lower one, lower ones first to move."""
    groups, q, lower, k = low_y.shape
    made = e.reshape(-1, q) @ low_y.reshape(groups, q, lower * k)
    return made.reshape(groups, len(e), q, lower, k).transpose(0, 2, 1, 3, 4).reshape(groups, q, -1, k)


def _own(e: Array, naa: Array, ey: Array) -> Array:
    """``-E_i Naa E_j Y`` of each pair of own entries, row by row of the lower triangle."""
    groups, q, own, k = ey.shape
    right = e.reshape(own * q, q) @ (naa @ ey.reshape(groups, q, own * k))
    rows, cols = lower_triangle(own)
    pairs = right.reshape(groups, own, q, own, k).transpose(0, 2, 1, 3, 4)[:, :, rows, cols]
    return -pairs


def _cross(x: Array, px: Array) -> Array:
    """``X_i'P X_j`` and its transpose, summed over the groups, of each pair of lower entries."""
    groups, q, lower, k = x.shape
    products = x.reshape(groups * q, lower * k).T @ px.reshape(groups * q, lower * k)
    rows, cols = lower_triangle(lower)
    half = products.reshape(lower, k, lower, k).transpose(0, 2, 1, 3)[rows, cols]
    return half + half.transpose(0, 2, 1)


def _ddl(p: Array, dsaa: Array, traces: Array, low_naa: Array, naa: Array, e: Array) -> Array:
    """Second derivatives of the log-determinant; ``traces`` are those of the second derivatives of ``S``."""
    lower, own, q = dsaa.shape[1], len(e), len(p[0])
    out = np.zeros((lower + own, lower + own))
    pdsaa = (p[:, None] @ dsaa).transpose(1, 0, 2, 3)
    flat, size = e.reshape(own, -1), p.size
    out[:lower, :lower] = -pdsaa.reshape(lower, size) @ pdsaa.transpose(0, 1, 3, 2).reshape(lower, size).T
    rows, cols = lower_triangle(lower)
    out[rows, cols] += traces
    out[cols, rows] = out[rows, cols]
    out[lower:, :lower] = flat @ low_naa.sum(axis=0).transpose(2, 0, 1).reshape(q * q, lower)
    out[:lower, lower:] = out[lower:, :lower].T
    n = naa.reshape(-1, q * q)
    fourth = (n.T @ n).reshape(q, q, q, q).transpose(3, 0, 1, 2).reshape(q * q, q * q)
    out[lower:, lower:] = -flat @ fourth @ flat.T
    return out


def _in_order(both: Array, s: Array, below: Array, lower: int, own: int) -> tuple[Array, Array, Array]:
    """``N``, its first and second derivatives in the order of `kernels.upper_level`, without ``X'P X``."""
    down = below.sum(axis=0)
    at = 1 + len(down)
    down -= both[1:at]
    dn = np.concatenate([down[:lower], -both[at : at + own]])
    rows, cols = lower_triangle(lower + own)
    ddn = np.empty((len(rows), *down.shape[1:]))
    ddn[rows < lower] = down[lower:]
    mixed = at + own + own * lower
    ddn[(rows >= lower) & (cols < lower)] = -both[at + own : mixed]
    ddn[cols >= lower] = -both[mixed:]
    return s.sum(axis=0) - both[:1], dn, ddn
