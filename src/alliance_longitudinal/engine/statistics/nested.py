"""Sufficient statistics of a design: cross-products per innermost group, and the order of elimination."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import Design, TermDesign
from alliance_longitudinal.engine.design.groups import Chain, chain_of, parents
from alliance_longitudinal.engine.linalg.kernels import MANY_LEAVES, leaf_level, upper_level
from alliance_longitudinal.engine.linalg.matrices import block_diagonal
from alliance_longitudinal.engine.linalg.top_level import NARROW, top_level
from alliance_longitudinal.engine.statistics.basis import Basis
from alliance_longitudinal.engine.statistics.products import Products
from alliance_longitudinal.engine.statistics.protocol import Parts


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the elimination.

    Attributes
    ----------
    terms : tuple of int
        Positions of its terms in the design.
    c : ndarray, shape (k, q)
        Effects of one group of this level, in the columns of the cross-products.
    size : int
        Number of groups.
    starts : ndarray of int, shape (parents + 1,)
        Where each parent's groups begin, groups being in elimination order.
    labels : ndarray of int, shape (size,)
        Code of each group in its factor.
    e : ndarray, shape (m, q, q)
        Symmetric directions of the free covariance entries: lower triangle of each term, row by row.
    """

    terms: tuple[int, ...]
    c: Array
    size: int
    starts: Index
    labels: Index
    e: Array


class Table(Protocol):
    """Rows in elimination order."""

    @property
    def u(self) -> Array:
        """Basis, response last; shape (n, k)."""

    @property
    def order(self) -> Index:
        """Row of the design at each row of ``u``, shape (n,)."""

    @property
    def row_starts(self) -> Index:
        """Where each innermost group begins, shape (J + 1,)."""


@dataclass(frozen=True, slots=True)
class SortedTable:
    """Rows that are at hand; see `Table`."""

    u: Array
    order: Index
    row_starts: Index


@dataclass(frozen=True)
class DeferredTable:
    """Rows that are sorted when asked for; see `Table`.

    Attributes
    ----------
    basis : Basis
    groups : ndarray of int, shape (n,)
        Innermost group of each row, in order of elimination.
    row_starts : ndarray of int, shape (J + 1,)
    """

    basis: Basis
    groups: Index
    row_starts: Index

    @cached_property
    def u(self) -> Array:
        """See `Table`."""
        return np.asfortranarray(np.column_stack([self.basis.q, self.basis.y])[self.order])

    @cached_property
    def order(self) -> Index:
        """See `Table`."""
        return np.argsort(self.groups, kind="stable")


