"""Sums over groups that are known by their labels: they merge."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import Factor, factor
from alliance_longitudinal.engine.sources.spill import Spill

#: Bytes that the sums of all groups may take in memory, and how often a fit in memory holds them, in one form or another.
MEMORY = 400_000_000
COPIES = 6


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of each group.

    Attributes
    ----------
    labels : DataFrame, J rows
        Grouping columns; each combination once.
    values : ndarray, shape (J, v)
        Without rows when the sums are in a file.
    counts : ndarray of int, shape (J,)
        Rows of each group.
    """

    labels: pd.DataFrame
    values: Array
    counts: Index

    def __len__(self) -> int:
        return len(self.counts)


def merge(parts: list[Sums]) -> Sums:
    """Add up the sums of equal groups, in the order of the parts; groups come sorted by their labels.

    The list is emptied on the way, so that no part is held longer than it is needed.
    """
    if len(parts) == 1:
        return parts.pop()
    labels = pd.concat([part.labels for part in parts], ignore_index=True)
    coded = factor(labels, tuple(labels.columns))
    values = np.zeros((coded.size, parts[0].values.shape[1]))
    counts = np.zeros(coded.size, dtype=np.intp)
    at = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        codes = coded.codes[at : at + len(part)]
        values[codes] += part.values  # within a part each group occurs once
        counts[codes] += part.counts
        at += len(part)
    return Sums(_first_of_each(labels, coded), values, counts)


def _first_of_each(labels: pd.DataFrame, coded: Factor) -> pd.DataFrame:
    if coded.size == len(labels) and (coded.codes[1:] > coded.codes[:-1]).all():
        return labels
    first = np.empty(coded.size, dtype=np.intp)
    first[coded.codes[::-1]] = np.arange(len(labels) - 1, -1, -1)
    return labels.take(first).reset_index(drop=True)


class Gathered:
    """Sums of many batches, merged before they take much more room than the groups that they are about.

    Batches whose groups come in order share at most one group with the next, and wait for the end.

    Attributes
    ----------
    memory : int
        Bytes that the sums may take in memory in the course of a fit; beyond, they go to a file.
    spill : Spill or None
        That file, in the order of `waiting`.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.waiting: list[Sums] = []
        self.merged = 0
        self.in_order = True
        self.memory, self.held = memory, 0
        self.spill: Spill | None = None

    def add(self, part: Sums) -> None:
        """Take one more part."""
        if self.waiting:
            self.in_order = self.in_order and _follows(self.waiting[-1], part)
        self.waiting.append(part)
        self.held += COPIES * part.values.nbytes
        if self.spill is not None:
            self._put_away()
        groups = sum(map(len, self.waiting))
        if not self.in_order and groups > max(100_000, 2 * self.merged):
            self.settle()
        if self.spill is None and self.held > self.memory:
            self.spill = Spill(part.values.shape[1])
            self._put_away()

    def settle(self) -> Sums:
        """All parts merged."""
        whole = merge(self.waiting) if self.spill is None else self._merge_labels(self.spill)
        self.waiting, self.merged = [whole], len(whole)
        self.held = COPIES * whole.values.nbytes
        return whole

    def _put_away(self) -> None:
        assert self.spill is not None
        for i, part in enumerate(self.waiting):
            if len(part.values):
                self.spill.append(part.values)
                self.waiting[i] = replace(part, values=part.values[:0].copy())

    def _merge_labels(self, spill: Spill) -> Sums:
        """See `merge`; the sums are merged from file to file."""
        columns = self.waiting[0].labels.columns
        kinds = self.waiting[0].labels.dtypes
        numbers = all(isinstance(dtype, np.dtype) and dtype.kind in "iu" for dtype in kinds) and all(
            part.labels.dtypes.equals(kinds) for part in self.waiting
        )
        if self.in_order and numbers:
            return self._join_labels(spill)
        labels = pd.concat([part.labels for part in self.waiting], ignore_index=True)
        before = np.concatenate([part.counts for part in self.waiting])
        none = self.waiting[0].values
        self.waiting = []
        coded = factor(labels, tuple(columns))
        self.spill = spill.regrouped(coded.codes, coded.size)
        counts = np.zeros(coded.size, dtype=np.intp)
        np.add.at(counts, coded.codes, before)
        return Sums(_first_of_each(labels, coded), none, counts)

    def _join_labels(self, spill: Spill) -> Sums:
        """The same for whole numbers in order, without a copy of all: only the last group of a part may come back."""
        parts, none = self.waiting, self.waiting[0].values
        self.waiting = []
        again = [False, *(_label(a, -1) == _label(b, 0) for a, b in pairwise(parts))]
        rows, size = sum(map(len, parts)), sum(map(len, parts)) - sum(again)
        made = {name: np.empty(size, dtype) for name, dtype in parts[0].labels.dtypes.items()}
        places, counts, at, end = np.empty(rows, dtype=np.intp), np.zeros(size, dtype=np.intp), 0, 0
        parts.reverse()
        for back in again:
            part, begin = parts.pop(), end - back
            end = begin + len(part)
            places[at : at + len(part)] = np.arange(begin, end)
            at += len(part)
            counts[begin:end] += part.counts
            for name, values in made.items():
                values[begin:end] = part.labels[name].to_numpy()
        self.spill = spill.regrouped(places, size)
        return Sums(pd.DataFrame(made, copy=False), none, counts)


def _label(part: Sums, at: int) -> tuple[Any, ...]:
    return tuple(part.labels[name].iloc[at] for name in part.labels.columns)


def _follows(before: Sums, after: Sums) -> bool:
    """Whether no group of a part comes before the last one of the part before."""
    try:
        return bool(_label(before, -1) <= _label(after, 0))
    except TypeError:  # labels without an order
        return False
