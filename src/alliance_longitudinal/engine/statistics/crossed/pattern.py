"""Where everything lies: rows of the sparse nodes, places that an elimination adds to, columns of the dense block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.statistics.crossed.ordering import Ordering

Long = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Layout of the elimination; scalars are effects in elimination order.

    Attributes
    ----------
    q, factor, first : ndarray of int, shape (N,)
        Of every node, dense ones included: effects, factor, first scalar.
    sparse : int
        Nodes before the dense block.
    shape : tuple of ndarray
        What the loops need: ``q, factor`` of the sparse nodes; ``cptr, cols`` their columns; ``sptr, iptr`` where their rows
        and q by q blocks begin; ``split`` where columns of the dense block begin; ``lptr, lnode, loff, lpos, pos`` the
        sparse nodes that each meets, at which column, and where that node has this one's columns; the largest width; the
        first scalar of the dense block.
    """

    q: Long
    factor: Long
    first: Long
    sparse: int
    shape: tuple[Long, ...]

    @property
    def scalars(self) -> int:
        """Number of effects."""
        return int(self.q.sum())

    @property
    def dense_first(self) -> int:
        """First scalar of the dense block."""
        return int(self.shape[-1][0])

    @property
    def row_size(self) -> int:
        """Numbers in all rows of the sparse nodes."""
        return int(self.shape[4][-1])

    def places(self, rows: Long, columns: Long) -> Long:
        """Where entries (scalar row of a sparse node, scalar column of that node or later) lie in the flat rows."""
        cptr, cols, sptr = self.shape[2], self.shape[3], self.shape[4]
        node = np.searchsorted(self.first, rows, side="right") - 1
        at = _find(cptr, cols, node, columns, self.scalars)
        return np.asarray(sptr[node] + (rows - self.first[node]) * np.diff(cptr)[node] + at)


def lay_out(ordering: Ordering, q: Long, factor: Long) -> Pattern:
    """Lay out the elimination of nodes with ``q`` effects of a ``factor`` each (both in the given order of nodes)."""
    q, factor = q[ordering.order].astype(np.int64), factor[ordering.order].astype(np.int64)
    count = ordering.sparse
    first = np.concatenate([[0], np.cumsum(q)])[:-1].astype(np.int64)
    node, meets = _with_own(ordering)
    cptr_nodes = np.searchsorted(node, np.arange(count + 1))
    cols, widths = _expand(first[meets], q[meets])
    edge_starts = np.concatenate([[0], np.cumsum(widths)])
    cptr = edge_starts[cptr_nodes].astype(np.int64)
    width = np.diff(cptr)
    total = int(q.sum())
    dense_first = int(first[count]) if count < len(q) else total
    sptr = np.concatenate([[0], np.cumsum(q[:count] * width)]).astype(np.int64)
    iptr = np.concatenate([[0], np.cumsum(q[:count] ** 2)]).astype(np.int64)
    in_sparse = (meets < count) & (meets != node)
    g, h = node[in_sparse], meets[in_sparse]
    off = (edge_starts[:-1][in_sparse] - cptr[g]).astype(np.int64)
    lengths = width[g] - off
    local, _ = _expand(cptr[g] + off, lengths)
    pos = _find(cptr, cols, np.repeat(h, lengths), cols[local], total)
    lpos = np.concatenate([[0], np.cumsum(lengths)])[:-1].astype(np.int64)
    dense_width = np.bincount(node[meets >= count], weights=q[meets[meets >= count]], minlength=count)
    shape = (
        q[:count].copy(),
        factor[:count].copy(),
        cptr,
        cols,
        sptr,
        iptr,
        (width - dense_width[:count]).astype(np.int64),
        np.searchsorted(g, np.arange(count + 1)).astype(np.int64),
        h.astype(np.int64),
        off,
        lpos,
        pos,
        np.array([width.max(initial=1)], dtype=np.int64),
        np.array([dense_first], dtype=np.int64),
    )
    return Pattern(q, factor, first, count, shape)


def _with_own(ordering: Ordering) -> tuple[Long, Long]:
    """Pairs of the ordering and each sparse node with itself, sorted."""
    own = np.arange(ordering.sparse)
    node = np.concatenate([ordering.meets[0], own])
    meets = np.concatenate([ordering.meets[1], own])
    by = np.lexsort([meets, node])
    return node[by].astype(np.int64), meets[by].astype(np.int64)


def _expand(starts: Long, lengths: Long) -> tuple[Long, Long]:
    """Ranges of the given starts and lengths, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return (np.arange(total) - np.repeat(ends - lengths - starts, lengths)).astype(np.int64), lengths


def _find(cptr: Long, cols: Long, node: Long, columns: Long, total: int) -> Long:
    """Places of columns among the (sorted) columns of nodes."""
    keys = np.repeat(np.arange(len(cptr) - 1), np.diff(cptr)) * total + cols
    return np.asarray(np.searchsorted(keys, node * total + columns) - cptr[node]).astype(np.int64)
