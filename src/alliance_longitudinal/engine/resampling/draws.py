"""Draws from a fitted model: responses row by row, or straight to the cross-products that a refit needs.

A refit sees the response only through its cross-products with the columns of the design. Within an innermost group
with cross-products ``G = R R'`` of its columns ``U`` and n rows, coefficients ``a`` (random effects put on the columns)
and residuals of variance s give::

    U'y = G a + U'e,     U'e = sqrt(s) R z,     y'y = a'G a + 2 a'U'e + e'e,     e'e = s (z'z + chi2(n - r))

with r standard normal ``z``: exact in distribution, at a cost that does not depend on the number of rows.
"""

import itertools
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index, Mask
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.linalg.matrices import block_diagonal
from alliance_longitudinal.engine.resampling.crossed import CrossedDraws
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.nested import Blocks, Level, covariance
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.engine.statistics.streamed.chunked import refuse_in_file

#: Innermost groups from which the compiled loops are worth loading for refits.
MANY_REFITTED = 500


def many_refitted(blocks: Statistics) -> bool:
    """Whether refits of these statistics spend their time in compiled loops."""
    return isinstance(blocks, Blocks) and len(blocks.w) >= MANY_REFITTED


class Draws(Protocol):
    """A source of cross-products with a new response."""

    def draw(self, rng: np.random.Generator) -> Statistics:
        """The statistics of the fit with the cross-products of a newly drawn response."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Random effects and residuals of all rows, mean zero.

    Attributes
    ----------
    z, codes, sizes, roots
        Of each term: effects (n, q), group of each row (or a sparse array of shares), number of groups, root of the
        effects' covariance.
    residual : ndarray, shape (n,)
        Standard deviation of each row's residual.
    """

    z: tuple[Array, ...]
    codes: tuple[Any, ...]
    sizes: tuple[int, ...]
    roots: tuple[Array, ...]
    residual: Array

    def draw(self, rng: np.random.Generator) -> Array:
        """One draw, shape (n,)."""
        out = self.residual * rng.standard_normal(len(self.residual))
        for z, codes, size, root in zip(self.z, self.codes, self.sizes, self.roots, strict=True):
            effects = rng.standard_normal((size, root.shape[1])) @ root.T
            of_rows = codes @ effects if sparse.issparse(codes) else effects[codes]
            out += np.einsum("nq,nq->n", z, of_rows)
        return out


@dataclass(frozen=True, slots=True)
class RowDraws:
    """Row by row: for columns that outnumber the rows of an innermost group.

    Attributes
    ----------
    blocks : Blocks
    leaf : ndarray, shape (n, q)
        Effects of the innermost groups.
    noise : Noise
        In internal units and elimination order.
    """

    blocks: Blocks
    leaf: Array
    noise: Noise

    def draw(self, rng: np.random.Generator) -> Blocks:
        """See `Draws`."""
        return self.with_response(self.noise.draw(rng))

    def with_response(self, y: Array) -> Blocks:
        """Cross-products with a response (internal units, elimination order)."""
        blocks = self.blocks
        w, s = blocks.w.copy(), blocks.s.copy()
        for a in range(self.leaf.shape[1]):
            w[:, a, -1] = np.add.reduceat(self.leaf[:, a] * y, blocks.row_starts[:-1])
        edges = blocks.row_starts[blocks.levels[0].starts]
        for p, (i, j) in enumerate(itertools.pairwise(edges)):
            s[p, :-1, -1] = s[p, -1, :-1] = blocks.u[i:j, :-1].T @ y[i:j]
            s[p, -1, -1] = y[i:j] @ y[i:j]
        return replace(blocks, w=w, s=s)


@dataclass(frozen=True, slots=True)
class ProductDraws:
    """Straight to the cross-products.

    Attributes
    ----------
    blocks : Blocks
    products : ndarray, shape (J, k, k)
        ``G`` of each innermost group, without the response.
    roots : ndarray, shape (J, k, k)
        Root of the residual variance times ``R``, for the dimensions of `used`.
    used : ndarray of bool, shape (J, k)
        The first min(n, k) dimensions of each group.
    scale : float
        Residual variance, internal units.
    spare : ndarray of int, shape (P,)
        Rows beyond the used dimensions within each parent of innermost groups.
    effects : tuple of (int, ndarray of int (J,), ndarray (q, k))
        Of each level: number of groups, group of each innermost group, root of the effects' covariance put on the
        columns.
    """

    blocks: Blocks
    products: Array
    roots: Array
    used: Mask
    scale: float
    spare: Index
    effects: tuple[tuple[int, Index, Array], ...]

    def draw(self, rng: np.random.Generator) -> Blocks:
        """See `Draws`."""
        blocks, starts = self.blocks, self.blocks.levels[0].starts[:-1]
        a = np.zeros(self.used.shape)
        for size, group, root in self.effects:
            a += (rng.standard_normal((size, len(root))) @ root)[group]
        z = np.where(self.used, rng.standard_normal(self.used.shape), 0.0)
        ga = np.einsum("jab,jb->ja", self.products, a)
        noise = np.einsum("jab,jb->ja", self.roots, z)
        uy = ga + noise
        square = np.einsum("ja,ja->j", a, ga + 2 * noise) + self.scale * np.einsum("ja,ja->j", z, z)
        chi2 = rng.chisquare(np.maximum(self.spare, 1)) * (self.spare > 0)
        w, s = blocks.w.copy(), blocks.s.copy()
        w[:, :, -1] = uy @ blocks.levels[0].c[:-1]
        s[:, :-1, -1] = s[:, -1, :-1] = np.add.reduceat(uy, starts, axis=0)
        s[:, -1, -1] = np.add.reduceat(square, starts) + self.scale * chi2
        return replace(blocks, w=w, s=s)


