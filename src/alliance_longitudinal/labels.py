"""Numbers and names as people read them."""

import math
import re
from collections.abc import Sequence
from typing import Any

from alliance_longitudinal.language import ENGLISH, decimal_mark, language, noun, translated

MINUS = "\u2212"
#: The space between a number and its unit: a line never ends there.
NO_BREAK = "\u00a0"


def number(value: object, kind: str = "number") -> str:
    r"""Format one cell.

    Parameters
    ----------
    value : object
        A number, text, or None / NaN for "not available".
    kind : {"number", "estimate", "p", "integer", "count", "percent", "df", "text"}
        ``estimate`` and ``number`` keep about three significant digits; ``percent`` takes a share of 1.

    Examples
    --------
    >>> number(-0.01234), number(0.0004, "p"), number(0.256, "percent")
    ('\u22120.0123', '< .001', '26\xa0%')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "\u2013"
    if kind == "text" or isinstance(value, str):
        return str(value)
    x = float(value)  # type: ignore[arg-type]
    if kind == "p":
        text = "< 0.001" if x < 0.001 else f"{x:.3f}"
        return text.replace("0.", ".", 1) if language() == ENGLISH else decimal_mark(text)
    if math.isinf(x):
        return f"{MINUS if x < 0 else ''}\u221e"
    if kind in ("integer", "count"):
        text = f"{round(x):,}".replace(",", "\u202f")
    elif kind == "percent":
        text = f"{100 * x:.{0 if abs(x) >= 0.10 or x == 0 else 1}f}{NO_BREAK}%"
    elif kind == "df":
        text = f"{x:.0f}" if x >= 100 else f"{x:.1f}"
    else:
        text = _significant(x)
    return decimal_mark(text.replace("-", MINUS))


def _significant(x: float) -> str:
    size = abs(x)
    if size >= 100:
        return f"{x:.0f}"
    if size >= 10:
        return f"{x:.1f}"
    if size >= 1:
        return f"{x:.2f}"
    if size >= 0.1 or size < 0.00005:
        return f"{x:.3f}" if size else "0"
    return f"{x:.4f}"


def row(values: Sequence[object], keys: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """The cells of one row; an estimate and the ends of its interval get the decimals that the largest needs.

    They belong together if their keys are ``estimate, ci_low, ci_high`` or ``x, x_low, x_high``.
    """
    texts = [number(v, k) for v, k in zip(values, kinds, strict=True)]
    place = {key: i for i, key in enumerate(keys) if kinds[i] in ("number", "estimate")}
    for key in place:
        low, high = ("ci_low", "ci_high") if key == "estimate" else (f"{key}_low", f"{key}_high")
        trio = [place[k] for k in (key, low, high) if k in place]
        found = [values[i] for i in trio]
        if len(trio) == 3 and all(isinstance(v, int | float) and math.isfinite(v) for v in found):
            for i, text in zip(trio, _alike([float(v) for v in found]), strict=True):  # type: ignore[arg-type]
                texts[i] = text
    return texts


def with_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """A value and ``low to high``, with equal decimals."""
    if not all(map(math.isfinite, (value, low, high))):
        return number(value), interval(low, high)
    shown, *ends = _alike([value, low, high])
    return shown, _to().join(ends)


def _alike(values: Sequence[float]) -> list[str]:
    """Numbers with the decimals that the largest of them needs."""
    _, _, decimals = _significant(max(abs(v) for v in values)).partition(".")
    return [decimal_mark(f"{v:z.{len(decimals)}f}".replace("-", MINUS)) for v in values]


def _to() -> str:
    """What stands between the ends of an interval."""
    return f" {translated('to')} "


def interval(low: float, high: float, kind: str = "number") -> str:
    """``low to high``, both with the decimals that the larger one needs."""
    if kind == "number" and math.isfinite(low) and math.isfinite(high):
        return _to().join(_alike([low, high]))
    return f"{number(low, kind)}{_to()}{number(high, kind)}"


def listing(words: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {translated(last)} {words[-1]}"


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless_cell(value: Any) -> Any:
    """A cell of a CSV file; text that a spreadsheet would run as a formula gets an apostrophe."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return "" if value is None else value


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 client``, ``57 clients``."""
    return f"{number(n, 'integer')} {noun(one, many or '', single=n == 1)}"


def another_name(column: str) -> str:
    """A sentence that offers a name for a column whose own name, as other programs write it, does not do; empty if none comes to mind.

    Examples
    --------
    >>> another_name("Group.x")
    " Give it another name here, and its column after it, such as group_x: 'Group.x'."
    """
    plain = re.sub("[^a-z0-9_]+", "_", column.casefold()).strip("_")
    plain = plain if plain[:1].isalpha() else f"x_{plain}"
    return (
        f" Give it another name here, and its column after it, such as {plain}: {column!r}."
        if len(plain) > 2
        else ""
    )
