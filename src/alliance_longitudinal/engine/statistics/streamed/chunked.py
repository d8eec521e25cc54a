"""Sufficient statistics that stay in a file: every evaluation reads them once, some top groups at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.sources.spill import PIECE, Spill
from alliance_longitudinal.engine.statistics.modes import Modes, conditional_modes
from alliance_longitudinal.engine.statistics.nested import Blocks, Level, with_products
from alliance_longitudinal.engine.statistics.products import Products
from alliance_longitudinal.engine.statistics.protocol import Parts, Statistics
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class ChunkedBlocks:
    """What `Blocks` are to groups in memory; see `statistics.Statistics`.

    Attributes
    ----------
    levels : tuple of Level
        Innermost first.
    sums : Spill
        Packed cross-products of the innermost groups, in order of elimination.
    frame : Products
        Counts, units and change of all groups; without their cross-products.
    chunks : ndarray of int, shape (c + 1,)
        Top groups at which each chunk begins.
    """

    levels: tuple[Level, ...]
    sums: Spill
    frame: Products
    chunks: Index

    @classmethod
    def of(cls, levels: tuple[Level, ...], sums: Spill, frame: Products) -> "ChunkedBlocks":
        """Cut the top groups into chunks of which each evaluation needs little memory."""
        return cls(levels, sums, frame, _cut(levels, frame.width))

    @property
    def n(self) -> int:
        """Rows."""
        return self.frame.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.frame.p

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked."""
        return tuple(t for level in self.levels for t in level.terms)

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """See `Blocks.sweep`: nothing joins the top groups, so that the parts of the chunks add up."""
        found: Parts | None = None
        for _, blocks in self._blocks():
            part = blocks.sweep(relative, order)
            found = part if found is None else _added(found, part)
        assert found is not None
        return found

    def modes(self, relative: list[Array], beta: Array, scale: float) -> list[Modes]:
        """See `modes.conditional_modes`."""
        of_term = {t: level for level in self.levels for t in level.terms}
        out = [
            Modes(np.empty((of_term[t].size, len(d))), np.empty((of_term[t].size, len(d), len(d))))
            for t, d in enumerate(relative)
        ]
        for ranges, blocks in self._blocks():
            places = {
                t: level.labels[at]
                for level, at in zip(self.levels, ranges, strict=True)
                for t in level.terms
            }
            for t, found in enumerate(conditional_modes(blocks, relative, beta, scale)):
                out[t].values[places[t]] = found.values
                out[t].variances[places[t]] = found.variances
        return out

    def some(self, levels: tuple[Level, ...], kept: Index) -> Blocks:
        """Blocks in memory of some innermost groups, and the levels that these form."""
        products = replace(self.frame, packed=self.sums.take(kept), counts=self.frame.counts[kept])
        return with_products(levels, products, cast(Any, None))

    def _blocks(self) -> Iterator[tuple[list[slice], Blocks]]:
        """The chunks in turn: where their groups are at each level, and their blocks."""
        buffer = np.empty((self._largest(), self.sums.width))
        for begin, end in pairwise(self.chunks.tolist()):
            ranges, levels = _part(self.levels, begin, end)
            packed = self.sums.read(ranges[0].start, ranges[0].stop, buffer)
            products = replace(self.frame, packed=packed, counts=self.frame.counts[ranges[0]])
            yield ranges, with_products(levels, products, cast(Any, None))

    def _largest(self) -> int:
        return int(np.diff(_leaves_before(self.levels)[self.chunks]).max())


def refuse_in_file(statistics: Statistics) -> None:
    """What draws from the groups needs them in memory.

    Raises
    ------
    FitError
        They are in a file.
    """
    if isinstance(statistics, ChunkedBlocks):
        raise FitError(
            f"A bootstrap needs the sums of all {statistics.levels[0].size} innermost groups in memory, and these are in a "
            "temporary file because they were larger than memory= allows. Read the data with more memory=, or use "
            "profile intervals, which need no draws."
        )


def _added(a: Parts, b: Parts) -> Parts:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5]


def _leaves_before(levels: tuple[Level, ...]) -> Index:
    """Innermost groups before each top group, shape (top + 1,)."""
    at = np.arange(levels[-1].size + 1)
    for level in reversed(levels[:-1]):
        at = level.starts[at]
    return at


def _cut(levels: tuple[Level, ...], width: int) -> Index:
    """Chunks of about `PIECE` bytes of statistics and derivatives; a top group is never cut."""
    leaves = _leaves_before(levels)
    entries = sum(len(level.e) for level in levels)
    of_parent = (1 + entries + entries * (entries + 1) // 2) * width**2
    above = np.arange(levels[-1].size + 1)
    for level in reversed(levels[1:-1]):
        above = level.starts[above]
    parents = above if len(levels) > 1 else np.zeros_like(leaves)
    room = 8.0 * (leaves * width * (width + 1) // 2 + parents * of_parent)
    wanted = np.arange(0, room[-1], PIECE)
    return np.unique(np.append(np.searchsorted(room, wanted), levels[-1].size)).astype(np.intp)


def _part(levels: tuple[Level, ...], begin: int, end: int) -> tuple[list[slice], tuple[Level, ...]]:
    """Levels of the top groups from ``begin`` to below ``end``; where their groups are among all."""
    ranges, out = [], []
    for level in reversed(levels):
        starts = np.array([begin, end]) if level is levels[-1] else level.starts[begin : end + 1]
        begin, end = int(starts[0]), int(starts[-1])
        ranges.append(slice(begin, end))
        size = end - begin
        out.append(replace(level, size=size, starts=starts - begin, labels=np.arange(size)))
    return ranges[::-1], tuple(out[::-1])