@dataclass(frozen=True, slots=True)
class Blocks:
    """What every evaluation of the criterion needs; its size does not depend on the number of rows.

    Attributes
    ----------
    n, p : int
        Rows, fixed effects.
    table : Table
        The rows, which no evaluation uses.
    levels : tuple of Level
        Innermost first.
    w : ndarray, shape (J, q, k)
        ``C'S`` of each innermost group.
    saa : ndarray, shape (J, q, q)
        ``C'SC`` of each innermost group.
    s : ndarray, shape (P, k, k)
        Cross-products within each parent of innermost groups.
    products : Products or None
        Cross-products of the innermost groups that the others were made of.
    compiled : bool
        Whether to load the compiled loops for fewer groups too, because there will be many evaluations.
    """

    n: int
    p: int
    table: Table
    levels: tuple[Level, ...]
    w: Array
    saa: Array
    s: Array
    products: Products | None = None
    compiled: bool = False

    @property
    def u(self) -> Array:
        """Rows in elimination order: basis, response last; shape (n, k)."""
        return self.table.u

    @property
    def order(self) -> Index:
        """Row of the design at each row of ``u``, shape (n,)."""
        return self.table.order

    @property
    def row_starts(self) -> Index:
        """Where each innermost group begins, shape (J + 1,)."""
        return self.table.row_starts

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked."""
        return tuple(t for level in self.levels for t in level.terms)

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """Eliminate all random effects; see `kernels.leaf_level` for the parts returned (one group left)."""
        leaf = self.levels[0]
        fast = self.compiled or self.products is not None or len(self.w) >= MANY_LEAVES
        logdet, dl, ddl, s, ds, dds = leaf_level(
            self.w, self.saa, self.s, leaf.starts, covariance(leaf, relative), leaf.e, order, fast
        )
        for level in self.levels[1:]:
            top, d = len(level.starts) == 2, covariance(level, relative)
            if top and not (fast and s.shape[-1] < NARROW):
                more, dm, ddm, s, ds, dds = top_level(s, ds, dds, level.c, d, level.e, order)
            else:
                more, dm, ddm, s, ds, dds = upper_level(
                    s, ds, dds, level.c, d, level.e, order, fast and len(s) > 1
                )
            logdet += more
            if order:
                lower = len(dl)
                dm[:lower] += dl
                ddm[:lower, :lower] += ddl
                dl, ddl = dm, ddm
            if len(level.starts) - 1 < len(s):
                s, ds, dds = (np.add.reduceat(part, level.starts[:-1], axis=0) for part in (s, ds, dds))
        return logdet, dl, ddl, s[0], ds[0], dds[0]


def build(design: Design, basis: Basis) -> Blocks:
    """Order the levels, sort the rows, and take the cross-products; for nested groups, see `crossing.choose`."""
    made = chain_of(list(design.factors))
    assert made is not None
    if basis.products is not None:
        groups = made.places[design.factors[made.order[0]].codes]
        return from_products(
            design.terms,
            basis,
            basis.products,
            made,
            DeferredTable(basis, groups, _edges(basis.products.counts)),
        )
    chain = list(made.order)
    order = np.lexsort([design.factors[f].codes for f in chain])
    u = np.asfortranarray(np.column_stack([basis.q, basis.y])[order])
    levels, row_starts = _levels(design, basis, chain, order)
    v = u @ levels[0].c
    w = np.empty((levels[0].size, v.shape[1], u.shape[1]))
    for a in range(v.shape[1]):
        for b in range(u.shape[1]):
            w[:, a, b] = np.add.reduceat(v[:, a] * u[:, b], row_starts[:-1])
    edges = row_starts[levels[0].starts]
    s = np.stack([u[i:j].T @ u[i:j] for i, j in itertools.pairwise(edges)])
    table = SortedTable(u, order, row_starts)
    return Blocks(len(u), design.x.shape[1], table, levels, w, w @ levels[0].c, s)


def from_products(
    terms: tuple[TermDesign, ...], basis: Basis, products: Products, chain: Chain, table: Table
) -> Blocks:
    """Blocks of nested groups from their cross-products."""
    return with_products(levels_of(terms, basis, chain), products, table)


def levels_of(terms: tuple[TermDesign, ...], basis: Basis, chain: Chain) -> tuple[Level, ...]:
    """Levels of nested groups."""
    width = basis.width + 1
    levels = []
    for factor, labels, starts in zip(chain.order, chain.labels, chain.starts, strict=True):
        own = tuple(t for t, term in enumerate(terms) if term.factor == factor)
        c = np.zeros((width, sum(basis.c[t].shape[1] for t in own)))
        c[:-1] = np.concatenate([basis.c[t] for t in own], axis=1)
        e = _directions([basis.c[t].shape[1] for t in own])
        levels.append(Level(own, c, len(labels), starts, labels, e))
    return tuple(levels)


def with_products(levels: tuple[Level, ...], products: Products, table: Table) -> Blocks:
    """Blocks of known levels from the cross-products of the innermost groups."""
    width, leaf = products.width, levels[0].c
    w = products.mapped(leaf, np.eye(width))
    saa = products.mapped(leaf, leaf)
    within = np.add.reduceat(products.packed, levels[0].starts[:-1], axis=0)
    s = products.mapped(np.eye(width), np.eye(width), within)
    return Blocks(products.n, products.p, table, levels, w, saa, s, products)


def describe(blocks: Blocks, design: Design) -> str:
    """How the random effects are eliminated, for teaching and debugging."""
    lines = [f"{blocks.n} rows, {blocks.w.shape[-1]} distinct columns"]
    for level in blocks.levels:
        names = " and ".join(dict.fromkeys(design.terms[t].group for t in level.terms))
        lines.append(f"{names}: {level.size} groups, one block of {level.c.shape[1]} effects each")
    return "\n".join(lines)


def covariance(level: Level, relative: list[Array]) -> Array:
    """Block-diagonal relative covariance of one group of a level, from each term's."""
    if len(level.terms) == 1:
        return relative[level.terms[0]]
    return block_diagonal([relative[t] for t in level.terms])


def _directions(sizes: list[int]) -> Array:
    """`Level.e` for terms of the given sizes."""
    out = []
    for t, size in enumerate(sizes):
        for i, j in zip(*np.tril_indices(size), strict=True):
            entry = np.zeros((size, size))
            entry[i, j] = entry[j, i] = 1.0
            out.append(block_diagonal([entry if u == t else np.zeros((q, q)) for u, q in enumerate(sizes)]))
    return np.stack(out)


def _levels(design: Design, basis: Basis, chain: list[int], order: Index) -> tuple[tuple[Level, ...], Index]:
    """Levels of the nested chain, and where each innermost group's rows begin."""
    k = basis.q.shape[1]
    sorted_codes = [design.factors[f].codes[order] for f in chain]
    row_starts = [np.append(_runs(codes), len(order)) for codes in sorted_codes]
    levels = []
    for depth, f in enumerate(chain):
        terms = tuple(t for t, term in enumerate(design.terms) if term.factor == f)
        c = np.zeros((k + 1, sum(basis.c[t].shape[1] for t in terms)))
        c[:k] = np.concatenate([basis.c[t] for t in terms], axis=1)
        above = row_starts[depth + 1] if depth + 1 < len(chain) else np.array([0, len(order)])
        starts = np.searchsorted(row_starts[depth], above)
        labels = sorted_codes[depth][row_starts[depth][:-1]]
        levels.append(
            Level(
                terms,
                c,
                design.factors[f].size,
                starts,
                labels,
                _directions([basis.c[t].shape[1] for t in terms]),
            )
        )
    return tuple(levels), row_starts[0]


def _edges(counts: Index) -> Index:
    return np.append(0, counts.cumsum())


def _runs(codes: Index) -> Index:
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))


def nested_in(design: Design, fine: int, coarse: int) -> bool:
    """Whether each level of one factor lies in a single level of another."""
    f, g = design.factors[fine], design.factors[coarse]
    return parents(f.codes, g.codes, f.size) is not None
