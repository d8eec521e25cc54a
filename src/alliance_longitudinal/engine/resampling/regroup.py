"""Groups drawn with replacement, from their cross-products: no row is touched."""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.statistics.nested import Blocks
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.engine.statistics.streamed.chunked import refuse_in_file
from alliance_longitudinal.errors import FitError

#: What is drawn with replacement, by kind of bootstrap.
KINDS = {
    "cluster": "the groups of the top level, each with all it holds",
    "case": "the innermost groups within their parents",
    "two-stage": "the groups of the top level, and in each its innermost groups",
}


@dataclass(frozen=True, slots=True)
class Groups:
    """Nested groups and what a fit needs to know of each innermost one.

    Attributes
    ----------
    blocks : Blocks
    products : ndarray, shape (J, k, k)
        Cross-products of each innermost group, response included.
    rows : ndarray of int, shape (J,)
    """

    blocks: Blocks
    products: Array
    rows: Index

    @classmethod
    def of(cls, blocks: Statistics) -> "Groups":
        """Groups of a fit.

        Raises
        ------
        FitError
            The groupings are not nested, or the sums are in a file.
        """
        refuse_in_file(blocks)
        if not isinstance(blocks, Blocks):
            raise FitError(
                "Groups can be resampled only where each grouping is nested in the next; with crossed groupings or several "
                "memberships a group cannot be drawn without parts of others. Use kind='parametric'."
            )
        if blocks.products is not None:
            whole = np.eye(blocks.w.shape[-1])
            return cls(blocks, blocks.products.mapped(whole, whole), np.diff(blocks.row_starts))
        u, starts = blocks.u, blocks.row_starts[:-1]
        k = u.shape[1]
        products = np.empty((len(starts), k, k))
        for a in range(k):
            for b in range(a + 1):
                products[:, a, b] = products[:, b, a] = np.add.reduceat(u[:, a] * u[:, b], starts)
        return cls(blocks, products, np.diff(blocks.row_starts))

    @property
    def top(self) -> int:
        """Number of groups at the top level."""
        return self.blocks.levels[-1].size

    def draw(self, rng: np.random.Generator, kind: str) -> Blocks:
        """Blocks of a resample, see `KINDS`."""
        top = np.arange(self.top)
        if kind in ("cluster", "two-stage") or len(self.blocks.levels) == 1:
            top = np.sort(rng.integers(0, self.top, self.top))
        return self.take(top, rng if kind in ("case", "two-stage") else None)

    def take(self, top: Index, rng: np.random.Generator | None = None) -> Blocks:
        """Blocks of the given top groups, in which a repeated group is a new group.

        With ``rng`` the innermost groups are drawn with replacement within each parent (where they are not at the top).
        """
        levels = list(self.blocks.levels)
        chosen = np.asarray(top)
        levels[-1] = replace(
            levels[-1], size=len(top), starts=np.array([0, len(top)]), labels=levels[-1].labels[top]
        )
        for depth in range(len(levels) - 2, -1, -1):
            old = levels[depth].starts
            counts = np.diff(old)[chosen]
            starts = np.append(0, np.cumsum(counts))
            within = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
            if rng is not None and depth == 0:
                within = np.floor(rng.random(starts[-1]) * np.repeat(counts, counts)).astype(np.intp)
            chosen = np.repeat(old[:-1][chosen], counts) + within
            levels[depth] = replace(
                levels[depth], size=len(chosen), starts=starts, labels=levels[depth].labels[chosen]
            )
        s = np.add.reduceat(self.products[chosen], levels[0].starts[:-1], axis=0)
        return replace(
            self.blocks,
            n=int(self.rows[chosen].sum()),
            levels=tuple(levels),
            w=self.blocks.w[chosen],
            saa=self.blocks.saa[chosen],
            s=s,
            products=None,
        )
