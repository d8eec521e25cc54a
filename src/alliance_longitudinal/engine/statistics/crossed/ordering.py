"""The order of elimination: nodes that meet few others first, in rounds; the rest is one dense block.

A round takes all levels of the largest factor that meet no other level of it: nested chains unwind from inside, and of
crossed factors the largest goes first. When no factor has such levels any more, a round takes those nodes that meet fewer
others than all whom they meet (multiple minimum degree; Liu 1985, ACM Trans Math Softw 11:141-153). A round has to save
more in the dense block than it costs, and to take a good part of the nodes that are left.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Index, Mask

Flags = Mask

#: How much faster a multiplication of the dense block is than one in the loops.
_DENSE_SPEED = 10.0
#: Most pairs of nodes looked at in one round.
_PAIRS = 50_000_000
#: A round by degree takes at least this share of the effects that are left.
_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Ordering:
    """Elimination order.

    Attributes
    ----------
    order : ndarray of int, shape (N,)
        Nodes: those eliminated one by one, then those of the dense block.
    sparse : int
        How many are eliminated one by one.
    meets : tuple of (ndarray, ndarray)
        Pairs (node, later node that it meets) of the former, as places in ``order``.
    """

    order: Index
    sparse: int
    meets: tuple[Index, Index]


def order_nodes(cliques: sparse.csr_array, q: Index, factor: Index) -> Ordering:
    """Order nodes by the graph in which all nodes of a clique (the groups of a row) meet.

    Parameters
    ----------
    cliques : sparse array of ones, shape (C, N)
    q : ndarray of int, shape (N,)
        Effects of each node.
    factor : ndarray of int, shape (N,)
        Factor of each node.
    """
    count = len(q)
    left = np.ones(count, dtype=bool)
    place = np.full(count, -1)
    done, pairs = 0, []
    while left.any():
        cliques = _without_doubles(cliques)
        if float((np.diff(cliques.indptr).astype(float) ** 2).sum()) > _PAIRS:
            break
        meet = sparse.csr_array(cliques.T @ cliques)
        meet.setdiag(0)
        meet.eliminate_zeros()
        chosen = _round(meet, left, q, factor)
        if chosen is None:
            break
        nodes = np.flatnonzero(chosen)
        place[nodes] = np.arange(done, done + len(nodes))
        done += len(nodes)
        rows = meet[nodes]
        pairs.append((np.repeat(nodes, np.diff(rows.indptr)), rows.indices))
        left &= ~chosen
        rows.data[:] = 1
        gone = np.asarray(cliques @ chosen.astype(float)).ravel() > 0
        cliques = sparse.csr_array(sparse.vstack([cliques[~gone], rows], format="csr"))
    rest = np.flatnonzero(left)
    place[rest] = np.arange(done, count)
    first = np.concatenate([a for a, _ in pairs]) if pairs else np.zeros(0, dtype=np.intp)
    second = np.concatenate([b for _, b in pairs]) if pairs else np.zeros(0, dtype=np.intp)
    a, b = place[first], place[second]
    by = np.lexsort([b, a])
    return Ordering(np.argsort(place), done, (a[by], b[by]))


def _without_doubles(cliques: sparse.csr_array) -> sparse.csr_array:
    """Cliques of at least two nodes, each once (told apart by random sums)."""
    key = np.random.default_rng(0).standard_normal(cliques.shape[1])
    size = np.diff(cliques.indptr)
    _, first = np.unique(np.round(np.asarray(cliques @ key).ravel(), 9), return_index=True)
    first = first[size[first] > 1]
    out = sparse.csr_array(cliques[np.sort(first)])
    out.data[:] = 1
    return out


def _round(meet: sparse.csr_array, left: Flags, q: Index, factor: Index) -> Flags | None:
    """Nodes to eliminate next; None when the rest is better left dense."""
    near = np.repeat(np.arange(len(left)), np.diff(meet.indptr))
    same = np.bincount(near, weights=factor[near] == factor[meet.indices], minlength=len(left)) > 0
    free = left & ~same
    effects = np.bincount(factor, weights=q * free)
    for f in np.argsort(-effects, kind="stable"):
        chosen = free & (factor == f)
        if chosen.any() and _worth_it(meet, chosen, left, q):
            return np.asarray(chosen)
    chosen = _fewest(meet, left)
    enough = q[chosen].sum() >= _SHARE * q[left].sum()
    return chosen if enough and _worth_it(meet, chosen, left, q) else None


def _fewest(meet: sparse.csr_array, left: Flags) -> Flags:
    """Nodes that meet fewer others than all whom they meet; ties by number."""
    degree = np.diff(meet.indptr)
    rank = np.empty(len(left), dtype=np.intp)
    rank[np.lexsort([np.arange(len(left)), degree])] = np.arange(len(left))
    least = np.full(len(left), len(left))
    some = np.flatnonzero(degree)
    if len(some):
        least[some] = np.minimum.reduceat(rank[meet.indices], meet.indptr[some])
    return np.asarray(left & (rank < least))


def _worth_it(meet: sparse.csr_array, chosen: Flags, left: Flags, q: Index) -> bool:
    width = np.asarray(meet @ q.astype(float)).ravel()[chosen] + q[chosen]
    cost = float((width**2 * q[chosen]).sum()) / 2
    whole, rest = float(q[left].sum()), float(q[left & ~chosen].sum())
    return cost < (whole**3 - rest**3) / 3 / _DENSE_SPEED
