"""``M = I + sum_i w_i zeta_i zeta_i'`` over all random effects: determinant, solutions, and the entries that rows need.

``zeta_i`` holds the loadings of row i on its own groups' effects, chain first, finest level first, then the border.
Groups of the chain are eliminated from the finest level up, as in the linear engine; then the border. On the way down
the inverse is found for all pairs of effects that meet in some row, and no others (the selected inverse of a block
tree with a dense border). ``M`` has no eigenvalue below one, also where a variance is zero.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.families.layout import Layout


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the chain after its elimination.

    Attributes
    ----------
    inverse : ndarray, shape (J, r, r)
        Of the level's own blocks, what is finer eliminated.
    above, aside : ndarray, shapes (J, r, a) and (J, r, B)
        Coupling to the effects of the groups above it, and to the border.
    above_solved, aside_solved : ndarray
        ``inverse`` times these.
    """

    inverse: Array
    above: Array
    aside: Array
    above_solved: Array
    aside_solved: Array


@dataclass(frozen=True, slots=True)
class Elimination:
    """``M`` factored.

    Attributes
    ----------
    layout : Layout
    widths : tuple of int
        Effects a group, by factor in the layout's order.
    levels : tuple of Level
    border : ndarray, shape (B, B)
        Inverse of the border's Schur complement.
    log_det : float
    """

    layout: Layout
    widths: tuple[int, ...]
    levels: tuple[Level, ...]
    border: Array
    log_det: float

    def solve(self, rhs: list[Array]) -> list[Array]:
        """Solution by factor, each of shape (J, r)."""
        depth = len(self.levels)
        aside = np.concatenate([b.ravel() for b in rhs[depth:]]) if len(rhs) > depth else np.zeros(0)
        found: list[Array] = []
        carried = np.zeros((len(rhs[0]), self.levels[0].above.shape[2] + self.widths[0]))
        for i, level in enumerate(self.levels):
            r = self.widths[i]
            own = np.einsum("jab,jb->ja", level.inverse, rhs[i] + carried[:, :r])
            found.append(own)
            carried = carried[:, r:] - np.einsum("jra,jr->ja", level.above, own)
            aside = aside - np.einsum("jrb,jr->b", level.aside, own)
            if i < depth - 1:
                carried = self.layout.up[i].sums(carried)
        at_border = self.border @ aside
        path = np.zeros((len(rhs[depth - 1]), 0))
        for i in range(depth - 1, -1, -1):
            level = self.levels[i]
            if i < depth - 1:
                path = path[self.layout.up[i].codes]
            found[i] = (
                found[i] - np.einsum("jra,ja->jr", level.above_solved, path) - level.aside_solved @ at_border
            )
            path = np.concatenate([found[i], path], axis=1)
        return found + self.split(at_border)

    def split(self, flat: Array) -> list[Array]:
        """Effects of the border by factor."""
        out, at = [], 0
        for grouping, r in zip(self.layout.border, self.widths[len(self.levels) :], strict=True):
            out.append(flat[at : at + grouping.size * r].reshape(grouping.size, r))
            at += grouping.size * r
        return out

    def paths(self) -> list[tuple[Array, Array]]:
        """Inverse over each group's own effects and those above it, and between them and the border, by level."""
        top = len(self.levels) - 1
        out: list[tuple[Array, Array]] = []
        for i in range(top, -1, -1):
            level = self.levels[i]
            n = len(level.inverse)
            if i == top:
                within, beside = np.zeros((n, 0, 0)), np.zeros((n, 0, len(self.border)))
            else:
                codes = self.layout.up[i].codes
                within, beside = out[-1][0][codes], out[-1][1][codes]
            to_above = -level.above_solved @ within - level.aside_solved @ np.swapaxes(beside, 1, 2)
            to_aside = -level.above_solved @ beside - level.aside_solved @ self.border
            own = (
                level.inverse
                - to_above @ np.swapaxes(level.above_solved, 1, 2)
                - to_aside @ np.swapaxes(level.aside_solved, 1, 2)
            )
            both = np.concatenate([own, to_above], axis=2)
            lower = np.concatenate([np.swapaxes(to_above, 1, 2), within], axis=2)
            out.append((np.concatenate([both, lower], axis=1), np.concatenate([to_aside, beside], axis=1)))
        return out[::-1]

    def own_blocks(self) -> list[Array]:
        """Inverse over each group's own effects, by factor: (J, r, r)."""
        depth = len(self.levels)
        blocks = [inside[:, :r, :r] for (inside, _), r in zip(self.paths(), self.widths, strict=False)]
        at = 0
        for grouping, r in zip(self.layout.border, self.widths[depth:], strict=True):
            places = at + np.arange(grouping.size * r).reshape(grouping.size, r)
            blocks.append(self.border[places[:, :, None], places[:, None, :]])
            at += grouping.size * r
        return blocks

    def times_rows(self, zeta: Array) -> Array:
        """``M^-1 zeta_i`` at the effects of row i itself, shape (n, r of all factors)."""
        within, beside = self.paths()[0]
        finest = self.layout.chain[0].codes
        chained = sum(self.widths[: len(self.levels)])
        out = np.zeros_like(zeta)
        out[:, :chained] = np.einsum("nab,nb->na", within[finest], zeta[:, :chained])
        places = self._border_places()
        for columns, at in places:
            cross = beside[finest[:, None], :, at]  # (n, r of the factor, chained)
            out[:, :chained] += np.einsum("nbc,nb->nc", cross, zeta[:, columns])
            out[:, columns] += np.einsum("nbc,nc->nb", cross, zeta[:, :chained])
            for others, there in places:
                block = self.border[at[:, :, None], there[:, None, :]]
                out[:, columns] += np.einsum("nab,nb->na", block, zeta[:, others])
        return out

    def _border_places(self) -> list[tuple[slice, Index]]:
        """For each border factor its columns in ``zeta``, and each row's places in the border."""
        depth = len(self.levels)
        column, at, out = sum(self.widths[:depth]), 0, []
        for grouping, r in zip(self.layout.border, self.widths[depth:], strict=True):
            out.append((slice(column, column + r), at + grouping.codes[:, None] * r + np.arange(r)))
            column += r
            at += grouping.size * r
        return out


