"""Sums over groups that are known by their labels: they merge."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.design.groups import factor

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of each group.

    Attributes
    ----------
    labels : DataFrame, J rows
        Grouping columns; each combination once.
    values : ndarray, shape (J, v)
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
    first = np.empty(coded.size, dtype=np.intp)
    first[coded.codes[::-1]] = np.arange(len(labels) - 1, -1, -1)
    return Sums(labels.take(first).reset_index(drop=True), values, counts)


class Gathered:
    """Sums of many batches, merged before they take much more room than the groups that they are about.

    Batches whose groups come in order share at most one group with the next, and wait for the end.
    """

    def __init__(self) -> None:
        self.waiting: list[Sums] = []
        self.merged = 0
        self.in_order = True

    def add(self, part: Sums) -> None:
        """Take one more part."""
        if self.waiting:
            self.in_order = self.in_order and _follows(self.waiting[-1], part)
        self.waiting.append(part)
        groups = sum(map(len, self.waiting))
        if not self.in_order and groups > max(100_000, 2 * self.merged):
            self.settle()

    def settle(self) -> Sums:
        """All parts merged."""
        whole = merge(self.waiting)
        self.waiting, self.merged = [whole], len(whole)
        return whole


def _follows(before: Sums, after: Sums) -> bool:
    """Whether no group of a part comes before the last one of the part before."""
    try:
        return bool(tuple(before.labels.iloc[-1]) <= tuple(after.labels.iloc[0]))
    except TypeError:  # labels without an order
        return False
