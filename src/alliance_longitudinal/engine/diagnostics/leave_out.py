"""What is left of a fit's cross-products without one group, for all groups of a nested level at once.

Each level is eliminated as in `fitting.kernels`, keeping every group's own result and its first derivatives. A group is left
out by taking its result off its parent's sum and eliminating that parent again, up to the top: exact, and of a cost that
does not depend on the number of other groups.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import longest_chain, parents
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.equations import internal_effects, internal_fixed
from alliance_longitudinal.engine.linalg.matrices import block_diagonal

Index = Index

#: Groups left out at once, for the sake of memory.
_PIECE = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a tree of groups.

    Attributes
    ----------
    factor : int
    terms : tuple of int
    place : slice
        Columns of its effects.
    size : int
    rows : ndarray of int, shape (size,)
        Rows of each group.
    parent : ndarray of int, shape (size,)
        Group of the next level that holds each group; zeros at the top.
    """

    factor: int
    terms: tuple[int, ...]
    place: slice
    size: int
    rows: Index
    parent: Index


@dataclass(frozen=True, slots=True)
class Tree:
    """Nested groups, innermost level first, with the innermost groups' cross-products.

    Attributes
    ----------
    steps : tuple of Step
    products : ndarray, shape (J, k, k)
        Columns: effects of each level, fixed part, response; internal units.
    p : int
    """

    steps: tuple[Step, ...]
    products: Array
    p: int


@dataclass(frozen=True, slots=True)
class GroupPart:
    """Cross-products of some groups, log-determinants, and their derivatives in the entries of the levels so far.

    Shapes (J, k, k), (J,), (J, m, k, k), (J, m).
    """

    s: Array
    logdet: Array
    ds: Array
    dlogdet: Array

    def take(self, at: Index) -> "GroupPart":
        """Those of some groups."""
        return GroupPart(self.s[at], self.logdet[at], self.ds[at], self.dlogdet[at])

    def less(self, other: "GroupPart") -> "GroupPart":
        """Without a part."""
        return GroupPart(
            self.s - other.s, self.logdet - other.logdet, self.ds - other.ds, self.dlogdet - other.dlogdet
        )

    def plus(self, other: "GroupPart") -> "GroupPart":
        """With a part."""
        return GroupPart(
            self.s + other.s, self.logdet + other.logdet, self.ds + other.ds, self.dlogdet + other.dlogdet
        )

    def within(self, parent: Index, size: int) -> "GroupPart":
        """Summed within parents."""

        def summed(values: Array) -> Array:
            out = np.zeros((size, *values.shape[1:]))
            np.add.at(out, parent, values)
            return out

        return GroupPart(summed(self.s), summed(self.logdet), summed(self.ds), summed(self.dlogdet))


def tree_of(fit: MixedFit) -> Tree | None:
    """The tree of a fit's groups; None when its factors are not all nested in each other."""
    design = fit.design
    if any(f.weights is not None for f in design.factors):
        return None
    chain = longest_chain(list(design.factors), [1] * len(design.factors))
    if len(chain) < len(design.factors):
        return None
    n = len(design.y)
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    columns: list[Array] = []
    steps, at = [], 0
    for depth, f in enumerate(chain):
        factor = design.factors[f]
        terms = tuple(t for t, term in enumerate(design.terms) if term.factor == f)
        columns += [internal_effects(fit, t, design.terms[t].z) for t in terms]
        width = sum(len(design.terms[t].names) for t in terms)
        parent = np.zeros(factor.size, dtype=np.intp)
        if depth + 1 < len(chain):
            above = parents(factor.codes, design.factors[chain[depth + 1]].codes, factor.size)
            parent = parent if above is None else above
        counts = np.bincount(factor.codes, minlength=factor.size)
        steps.append(Step(f, terms, slice(at, at + width), factor.size, counts, parent))
        at += width
    y = (design.centred - design.x @ fit.basis.beta_ols) / fit.basis.y_scale
    u = root[:, None] * np.concatenate([*columns, internal_fixed(fit, design.x), y[:, None]], axis=1)
    codes = design.factors[chain[0]].codes
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(steps[0].size))
    u = u[order]
    products = np.empty((steps[0].size, u.shape[1], u.shape[1]))
    for a in range(u.shape[1]):
        for b in range(a + 1):
            products[:, a, b] = products[:, b, a] = np.add.reduceat(u[:, a] * u[:, b], starts)
    return Tree(tuple(steps), products, design.x.shape[1])


