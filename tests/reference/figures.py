"""One number beside its reference, tables of them, and what a topic of the page of validation is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number beside its reference.

    Attributes
    ----------
    tolerance : float
        Absolute: how far the two may differ for what the reference itself is uncertain about.
    program : str
        Program and version of the reference, if not those of the whole table.
    """

    quantity: str
    reference: float
    ours: float
    tolerance: float
    program: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the two are as near as the reference is exact; a lower criterion is always right."""
        if self.quantity.endswith("criterion") and self.ours < self.reference:
            return True
        return bool(abs(self.ours - self.reference) <= self.tolerance)


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of one model or data set.

    Attributes
    ----------
    text : str
        What was fitted, in Markdown.
    program : str
        Program and version of every reference that names no other.
    """

    title: str
    text: str
    program: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A section of the page.

    Attributes
    ----------
    made : str
        A sentence on how the reference was made.
    tolerance : str
        What counts as agreement, and why.
    absent : tuple of str
        What could not be compared because its rows are not on this machine.
    """

    title: str
    made: str
    tolerance: str
    tables: tuple[Table, ...]
    absent: tuple[str, ...] = field(default=())

    @property
    def figures(self) -> list[Figure]:
        """Those of all tables."""
        return [figure for table in self.tables for figure in table.figures]


def beside(
    names: Iterable[str],
    references: Iterable[float],
    ours: Iterable[float],
    rtol: float = 0.0,
    atol: float = 0.0,
    program: str = "",
) -> list[Figure]:
    """Three lists as figures; the tolerance is ``atol`` and ``rtol`` times the reference."""
    return [
        Figure(name, float(theirs), float(mine), atol + rtol * abs(float(theirs)), program)
        for name, theirs, mine in zip(names, references, ours, strict=True)
    ]


def printed(quantity: str, text: str, ours: float, program: str = "", units: float = 0.6) -> Figure:
    """A figure known as it was printed: it may be off by half a unit of its last digit, and by rounding in double."""
    digits = len(text.partition(".")[2])
    return Figure(
        quantity, float(text), float(ours), units * 10.0**-digits + 1e-14 * abs(float(text)), program
    )


def where_at_hand(
    items: Iterable[Item], name: Callable[[Item], str], table: Callable[[Item], Table]
) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Tables of what has its rows on this machine, and the names of the rest."""
    tables, absent = [], []
    for item in items:
        try:
            tables.append(table(item))
        except FileNotFoundError:
            absent.append(name(item))
    return tuple(tables), tuple(absent)


def matrix_names(levels: Iterable[str], columns: Iterable[str]) -> list[str]:
    """Names of the cells of a table, row by row."""
    columns = list(columns)
    return [f"{level}: {column}" for level in levels for column in columns]


def flat(table: object) -> list[float]:
    """All numbers of a table, row by row."""
    return [float(value) for value in np.asarray(table, dtype=float).ravel()]
