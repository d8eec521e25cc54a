"""Cells for outsiders: counts are rounded, small ones are hidden, and what was computed from a count follows it.

Columns say what they hold (``present.Column``): a ``count`` counts people or their rows; ``of`` names the count that a
number rests on, and ``total`` the count that a count is a part of. Rounding to multiples of the smallest number that may be
shown leaves no difference that tells of fewer people, so totals, parts and sums need no rules of their own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from alliance_longitudinal.counts import Outsiders, Things, decimals_of, limits_of_share
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import for_outsiders

#: What stands in a hidden cell.
HIDDEN = "hidden"
#: Kinds of cells that are no measured numbers.
_AS_THEY_ARE = {"text", "integer"}


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a cell holds a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def safe_row(columns: Sequence[Column], row: Sequence[Any], outsiders: Outsiders) -> list[Any]:
    """The cells of one row as outsiders see them; a hidden one holds `HIDDEN`."""
    cells = dict(zip((c.key for c in columns), row, strict=True))
    kinds = {c.key: c for c in columns}
    spans = _spans(columns, cells)
    return [_cell(c, cells, kinds, spans, outsiders) for c in columns]


def _cell(
    column: Column,
    cells: Mapping[str, Any],
    kinds: Mapping[str, Column],
    spans: Mapping[str, int],
    outsiders: Outsiders,
) -> Any:
    value = cells[column.key]
    if isinstance(value, str):
        return for_outsiders(value, outsiders)
    if not is_number(value) or isinstance(value, Things):
        return value
    if column.kind == "count":
        rounded = outsiders.count(value)
        return HIDDEN if rounded is None else rounded
    n = cells.get(column.of)
    if isinstance(n, Things):
        n = None
    if is_number(n) and outsiders.hides(n):
        return HIDDEN
    if column.kind == "percent" and is_number(n) and not column.modelled:
        return _share(column, value, cells, kinds, outsiders)
    if column.kind in _AS_THEY_ARE:
        return value
    if column.kind == "p":
        return round(value, 3)
    if column.kind == "df":
        return two_digits(value)
    if column.kind == "percent" and not is_number(n):
        return round(value, 3)
    if column.key in spans:
        return round(value, spans[column.key])
    return outsiders.number(value, n if is_number(n) else math.inf)


def _share(
    column: Column,
    value: float,
    cells: Mapping[str, Any],
    kinds: Mapping[str, Column],
    outsiders: Outsiders,
) -> Any:
    """A share of people. ``of`` is the part, if that has a total, else the whole."""
    n: float = cells[column.of]
    total = cells.get(kinds[column.of].total)
    whole = total if is_number(total) else n
    low, high = column.key.endswith("_low"), column.key.endswith("_high")
    middle = cells[_middle_of(column.key)] if low or high else value
    part = n if is_number(total) else middle * n
    share = outsiders.share(part, whole)
    if share is None:
        return HIDDEN
    if low:
        return limits_of_share(share, value, 1.0)[0]
    return limits_of_share(share, 0.0, value)[1] if high else share


def _middle_of(limit: str) -> str:
    """Key of the number that a limit belongs to: ``estimate`` of ``ci_low``, ``x`` of ``x_high``."""
    stem = limit.removesuffix("_low").removesuffix("_high")
    return "estimate" if stem == "ci" else stem


def _spans(columns: Sequence[Column], cells: Mapping[str, Any]) -> dict[str, int]:
    """Decimals of an estimate and its limits: as many as the second digit of the standard error needs.

    With more, the number of people could be solved from the width of the interval.
    """
    decimals: dict[str, int] = {}
    for key in (c.key for c in columns):
        low, high = ("ci_low", "ci_high") if key == "estimate" else (f"{key}_low", f"{key}_high")
        start, end = cells.get(low), cells.get(high)
        if is_number(cells[key]) and is_number(start) and is_number(end):
            needed = decimals_of((end - start) / 3.92)
            decimals |= dict.fromkeys((key, low, high), needed)
            if key == "estimate":
                decimals["se"] = needed
    return decimals


def two_digits(value: float) -> float:
    """A number with two significant digits: degrees of freedom count people almost exactly."""
    return round(value, 1 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else value
