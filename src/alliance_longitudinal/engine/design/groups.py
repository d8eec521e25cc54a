"""Grouping factors: codes, levels, which one is nested in which."""

import weakref
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.errors import FitError

#: From this many rows on, which grouping holds which is remembered while their codes are in use.
MANY_ROWS = 50_000
_HELD: dict[tuple[int, int], tuple[weakref.ref[Index], weakref.ref[Index], Index | None]] = {}


@dataclass(frozen=True, slots=True)
class Factor:
    """One grouping of the rows.

    Attributes
    ----------
    name : str
        Columns joined by ``:``, innermost first.
    columns : tuple of str
    codes : ndarray of int, shape (n,)
        Level of each row; with multiple membership shape (n, w), -1 where a row has fewer members.
    levels : Index
        Sorted labels; a MultiIndex when several columns form the groups.
    weights : ndarray, shape (n, w), or None
        Multiple membership: share of each member in a row, summing to 1.
    """

    name: str
    columns: tuple[str, ...]
    codes: Index
    levels: pd.Index
    weights: Array | None = None

    @property
    def size(self) -> int:
        """Number of levels that occur."""
        return len(self.levels)

    @property
    def members(self) -> Index:
        """Levels of each row, shape (n, w); w is 1 without multiple membership."""
        return self.codes if self.codes.ndim == 2 else self.codes[:, None]

    def overlap(self, rows: Index) -> Array:
        """How much pairs of rows share groups, shape (r, r): 1 or 0, sums of products of shares for members."""
        if self.weights is None:
            return np.asarray(self.codes[rows, None] == self.codes[rows], dtype=float)
        share = self.share[rows]
        return np.asarray((share @ share.T).toarray())

    @property
    def share(self) -> sparse.csr_array:
        """Part of each level in each row, shape (n, size)."""
        row, member = np.nonzero(self.members >= 0)
        values = np.ones(len(row)) if self.weights is None else self.weights[row, member]
        made = sparse.csr_array(
            (values, (row, self.members[row, member])), shape=(len(self.members), self.size)
        )
        made.sum_duplicates()
        return made


def factor(frame: pd.DataFrame, columns: tuple[str, ...]) -> Factor:
    """Code the combinations of ``columns`` that occur in ``frame``; needs complete rows."""
    coded = [code_column(frame[column]) for column in columns]
    if len(columns) == 1:
        codes, levels = coded[0]
        return Factor(columns[0], columns, codes, levels)
    joint, size = coded[0][0], len(coded[0][1])
    for codes, levels in coded[1:]:
        joint, size = _join(joint, size, codes, len(levels))
    first = np.empty(size, dtype=np.intp)
    first[joint[::-1]] = np.arange(len(joint) - 1, -1, -1)
    labels = pd.MultiIndex(
        levels=[levels for _, levels in coded],
        codes=[codes[first] for codes, _ in coded],
        names=columns,
        verify_integrity=False,
    )
    return Factor(":".join(columns), columns, joint, labels)


def _join(fine: Index, n_fine: int, other: Index, n_other: int) -> tuple[Index, int]:
    """Index of the pairs that occur, sorted, and how many there are."""
    if parents(fine, other, n_fine) is not None:
        return fine, n_fine
    codes, levels = _code_numbers(fine.astype(np.int64) * n_other + other)
    return codes, len(levels)


def code_column(column: pd.Series) -> tuple[Index, pd.Index]:
    """Index and sorted labels of a column without missing values."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        codes, numbers = _code_numbers(column.to_numpy())
        return codes, pd.Index(numbers, name=column.name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, present = _code_numbers(column.cat.codes.to_numpy())
        labels = pd.Categorical.from_codes(present, dtype=column.dtype)
        return codes, pd.CategoricalIndex(labels, name=column.name)
    try:
        codes, levels = pd.factorize(column, sort=True)
    except TypeError:  # labels of mixed types have no order; take that of their text
        codes, levels = pd.factorize(column)
        order = np.argsort([str(label) for label in levels], kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        codes, levels = rank[codes], levels.take(order)
    return np.asarray(codes, dtype=np.intp), pd.Index(levels, name=column.name)


def _code_numbers(numbers: NDArray[Any]) -> tuple[Index, NDArray[Any]]:
    """Index and sorted distinct values of whole numbers; without hashing where they lie close together."""
    low, high = int(numbers.min()), int(numbers.max())
    span = high - low + 1
    if span > 4 * len(numbers) + 1000:
        codes, values = pd.factorize(numbers, sort=True)
        return np.asarray(codes, dtype=np.intp), np.asarray(values)
    wide = numbers if numbers.dtype.itemsize == 8 else numbers.astype(np.int64)
    base = wide.dtype.type(low)
    place = (wide - base).astype(
        np.intp, copy=False
    )  # below `span`, so that 64 bits hold it wherever it starts
    seen = np.zeros(span, dtype=bool)
    seen[place] = True
    values = np.flatnonzero(seen)
    codes = place if len(values) == span else np.asarray((np.cumsum(seen) - 1)[place], dtype=np.intp)
    return codes, (values.astype(wide.dtype) + base).astype(numbers.dtype)


def match(levels: pd.Index, frame: pd.DataFrame, columns: tuple[str, ...]) -> Index:
    """Codes of new rows; -1 for a group that was not in the data of the fit, or is missing.

    Labels are compared as they are, then by their text: ``7``, ``7.0``, ``"7"`` and ``" 7"`` are one label.

    Raises
    ------
    FitError
        Not one label of a column is known.
    """
    if len(columns) == 1:
        return match_labels(levels, frame[columns[0]])
    assert isinstance(levels, pd.MultiIndex)
    known = [match_labels(of, frame[c]) for of, c in zip(levels.levels, columns, strict=True)]
    joint = pd.MultiIndex.from_arrays(levels.codes)
    return np.asarray(joint.get_indexer(pd.MultiIndex.from_arrays(known)), dtype=np.intp)


def match_labels(levels: pd.Index, column: pd.Series) -> Index:
    """Codes of one column's labels among those of the fit; see `match`."""
    given = pd.Index(column)
    codes = np.asarray(levels.get_indexer(given), dtype=np.intp)
    lost = (codes < 0) & ~np.asarray(given.isna())
    if lost.any():
        texts = pd.Index([label_text(level) for level in levels])
        twice = texts.duplicated(keep=False)  # labels that differ in blanks only stay apart
        new = given[lost]
        found = np.asarray(texts[~twice].get_indexer([label_text(v) for v in new]), dtype=np.intp)
        codes[lost] = np.where(found < 0, -1, np.flatnonzero(~twice)[found] if (~twice).any() else -1)
        if not (codes >= 0).any():
            raise FitError(
                f"The fit knows no {column.name!r} of the new data; the first is {_plain(new[0])!r}, the fit's first is "
                f"{_plain(levels[0])!r}. Correct the labels. For new groups leave {column.name!r} empty, or pass groups=False."
            )
    return codes


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def label_text(label: object) -> str:
    """A label as text, without blanks around it; whole numbers without a decimal point."""
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label).strip()