def root_of(matrix: Array) -> Array:
    """A root ``R`` of a covariance or of a stack of them, ``R R' = matrix``, by eigenvalues in rising order."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


def draws_of(fit: MixedFit) -> Draws:
    """The cheapest way for this design."""
    refuse_in_file(fit.blocks)
    if isinstance(fit.blocks, Crossing):
        return _crossed_draws(fit, fit.blocks)
    groups, columns = len(fit.blocks.w), fit.blocks.w.shape[-1] - 1
    with_products = fit.blocks.products is not None or groups * columns <= fit.blocks.n
    return product_draws(fit) if with_products else row_draws(fit)


def _crossed_draws(fit: MixedFit, blocks: Crossing) -> CrossedDraws:
    s = fit.criterion.rss / fit.criterion.nu
    relative = fit.record.best.relative
    roots = (np.sqrt(s) * root_of(block_diagonal([relative[t] for t in over])) for over in blocks.terms)
    return CrossedDraws(blocks, tuple(roots), float(np.sqrt(s)))


def _nested(fit: MixedFit) -> Blocks:
    assert isinstance(fit.blocks, Blocks)
    return fit.blocks


def row_draws(fit: MixedFit) -> RowDraws:
    """Rows in internal units."""
    blocks, design = _nested(fit), fit.design
    s = fit.criterion.rss / fit.criterion.nu
    noise = Noise(
        tuple((fit.basis.q @ c)[blocks.order] for c in fit.basis.c),
        tuple(design.factors[t.factor].codes[blocks.order] for t in design.terms),
        tuple(design.factors[t.factor].size for t in design.terms),
        tuple(np.sqrt(s) * root_of(d) for d in fit.record.best.relative),
        np.full(blocks.n, np.sqrt(s)),
    )
    return RowDraws(blocks, blocks.u @ blocks.levels[0].c, noise)


def product_draws(fit: MixedFit) -> ProductDraws:
    """Cross-products of every innermost group, their roots, and the effects of every level."""
    blocks = _nested(fit)
    blocks = replace(blocks, compiled=many_refitted(blocks))
    scale = fit.criterion.rss / fit.criterion.nu
    products = _products(blocks)
    k = products.shape[1]
    rows = np.diff(blocks.row_starts) if blocks.products is None else blocks.products.counts
    rank = np.minimum(rows, k)
    used = np.arange(k) >= k - rank[:, None]  # eigenvalues rise: the last ones carry the group's rows
    roots = np.sqrt(scale) * root_of(products) * used[:, None, :]
    spare = np.add.reduceat(rows - rank, blocks.levels[0].starts[:-1])
    return ProductDraws(blocks, products, roots, used, scale, spare, _effects(fit, scale))


def _products(blocks: Blocks) -> Array:
    if blocks.products is not None:
        return blocks.products.mapped(*2 * [np.eye(blocks.w.shape[-1])[:, :-1]])
    u, k = blocks.u, blocks.u.shape[1] - 1
    out = np.empty((len(blocks.w), k, k))
    for a in range(k):
        for b in range(a + 1):
            out[:, a, b] = out[:, b, a] = np.add.reduceat(u[:, a] * u[:, b], blocks.row_starts[:-1])
    return out


def _effects(fit: MixedFit, scale: float) -> tuple[tuple[int, Index, Array], ...]:
    blocks = _nested(fit)
    relative = list(fit.record.best.relative)
    group = np.arange(len(blocks.w))
    out = []
    for level in blocks.levels:
        size = level.starts[-1]
        root = np.sqrt(scale) * root_of(covariance(level, relative)).T @ level.c[:-1].T
        out.append((int(size), group, root))
        group = _parent(level)[group]
    return tuple(out)


def _parent(level: Level) -> Index:
    return np.repeat(np.arange(len(level.starts) - 1), np.diff(level.starts))
