"""Counts of people or rows in tables: which are hidden.

A count from 1 to ``smallest - 1`` is hidden (primary). Where a total is known, one hidden part, or hidden parts that
add up to less than ``smallest``, could be worked out by subtraction: then the next smallest part is hidden too
(complementary). A number that was computed from a hidden count is hidden with it. Zero is shown: nobody can be
recognised in an empty cell, and a reader has to know that it is empty. Rules after Hundepool et al. 2012, Statistical
disclosure control, chapter 4.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alliance_longitudinal.present.tables import Table

#: What stands in a hidden cell.
HIDDEN = "hidden"
Cell = tuple[int, int]


def is_count(value: Any) -> bool:
    """Whether a cell holds a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def small(value: Any, smallest: int) -> bool:
    """Whether a cell counts somebody, but fewer than ``smallest``."""
    return is_count(value) and 0 < value < smallest


def complement(parts: Sequence[Any], hidden: set[int], smallest: int) -> set[int]:
    """Positions to hide so that no hidden part of a known total can be worked out, or known to be small.

    Parameters
    ----------
    parts : sequence
        The parts; what is not a number counts as absent.
    hidden : set of int
        Positions that are hidden already.
    """
    out = set(hidden)
    while out:
        lost = sum(parts[i] for i in out if is_count(parts[i]))
        left = [i for i, v in enumerate(parts) if i not in out and is_count(v) and v > 0]
        if not left or (len(out) >= 2 and lost >= smallest):
            break
        out.add(min(left, key=lambda i: parts[i]))
    return out


def hidden_cells(table: Table, smallest: int) -> set[Cell]:
    """Rows and columns of the cells that must not be shown."""
    keys = [c.key for c in table.columns]
    counts = [i for i, c in enumerate(table.columns) if c.kind == "count"]
    hidden = {(r, i) for r, row in enumerate(table.rows) for i in counts if small(row[i], smallest)}
    before = -1
    while len(hidden) != before:  # hiding in a row can make it necessary in a column, and the other way round
        before = len(hidden)
        for r, row in enumerate(table.rows):
            hidden |= {(r, i) for i in _in_row(table, keys, row, {i for s, i in hidden if s == r}, smallest)}
        for key in table.parts:
            i = keys.index(key)
            for rows in _groups(table, keys):
                known = {k for k, r in enumerate(rows) if (r, i) in hidden}
                found = complement([table.rows[r][i] for r in rows], known, smallest)
                hidden |= {(rows[k], i) for k in found}
    derived = [(i, keys.index(c.of)) for i, c in enumerate(table.columns) if c.of]
    return hidden | {(r, i) for r in range(len(table.rows)) for i, source in derived if (r, source) in hidden}


def _groups(table: Table, keys: list[str]) -> list[list[int]]:
    """Rows whose parts add up together."""
    if not table.parts_by:
        return [list(range(len(table.rows)))]
    by: dict[Any, list[int]] = {}
    for r, row in enumerate(table.rows):
        by.setdefault(row[keys.index(table.parts_by)], []).append(r)
    return list(by.values())


def _in_row(table: Table, keys: list[str], row: tuple[Any, ...], hidden: set[int], smallest: int) -> set[int]:
    """Columns of one row to hide: parts that add up to a column of totals."""
    out = set(hidden)
    for total in {c.total for c in table.columns if c.total}:
        members = [i for i, c in enumerate(table.columns) if c.total == total]
        if keys.index(total) in out:
            out |= {i for i in members if is_count(row[i]) and row[i] > 0}
            continue
        found = complement(
            [row[i] for i in members], {k for k, i in enumerate(members) if i in out}, smallest
        )
        out |= {members[k] for k in found}
    return out


def protect_table(table: Table, smallest: int) -> tuple[Table, int]:
    """The table with its small counts hidden, and how many cells that took."""
    hidden = hidden_cells(table, smallest)
    if not hidden:
        return table, 0
    rows = tuple(
        tuple(HIDDEN if (r, i) in hidden else v for i, v in enumerate(row))
        for r, row in enumerate(table.rows)
    )
    return replace(table, rows=rows), len(hidden)


def hide_near(table: Table, shown: list[float], smallest: int) -> tuple[Table, int]:
    """Hide whole-sample counts that differ by a few from one that is shown: the difference would be a small cell.

    Parameters
    ----------
    shown : list of number
        Counts that the reader knows already; those that stay are added to it.
    """
    free = [
        i
        for i, c in enumerate(table.columns)
        if c.kind == "count" and not c.total and c.key not in table.parts
    ]
    rows, hidden = [list(row) for row in table.rows], 0
    for row in rows:
        for i in free:
            if not is_count(row[i]):
                continue
            if any(0 < abs(row[i] - v) < smallest for v in shown):
                gone = _with_parts(table, row, i)
                for k in gone:
                    row[k] = HIDDEN
                hidden += len(gone)
            else:
                shown.append(row[i])
    return (replace(table, rows=tuple(map(tuple, rows))) if hidden else table), hidden


def hide_n(table: Table, labels: frozenset[str]) -> Table:
    """Hide the ``n`` of rows that show an estimate, known by its label, whose ``n`` is hidden."""
    keys = [c.key for c in table.columns]
    if not labels or not {"label", "n"} <= set(keys):
        return table
    name, hide = keys.index("label"), {keys.index(k) for k in ("n", "df") if k in keys}
    rows = tuple(
        tuple(HIDDEN if i in hide and row[name] in labels else v for i, v in enumerate(row))
        for row in table.rows
    )
    return replace(table, rows=rows)


def _with_parts(table: Table, row: Sequence[Any], total: int) -> list[int]:
    """A column of totals, its parts that are not empty (they add up to it), and what was computed from these."""
    keys = [c.key for c in table.columns]
    parts = [i for i, c in enumerate(table.columns) if c.total == keys[total] and is_count(row[i]) and row[i]]
    counts = {keys[k] for k in (total, *parts)}
    return [total, *parts, *(i for i, c in enumerate(table.columns) if c.of in counts)]


def hide_rows(table: Table, ids: frozenset[str]) -> Table:
    """Hide the numbers of rows that show a hidden estimate."""
    if not ids.intersection(table.row_ids):
        return table
    numbers = [c.kind != "text" and c.key != "n" for c in table.columns]
    rows = tuple(
        tuple(HIDDEN if hide and name in ids else v for v, hide in zip(row, numbers, strict=True))
        for row, name in zip(table.rows, table.row_ids, strict=True)
    )
    return replace(table, rows=rows)
