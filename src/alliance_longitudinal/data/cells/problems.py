"""Everything that is wrong with the tables, collected, so that one error can name all of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Column, Places
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
        at = np.flatnonzero(bad)
        if not len(at):
            return
        if cells.headers is None:  # a client's row in a wide table stands for several sessions; name it once
            at = at[np.unique(_row_keys(cells.places.take(at)), return_index=True)[1]]

        def problem(place: int) -> Problem:
            header = cells.header if cells.headers is None else cells.headers[place]
            where = cells.places
            return Problem(
                where.file(place), where.row(place), header, cells.text[place], rule, message, remedy
            )

        self._add_many(at, problem, cells.places, quoted=True)

    def add_rows(
        self,
        rule: str,
        message: str,
        remedy: str,
        *,
        places: Places,
        at: NDArray[np.intp],
        column: str,
        value: Callable[[int], str],
    ) -> None:
        """Add a problem for each of the rows ``at``; ``value(i)`` describes the i-th and is asked for those kept."""
        order = {int(place): i for i, place in enumerate(at)} if len(at) else {}

        def problem(place: int) -> Problem:
            text = value(order[int(place)]) if order[int(place)] < KEPT else ""
            return Problem(places.file(place), places.row(place), column, text, rule, message, remedy)

        self._add_many(at, problem, places, quoted=False)

    def raise_if_any(self) -> None:
        """Raise one :class:`DataError` with everything collected, if there is anything."""
        if self._kinds:
            kept = [asdict(p) for kind in self._kinds.values() for p in kind.problems]
            raise DataError(self._text(), kept)

    def _add_many(
        self, at: NDArray[np.intp], problem: Callable[[int], Problem], places: Places, *, quoted: bool
    ) -> None:
        """Add a problem for each row of ``at``; beyond those kept, only count them, file by file."""
        for place in at[:KEPT]:
            self._add(problem(int(place)), quoted=quoted)
        rest = at[KEPT:]
        files = np.zeros(len(rest), dtype=np.int32) if places.file_of is None else places.file_of[rest]
        for file in np.unique(files):
            here = rest[files == file]
            kind = self._add(problem(int(here[0])), quoted=quoted)
            kind.count += len(here) - 1

    def _add(self, problem: Problem, *, quoted: bool) -> _Kind:
        key = (problem.file, problem.rule, problem.message, problem.remedy)
        kind = self._kinds.setdefault(key, _Kind(0, [], quoted))
        kind.count += 1
        if len(kind.problems) < KEPT:
            kind.problems.append(problem)
        return kind

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


def _row_keys(places: Places) -> NDArray[np.int64]:
    """One number for each row of each file."""
    if places.file_of is None:
        return places.rows
    return places.file_of.astype(np.int64) * (int(places.rows.max()) + 1) + places.rows


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
