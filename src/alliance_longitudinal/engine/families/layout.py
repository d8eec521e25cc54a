"""Where the random effects of each row are: a chain of nested factors, eliminated group by group, and a border.

The chain is the one of `longest_chain`: it carries most random effects. Factors that are crossed with it (or with
each other) form the border, which is dense.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import Factor, longest_chain, parents

Index = Index


@dataclass(frozen=True)
class Grouping:
    """Levels of one factor over the rows.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
    size : int
    """

    codes: Index
    size: int

    @cached_property
    def indicator(self) -> sparse.csr_array:
        """Sums over the rows of each level: shape (size, n)."""
        n = len(self.codes)
        return sparse.csr_array((np.ones(n), (self.codes, np.arange(n))), shape=(self.size, n))

    def sums(self, rows: Array) -> Array:
        """Sums over the rows of each level: (n, ...) to (size, ...)."""
        flat = rows.reshape(len(rows), int(np.prod(rows.shape[1:])))
        return np.asarray(self.indicator @ flat).reshape(self.size, *rows.shape[1:])


@dataclass(frozen=True)
class Layout:
    """Order and nesting of the factors.

    Attributes
    ----------
    order : tuple of int
        Positions of the design's factors: the chain, finest first, then the border.
    chain, border : tuple of Grouping
    up : tuple of Grouping
        For each level of the chain but the last, its groups over those of the next.
    """

    order: tuple[int, ...]
    chain: tuple[Grouping, ...]
    border: tuple[Grouping, ...]
    up: tuple[Grouping, ...]

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """Chain, then border."""
        return self.chain + self.border

    @cached_property
    def pairs(self) -> tuple[Index, ...]:
        """For each border factor the cell (finest group, level) of each row, as one number."""
        finest = self.chain[0]
        return tuple(finest.codes * b.size + b.codes for b in self.border)


def layout(factors: tuple[Factor, ...], codes: list[Index], effects: list[int]) -> Layout:
    """Order factors by their codes in the (collapsed) rows; ``effects`` counts random effects a level."""
    chain = longest_chain(list(factors), effects)
    border = [i for i in range(len(factors)) if i not in chain]
    up = []
    for fine, coarse in pairwise(chain):
        holder = parents(factors[fine].codes, factors[coarse].codes, factors[fine].size)
        assert holder is not None  # longest_chain has looked
        up.append(Grouping(holder, factors[coarse].size))
    return Layout(
        tuple(chain + border),
        tuple(Grouping(codes[i], factors[i].size) for i in chain),
        tuple(Grouping(codes[i], factors[i].size) for i in border),
        tuple(up),
    )
