"""Everything that is wrong with the tables, collected, so that one error can name all of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError

SHOWN = 5  # rows of one kind that the text shows
KEPT = 1000  # rows of one kind that ``DataError.problems`` keeps


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and what to do about it. ``row`` counts as in the file, header = 1."""

    file: str
    row: int | None
    column: str
    value: str
    rule: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table as text, with the place of every value.

    Attributes
    ----------
    file : str
    header : str
        The column's name; for a column that is repeated per session, one of ``headers`` holds for each value.
    rows : int array, shape (n,)
    text : object array of str, shape (n,)
        Stripped; empty = nothing there.
    headers : object array of str, shape (n,), or None
    """

    file: str
    header: str
    rows: NDArray[np.int64]
    text: NDArray[np.object_]
    headers: NDArray[np.object_] | None = None

    def take(self, keep: NDArray[np.bool_]) -> "Column":
        """The values where ``keep`` is true."""
        headers = None if self.headers is None else self.headers[keep]
        return Column(self.file, self.header, self.rows[keep], self.text[keep], headers)


@dataclass(slots=True)
class _Kind:
    count: int
    problems: list[Problem]
    quoted: bool  # the values are cells of the file, not descriptions of rows


@dataclass(slots=True)
class Problems:
    """Collects problems while a study is read: ``add`` for one, ``add_cells`` for the values of a column."""

    title: str
    _kinds: dict[tuple[str, str, str, str], _Kind] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(
        self,
        rule: str,
        message: str,
        remedy: str,
        *,
        file: str,
        row: int | None = None,
        column: str = "",
        value: str = "",
    ) -> None:
        """Add one problem."""
        self._add(Problem(file, row, column, value, rule, message, remedy), quoted=True)

    def add_cells(self, rule: str, cells: Column, bad: NDArray[np.bool_], message: str, remedy: str) -> None:
        """Add a problem for each value of ``cells`` where ``bad``, shape (n,), is true."""
        places = np.flatnonzero(bad)
        if cells.headers is None:  # a client's row in a wide table stands for several sessions; name it once
            places = places[np.unique(cells.rows[places], return_index=True)[1]]
        for place in places[:KEPT]:
            header = cells.header if cells.headers is None else str(cells.headers[place])
            row, value = int(cells.rows[place]), str(cells.text[place])
            self._add(Problem(cells.file, row, header, value, rule, message, remedy), quoted=True)
        if len(places) > KEPT:
            self._kinds[(cells.file, rule, message, remedy)].count += len(places) - KEPT

    def add_rows(
        self,
        rule: str,
        message: str,
        remedy: str,
        *,
        file: str,
        column: str,
        rows: NDArray[np.int64],
        value: Callable[[int], str],
    ) -> None:
        """Add a problem for each of ``rows``; ``value(i)`` describes the i-th and is asked for those kept."""
        for place, row in enumerate(rows[:KEPT]):
            self._add(Problem(file, int(row), column, value(place), rule, message, remedy), quoted=False)
        if len(rows) > KEPT:
            self._kinds[(file, rule, message, remedy)].count += len(rows) - KEPT

    def raise_if_any(self) -> None:
        """Raise one :class:`DataError` with everything collected, if there is anything."""
        if self._kinds:
            kept = [asdict(p) for kind in self._kinds.values() for p in kind.problems]
            raise DataError(self._text(), kept)

    def _add(self, problem: Problem, *, quoted: bool) -> None:
        key = (problem.file, problem.rule, problem.message, problem.remedy)
        kind = self._kinds.setdefault(key, _Kind(0, [], quoted))
        kind.count += 1
        if len(kind.problems) < KEPT:
            kind.problems.append(problem)

    def _text(self) -> str:
        total = sum(kind.count for kind in self._kinds.values())
        noun = "problem" if total == 1 else "problems"
        head = f"The data of {self.title!r} cannot be used yet: {total} {noun}"
        if len(self._kinds) > 1 and total > len(self._kinds):
            head += f" of {len(self._kinds)} kinds"
        return "\n".join([f"{head}.", *(self._paragraph(kind) for kind in self._kinds.values())])

    @staticmethod
    def _paragraph(kind: _Kind) -> str:
        first = kind.problems[0]
        lines = ["", f"{first.file}: {first.message}"]
        shown = [p for p in kind.problems[:SHOWN] if p.row is not None or p.column]
        lines += [f"    {_place(p, kind.quoted)}" for p in shown]
        if kind.count > len(shown) and shown:
            lines.append(f"    ... and {kind.count - len(shown)} more")
        lines.append(f"  What to do: {first.remedy}")
        return "\n".join(lines)


def printable(text: str, limit: int = 120) -> str:
    """``text`` cut to ``limit``, with control and direction characters spelled out, safe for a terminal."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def _place(problem: Problem, quoted: bool) -> str:
    parts: list[Any] = []
    if problem.row is not None:
        parts.append(f"row {problem.row}")
    if problem.column:
        parts.append(f"column {problem.column!r}")
    place = ", ".join(parts)
    if not problem.value:
        return place
    return f"{place}: {printable(repr(problem.value) if quoted else problem.value)}"


def some(values: Sequence[object], limit: int = SHOWN) -> str:
    """The first ``limit`` of ``values`` in words, and how many more there are."""
    shown = ", ".join(str(v) for v in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
