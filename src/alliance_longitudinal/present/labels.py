"""Numbers and names as people read them."""

import math

MINUS = "\u2212"


def number(value: object, kind: str = "number") -> str:
    """Format one cell.

    Parameters
    ----------
    value : object
        A number, text, or None / NaN for "not available".
    kind : {"number", "estimate", "p", "integer", "percent", "df", "text"}
        ``estimate`` and ``number`` keep about three significant digits; ``percent`` takes a share of 1.

    Examples
    --------
    >>> number(-0.01234), number(0.0004, "p"), number(0.256, "percent")
    ('\u22120.0123', '< .001', '26 %')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "\u2013"
    if kind == "text" or isinstance(value, str):
        return str(value)
    x = float(value)  # type: ignore[arg-type]
    if kind == "p":
        return "< .001" if x < 0.001 else f"{x:.3f}".lstrip("0")
    if math.isinf(x):
        return f"{MINUS if x < 0 else ''}\u221e"
    if kind == "integer":
        text = f"{round(x):,}".replace(",", "\u202f")
    elif kind == "percent":
        text = f"{100 * x:.0f} %" if abs(x) >= 0.10 or x == 0 else f"{100 * x:.1f} %"
    elif kind == "df":
        text = f"{x:.0f}" if x >= 100 else f"{x:.1f}"
    else:
        text = _significant(x)
    return text.replace("-", MINUS)


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


def interval(low: float, high: float, kind: str = "number") -> str:
    """``low to high``, both with the decimals that the larger one needs."""
    if kind == "number" and math.isfinite(low) and math.isfinite(high):
        _, _, decimals = _significant(max(abs(low), abs(high))).partition(".")
        return f"{low:.{len(decimals)}f} to {high:.{len(decimals)}f}".replace("-", MINUS)
    return f"{number(low, kind)} to {number(high, kind)}"


def amount(value: float, kind: str = "number") -> str:
    """A size without its sign, for sentences that say the direction in words."""
    return number(abs(value), kind)


def listing(words: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 client``, ``57 clients``."""
    return f"{number(n, 'integer')} {one if n == 1 else many or one + 's'}"
