"""From a design in internal units to the statistics of crossed factors: who meets whom, in which order, cross-products."""

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.statistics.basis import Basis
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.crossed.dense import Run
from alliance_longitudinal.engine.statistics.crossed.elimination import Directions
from alliance_longitudinal.engine.statistics.crossed.ordering import order_nodes
from alliance_longitudinal.engine.statistics.crossed.pattern import Pattern, lay_out
from alliance_longitudinal.errors import FitError

#: Most bytes that an evaluation may take.
MEMORY = 4 * 2**30
#: Matrices of the dense block's size, and copies of the sparse rows, that second derivatives hold at once.
_DENSE_COPIES, _SPARSE_COPIES = 10, 5


def build(design: Design, basis: Basis) -> Crossing:
    """Order the groups and take the cross-products.

    Raises
    ------
    FitError
        What is left dense would not fit into memory.
    """
    terms = tuple(
        tuple(t for t, term in enumerate(design.terms) if term.factor == f)
        for f in range(len(design.factors))
    )
    c = [np.concatenate([basis.c[t] for t in over], axis=1) for over in terms]
    node_first = np.concatenate([[0], np.cumsum([f.size for f in design.factors])])
    factor = np.repeat(np.arange(len(terms)), np.diff(node_first))
    q = np.array([part.shape[1] for part in c])[factor]
    ordering = order_nodes(_cliques(design.factors, node_first), q, factor)
    _refuse_too_large(design.factors, ordering.order, ordering.sparse, ordering.meets, q)
    pattern = lay_out(ordering, q, factor)
    place = np.argsort(ordering.order)
    rows = tuple(
        np.asarray(pattern.first[place[a : a + f.size], None] + np.arange(part.shape[1]), dtype=np.intp)
        for a, f, part in zip(node_first, design.factors, c, strict=False)
    )
    parts = zip(design.factors, c, rows, strict=True)
    z = sum(
        (_spread(f, basis.q @ part, at, pattern.scalars) for f, part, at in parts),
        start=sparse.csr_array((len(design.y), pattern.scalars)),
    )
    return _statistics(design, basis, terms, rows, z, pattern)


def _cliques(factors: tuple[Factor, ...], node_first: Index) -> sparse.csr_array:
    """One row for each combination of groups that occurs in a row of the data, ones at its groups."""
    columns = [np.where(f.members >= 0, f.members + a, -1) for f, a in zip(factors, node_first, strict=False)]
    nodes = np.concatenate(columns, axis=1)
    joint = np.zeros(len(nodes), dtype=np.int64)
    for column in nodes.T:
        joint = np.unique(joint * (int(column.max(initial=0)) + 2) + column + 1, return_inverse=True)[1]
    nodes = nodes[np.unique(joint, return_index=True)[1]]
    row, column = np.nonzero(nodes >= 0)
    shape = (len(nodes), int(node_first[-1]))
    out = sparse.csr_array((np.ones(len(row)), (row, nodes[row, column])), shape=shape)
    out.sum_duplicates()
    out.data[:] = 1
    return out


def _refuse_too_large(
    factors: tuple[Factor, ...], order: Index, alone: int, meets: tuple[Index, Index], q: Index
) -> None:
    """Stop where an evaluation would need more than the allowed memory."""
    dense = int(q[order[alone:]].sum())
    ordered = q[order]
    numbers = float((ordered[meets[0]] * ordered[meets[1]]).sum())
    need = 8.0 * (_DENSE_COPIES * dense**2 + _SPARSE_COPIES * numbers)
    if need > MEMORY:
        names = " and ".join(repr(f.name) for f in factors)
        raise FitError(
            f"The groupings {names} cross so much that {dense:,} random effects hang together; an evaluation would take "
            f"{need / 2**30:.1f} GiB of memory, and at most {MEMORY / 2**30:.0f} GiB are used. Drop a crossed term or a "
            "random slope, or fit parts of the data."
        )


def _spread(factor: Factor, z: Array, at: Index, scalars: int) -> sparse.csr_array:
    """Effects (n, q) of one factor put at the scalars ``at`` (levels, q) of each row's groups."""
    row, member = np.nonzero(factor.members >= 0)
    values = z[row]
    if factor.weights is not None:
        values = factor.weights[row, member][:, None] * values
    columns = at[factor.members[row, member]]
    rows = np.repeat(row, z.shape[1])
    out = sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(len(z), scalars))
    out.sum_duplicates()
    return out


def _statistics(
    design: Design,
    basis: Basis,
    terms: tuple[tuple[int, ...], ...],
    rows: tuple[Index, ...],
    z: sparse.csr_array,
    pattern: Pattern,
) -> Crossing:
    n, p = design.x.shape
    u = np.concatenate([basis.q[:, :p], basis.y[:, None]], axis=1)
    k = sparse.csr_array(z.T @ z)
    s, dense = _laid_out(k, pattern)
    return Crossing(
        n=n,
        p=p,
        terms=terms,
        rows=rows,
        z=z,
        k=k,
        zu=np.asarray(z.T @ u),
        u=u[:, :p],
        uu=u.T @ u,
        pattern=pattern,
        s=s,
        dense=dense,
        runs=_runs(pattern),
        directions=_directions(terms, basis),
    )


def _laid_out(k: sparse.csr_array, pattern: Pattern) -> tuple[Array, Array]:
    """Flat rows of the sparse nodes and the upper triangle of the dense block."""
    first = pattern.dense_first
    entries = sparse.coo_array(k[:first])
    row, column = entries.coords
    own = np.searchsorted(pattern.first, row, side="right") - 1
    later = column >= pattern.first[own]
    s = np.zeros(pattern.row_size)
    s[pattern.places(row[later], column[later])] = entries.data[later]
    return s, np.triu(k[first:, first:].toarray())


def _runs(pattern: Pattern) -> tuple[Run, ...]:
    out: list[Run] = []
    at = 0
    for f in np.unique(pattern.factor[pattern.sparse :]):
        here = pattern.factor[pattern.sparse :] == f
        q = int(pattern.q[pattern.sparse :][here][0])
        out.append((int(f), at, int(here.sum()), q))
        at += int(here.sum()) * q
    return tuple(out)


def _directions(terms: tuple[tuple[int, ...], ...], basis: Basis) -> Directions:
    """Lower triangle of each term, row by row, within the stacked covariance of its factor."""
    widths = [sum(basis.c[t].shape[1] for t in over) for over in terms]
    factor: list[int] = []
    e: list[Array] = []
    for f, over in enumerate(terms):
        at = 0
        for t in over:
            q = basis.c[t].shape[1]
            for i, j in zip(*np.tril_indices(q), strict=True):
                direction = np.zeros((max(widths), max(widths)))
                direction[at + i, at + j] = direction[at + j, at + i] = 1.0
                factor.append(f)
                e.append(direction)
            at += q
    return Directions(tuple(factor), np.stack(e))
