"""Headers of items that a pattern misses by leading zeros, capital letters or the mark before the number."""

import re
from collections.abc import Mapping, Sequence

from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.readers.tables import RawTable

_ITEM = re.compile(r"\{item(:[^}]*)?\}")


def report_item_patterns(
    table: RawTable,
    headers: Sequence[str],
    patterns: Mapping[str, str],
    wanted: Mapping[str, Sequence[str]],
    problems: Problems,
) -> frozenset[str]:
    """Report patterns of which headers are missing, but for which another spelling has all; the headers so explained.

    Parameters
    ----------
    headers : sequence of str
        The table's headers; in a wide table, without the sessions.
    patterns : mapping of str to str
        By measure, such as ``wai_{item}``.
    wanted : mapping of str to sequence of str
        By measure: the headers that the pattern stands for.
    """
    explained: set[str] = set()
    for name, pattern in patterns.items():
        if set(wanted[name]) <= set(headers):
            continue
        found = _other_spelling(pattern, headers, len(wanted[name]))
        if found is not None and found[0] != pattern:
            right, example = found
            problems.add(
                "item_pattern",
                f"no column is called {wanted[name][0]!r}, as {pattern!r} says, but there is {example!r}.",
                f"write 'items: \"{right}\"' below {name!r} in the study file.",
                file=table.file,
                column=wanted[name][0],
            )
            explained |= set(wanted[name])
    return frozenset(explained)


def _other_spelling(pattern: str, headers: Sequence[str], n_items: int) -> tuple[str, str] | None:
    """The pattern that most headers follow which are alike but for zeros, capitals and marks; and one of them."""
    before, after = (_loose(part) for part in (_ITEM.split(pattern)[0], _ITEM.split(pattern)[-1]))
    shape = re.compile(f"({before})([0-9]+)({after})", re.IGNORECASE)
    spellings: dict[str, list[str]] = {}
    for header in headers:
        match = shape.fullmatch(header)
        if match:
            head, number, tail = match.groups()
            width = f":0{len(number)}d" if number.startswith("0") else ""
            spellings.setdefault(f"{head}{{item{width}}}{tail}", []).append(header)
    if not spellings:
        return None
    right, like_it = max(spellings.items(), key=lambda item: ("0" in item[0], len(item[1])))
    return (right, like_it[0]) if sum(map(len, spellings.values())) >= n_items else None


def _loose(part: str) -> str:
    """An expression for ``part`` in which any mark, or none, may be in the place of a mark."""
    pieces = [re.escape(piece) for piece in re.split("[-_. ]", part) if piece]
    return "[-_. ]?".join(["", *pieces, ""] if pieces else ["", ""])
