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
    """Add up the sums of equal groups, in the order of the parts; groups come sorted by their labels."""
    if len(parts) == 1:
        return parts[0]
    labels = pd.concat([part.labels for part in parts], ignore_index=True)
    coded = factor(labels, tuple(labels.columns))
    values = np.zeros((coded.size, parts[0].values.shape[1]))
    counts = np.zeros(coded.size, dtype=np.intp)
    at = 0
    for part in parts:
        codes = coded.codes[at : at + len(part)]
        values[codes] += part.values  # within a part each group occurs once
        counts[codes] += part.counts
        at += len(part)
    first = np.empty(coded.size, dtype=np.intp)
    first[coded.codes[::-1]] = np.arange(len(labels) - 1, -1, -1)
    return Sums(labels.take(first).reset_index(drop=True), values, counts)


class Gathered:
    """Sums of many batches, merged before they take much more room than the groups that they are about."""

    def __init__(self) -> None:
        self.merged: Sums | None = None
        self.waiting: list[Sums] = []

    def add(self, part: Sums) -> None:
        """Take one more part."""
        self.waiting.append(part)
        size = 0 if self.merged is None else len(self.merged)
        if sum(map(len, self.waiting)) > max(100_000, size // 3):
            self.settle()

    def settle(self) -> Sums:
        """All parts merged."""
        parts = [*([] if self.merged is None else [self.merged]), *self.waiting]
        self.merged, self.waiting = merge(parts), []
        return self.merged