def eliminate(layout: Layout, widths: tuple[int, ...], zeta: Array, w: Array) -> Elimination:
    """Factor ``M`` for loadings ``zeta`` (n, r of all factors) and weights ``w`` (n,), none negative."""
    depth = len(layout.chain)
    chained = sum(widths[:depth])
    inner = zeta[:, :chained]
    weighted = w[:, None] * zeta
    gram = layout.chain[0].sums(weighted[:, :chained, None] * inner[:, None, :])
    aside, schur = _border(layout, widths, zeta, weighted)
    log_det = 0.0
    levels = []
    for i in range(depth):
        r = widths[i]
        block = np.eye(r) + gram[:, :r, :r]
        inverse: Array = np.asarray(np.linalg.inv(block), dtype=float)
        log_det += float(np.linalg.slogdet(block)[1].sum())
        above, own_aside = gram[:, :r, r:], aside[:, :r]
        above_solved, aside_solved = inverse @ above, inverse @ own_aside
        levels.append(Level(inverse, above, own_aside, above_solved, aside_solved))
        down = np.swapaxes(above, 1, 2)
        if len(schur):
            flat = own_aside.reshape(-1, len(schur)), aside_solved.reshape(-1, len(schur))
            schur = schur - flat[0].T @ flat[1]
        if i < depth - 1:
            gram = layout.up[i].sums(gram[:, r:, r:] - down @ above_solved)
            aside = layout.up[i].sums(aside[:, r:] - down @ aside_solved)
    if len(schur):
        factor = linalg.cho_factor(schur, lower=True)
        log_det += 2 * float(np.log(np.diag(factor[0])).sum())
        border = np.asarray(linalg.cho_solve(factor, np.eye(len(schur))))
    else:
        border = schur
    return Elimination(layout, widths, tuple(levels), border, log_det)


def _border(layout: Layout, widths: tuple[int, ...], zeta: Array, weighted: Array) -> tuple[Array, Array]:
    """Coupling of the finest groups to the border, (J, chained, B), and the border's own block, (B, B)."""
    depth = len(layout.chain)
    chained = sum(widths[:depth])
    sizes = [g.size * r for g, r in zip(layout.border, widths[depth:], strict=True)]
    n_finest, total = layout.chain[0].size, sum(sizes)
    aside, own = np.zeros((n_finest, chained, total)), np.eye(total)
    columns = np.cumsum([chained, *widths[depth:]])
    starts = np.cumsum([0, *sizes])
    for k, grouping in enumerate(layout.border):
        r = widths[depth + k]
        for b in range(r):
            into = starts[k] + b + np.arange(grouping.size) * r
            loading = zeta[:, columns[k] + b]
            for a in range(chained):
                cells = np.bincount(
                    layout.pairs[k], weighted[:, a] * loading, minlength=n_finest * grouping.size
                )
                aside[:, a, into] = cells.reshape(n_finest, grouping.size)
            for m, other in enumerate(layout.border):
                for c in range(widths[depth + m]):
                    there = starts[m] + c + np.arange(other.size) * widths[depth + m]
                    pair = grouping.codes * other.size + other.codes
                    cells = np.bincount(
                        pair, loading * weighted[:, columns[m] + c], minlength=grouping.size * other.size
                    )
                    own[np.ix_(into, there)] += cells.reshape(grouping.size, other.size)
    return aside, own