def parents(fine: Index, coarse: Index, n_fine: int) -> Index | None:
    """Level of the coarse factor that holds each level of the fine one; None when they are not nested."""
    known = _HELD.get((id(fine), id(coarse)))
    if known is not None and known[0]() is fine and known[1]() is coarse:
        return known[2]
    holder = np.zeros(n_fine, dtype=np.intp)
    holder[fine] = coarse
    few = slice(None, 1000)  # most groupings that are not nested show it at once
    nested = np.array_equal(holder[fine[few]], coarse[few]) and np.array_equal(holder[fine], coarse)
    found = holder if nested else None
    if len(fine) >= MANY_ROWS:
        while len(_HELD) >= 32:
            _HELD.pop(next(iter(_HELD)), None)
        _HELD[id(fine), id(coarse)] = weakref.ref(fine), weakref.ref(coarse), found
    return found


def pairs(outer: Index, inner: Index, n_inner: int) -> tuple[Index, Index]:
    """Distinct pairs of levels that occur, sorted by the outer and then the inner level."""
    holder = parents(inner, outer, n_inner)
    if holder is not None:
        order = np.argsort(holder, kind="stable")
        return holder[order], order
    joint = np.sort(pd.unique(outer.astype(np.int64) * n_inner + inner))
    return (joint // n_inner).astype(np.intp), (joint % n_inner).astype(np.intp)


def longest_chain(factors: list[Factor], effects: list[int]) -> list[int]:
    """Positions of nested factors, finest first, that together carry the most random effects.

    The factors left over are crossed with the chain, or with something inside it.
    """
    nested = {
        (i, j): parents(factors[i].codes, factors[j].codes, factors[i].size) is not None
        for i, j in permutations(range(len(factors)), 2)
    }
    best: list[int] = []
    for size in range(len(factors), 0, -1):
        for some in combinations(range(len(factors)), size):
            chain = sorted(some, key=lambda i: -factors[i].size)
            if all(nested[pair] for pair in pairwise(chain)) and _weight(chain, factors, effects) > _weight(
                best, factors, effects
            ):
                best = chain
    return best


@dataclass(frozen=True, slots=True)
class Chain:
    """Nested groupings in order of elimination: groups of one parent lie together, parents of one grandparent too.

    Attributes
    ----------
    order : tuple of int
        Positions of the groupings, innermost first.
    labels : tuple of ndarray
        Code of each group of each grouping, in order of elimination.
    starts : tuple of ndarray
        Where the groups of each group of the next grouping begin; of the last grouping 0 and its size.
    places : ndarray of int, shape (J,)
        Place of each innermost group, by its code.
    """

    order: tuple[int, ...]
    labels: tuple[Index, ...]
    starts: tuple[Index, ...]
    places: Index


def chain_of(factors: list[Factor]) -> Chain | None:
    """The chain of groupings that are all nested; None when they are not."""
    if not factors or any(f.weights is not None for f in factors):
        return None
    order = sorted(range(len(factors)), key=lambda i: -factors[i].size)
    holders = []
    for fine, coarse in pairwise(order):
        holder = parents(factors[fine].codes, factors[coarse].codes, factors[fine].size)
        if holder is None:
            return None
        holders.append(holder)
    return link([factors[i].size for i in order], holders, tuple(order))


def link(sizes: list[int], holders: list[Index], order: tuple[int, ...]) -> Chain:
    """A chain from the number of groups of each grouping and what holds each group, innermost first."""
    above = [np.arange(sizes[0])]
    for holder in holders:
        above.append(holder[above[-1]])
    leaves = np.lexsort(above)
    labels, edges = [], []
    for codes in above:
        codes = codes[leaves]
        first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
        labels.append(codes[first])
        edges.append(np.append(first, sizes[0]))
    edges.append(np.array([0, sizes[0]]))
    starts = tuple(np.searchsorted(low, high) for low, high in pairwise(edges))
    places = np.empty(sizes[0], dtype=np.intp)
    places[leaves] = np.arange(sizes[0])
    return Chain(order, tuple(labels), starts, places)


def _weight(chain: list[int], factors: list[Factor], effects: list[int]) -> int:
    return sum(factors[i].size * effects[i] for i in chain)
