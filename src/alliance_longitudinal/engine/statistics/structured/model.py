"""A design with a residual structure: sufficient statistics at each value of the structure's parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.linalg.kernels import upper_level
from alliance_longitudinal.engine.linalg.top_level import top_level
from alliance_longitudinal.engine.statistics.basis import Basis
from alliance_longitudinal.engine.statistics.nested import Blocks, Level, covariance
from alliance_longitudinal.engine.statistics.protocol import Parts
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern, read_pattern
from alliance_longitudinal.engine.statistics.structured.products import (
    Products,
    build_products,
    log_determinant,
)
from alliance_longitudinal.engine.statistics.structured.structure import Structure

#: Most numbers in the derivatives of one piece of the innermost groups.
_PIECE = 4_000_000


@dataclass(frozen=True, slots=True)
class ResidualModel:
    """What every evaluation needs.

    Attributes
    ----------
    products : Products
    levels : tuple of Level
        Elimination order, innermost first.
    n, p : int
    entry_terms : tuple of int
        Terms in the order in which their covariance entries are stacked.
    """

    products: Products
    levels: tuple[Level, ...]
    n: int
    p: int
    entry_terms: tuple[int, ...]

    @property
    def pattern(self) -> Pattern:
        """Groups, gaps and strata of the rows."""
        return self.products.pattern

    def at(self, tau: Array) -> "AtParameters":
        """Sufficient statistics at parameters of the structure."""
        return AtParameters(self, tau)

    def with_response(self, y: Array) -> "ResidualModel":
        """The same for another response: internal units, rows as in the pattern."""
        return replace(self, products=self.products.with_response(y))

    def independent(self) -> "ResidualModel":
        """The same without correlation."""
        pattern = replace(self.pattern, correlated=False)
        return replace(self, products=build_products(pattern, self.products.u))


@dataclass(frozen=True, slots=True)
class AtParameters:
    """Statistics whose derivatives take in the structure's parameters, which come before the covariances' entries."""

    model: ResidualModel
    tau: Array

    @property
    def n(self) -> int:
        """Rows."""
        return self.model.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.model.p

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms in the order in which their covariance entries are stacked, after the structure's parameters."""
        return self.model.entry_terms

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """Eliminate all random effects; the innermost level's cross-products depend on the structure."""
        levels = self.model.levels
        s, ds, dds = self.model.products.at(self.tau, order)
        logdet, dl, ddl = log_determinant(self.model.products, self.tau)
        for level in levels:
            d = covariance(level, relative)
            more, dm, ddm, s, ds, dds = _eliminate(level, d, s, ds, dds, order)
            logdet += more
            if order:
                lower = len(dl)
                dm[:lower] += dl
                ddm[:lower, :lower] += ddl
                dl, ddl = dm, ddm
        return logdet, dl, ddl, s[0], ds[0], dds[0]


def build_model(structure: Structure, design: Design, basis: Basis, blocks: Blocks) -> ResidualModel:
    """Statistics of a design with a structure.

    Raises
    ------
    FitError
        The structure does not fit the rows.
    """
    pattern = read_pattern(structure, design, blocks.levels)
    u = np.column_stack([basis.q, basis.y])[pattern.rows]
    return ResidualModel(
        build_products(pattern, u), blocks.levels, blocks.n, blocks.p, tuple(blocks.entry_terms)
    )


def _eliminate(level: Level, d: Array, s: Array, ds: Array, dds: Array, order: int) -> Parts:
    """Eliminate one level piece by piece, so that memory does not grow with its groups, and add up within parents."""
    parents, k = len(level.starts) - 1, s.shape[-1]
    above = np.repeat(np.arange(parents), np.diff(level.starts))
    logdet, total = 0.0, None
    for some in _pieces(len(s), k, ds.shape[1] + len(level.e)):
        if parents == 1:
            parts = top_level(s[some], ds[some], dds[some], level.c, d, level.e, order)
            sums = list(parts[3:])
        else:
            parts = upper_level(s[some], ds[some], dds[some], level.c, d, level.e, order)
            sums = [_add_up(part, above[some], parents) for part in parts[3:]]
        logdet += parts[0]
        new = [np.asarray(parts[1]), np.asarray(parts[2]), *sums]
        total = new if total is None else [x + y for x, y in zip(total, new, strict=True)]
    assert total is not None
    return logdet, total[0], total[1], total[2], total[3], total[4]


def _pieces(groups: int, k: int, entries: int) -> Iterator[slice]:
    step = max(1, _PIECE // (k * k * (1 + entries + entries * (entries + 1) // 2)))
    for at in range(0, groups, step):
        yield slice(at, at + step)


def _add_up(part: Array, above: Index, parents: int) -> Array:
    out = np.zeros((parents, *part.shape[1:]))
    begin = np.flatnonzero(np.diff(above, prepend=-1))
    out[above[begin]] = np.add.reduceat(part, begin, axis=0) if part.size else 0.0
    return out