def without_each(tree: Tree, relative: list[Array], level: int) -> tuple[GroupPart, GroupPart]:
    """What is left without each group of a level, and the whole (one group), at the top.

    Only the columns of the fixed part and the response are kept. Derivatives are in the free entries of the levels, the
    innermost first, each term's lower triangle row by row.
    """
    none = np.zeros((len(tree.products), 0, *tree.products.shape[1:]))
    before = [GroupPart(tree.products, np.zeros(len(none)), none, none[:, :, 0, 0])]
    after: list[GroupPart] = []
    for i, step in enumerate(tree.steps):
        after.append(eliminate(before[i], step, relative))
        above = tree.steps[i + 1].size if i + 1 < len(tree.steps) else 1
        before.append(after[i].within(step.parent, above))
    groups = np.arange(tree.steps[level].size)
    parts = [
        _without(tree, relative, level, groups[i : i + _PIECE], before, after)
        for i in range(0, len(groups), _PIECE)
    ]
    joined = (np.concatenate(values) for values in zip(*map(_arrays, parts), strict=True))
    return GroupPart(*joined), _kept(before[-1], tree.p)


def _without(
    tree: Tree,
    relative: list[Array],
    level: int,
    groups: Index,
    before: list[GroupPart],
    after: list[GroupPart],
) -> GroupPart:
    """What is left at the top without each of some groups."""
    at = tree.steps[level].parent[groups]
    left = before[level + 1].take(at).less(after[level].take(groups))
    for i in range(level + 1, len(tree.steps)):
        changed = eliminate(left, tree.steps[i], relative)
        holder = tree.steps[i].parent[at]
        left = before[i + 1].take(holder).less(after[i].take(at)).plus(changed)
        at = holder
    return _kept(left, tree.p)


def _arrays(part: GroupPart) -> tuple[Array, Array, Array, Array]:
    return part.s, part.logdet, part.ds, part.dlogdet


def eliminate(part: GroupPart, step: Step, relative: list[Array]) -> GroupPart:
    """Eliminate one level's effects from every group; see `fitting.kernels` for the formulas."""
    d = block_diagonal([relative[t] for t in step.terms])
    e = directions([len(relative[t]) for t in step.terms])
    a, q, k = step.place, len(d), part.s.shape[-1]
    rows = part.s[:, a]
    inner = np.eye(q) + rows[:, :, a] @ d
    inverse = np.linalg.inv(inner)
    y = inverse @ rows
    s = part.s - rows.transpose(0, 2, 1) @ (d @ y)
    h = np.broadcast_to(np.eye(k), s.shape).copy()
    h[:, a] -= d @ y
    ds = h.transpose(0, 2, 1)[:, None] @ part.ds @ h[:, None]
    own = -y.transpose(0, 2, 1)[:, None] @ (e @ y[:, None])
    through = np.einsum("jab,jmba->jm", d @ inverse, part.ds[:, :, a, a])
    naa = inverse @ rows[:, :, a]
    return GroupPart(
        0.5 * (s + s.transpose(0, 2, 1)),
        part.logdet + np.linalg.slogdet(inner)[1],
        np.concatenate([ds, own], axis=1),
        np.concatenate([part.dlogdet + through, np.einsum("mab,jba->jm", e, naa)], axis=1),
    )


def directions(sizes: list[int]) -> Array:
    """Symmetric directions of the free entries of block-diagonal covariances, shape (m, q, q)."""
    out, at, q = [], 0, sum(sizes)
    for size in sizes:
        for i, j in zip(*np.tril_indices(size), strict=True):
            e = np.zeros((q, q))
            e[at + i, at + j] = e[at + j, at + i] = 1.0
            out.append(e)
        at += size
    return np.stack(out)


def _kept(part: GroupPart, p: int) -> GroupPart:
    """Only the fixed part and the response, the last p + 1 columns."""
    last = slice(part.s.shape[-1] - p - 1, None)
    return GroupPart(part.s[:, last, last], part.logdet, part.ds[:, :, last, last], part.dlogdet)
