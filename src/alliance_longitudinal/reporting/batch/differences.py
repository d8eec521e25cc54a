"""Reports for outsiders whose difference would tell a small count: which of a batch must not be passed on together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from alliance_longitudinal.language import tell, translated
from alliance_longitudinal.reporting.record.public import is_shareable
from alliance_longitudinal.strict_yaml import read_document

Row = Mapping[str, Any]
#: The smallest count that a report to pass on may show, if the study file does not say.
SMALL_CELLS = 10
_MOST_PAIRS = 10


def small_cells(study: Path) -> int:
    """The smallest count that the study file at ``study`` lets outsiders see."""
    data = read_document(study, "study file").data
    said = data.get("small_cells") if isinstance(data, dict) else None
    return said if isinstance(said, int) else SMALL_CELLS


def telling_pairs(folder: Path, rows: Sequence[Row], limits: Mapping[str, int]) -> list[tuple[str, str]]:
    """Labels of the pairs of reports for outsiders that must not be passed on together.

    Two reports on one study tell a small count if a number of clients that both show differs by fewer than the study's
    smallest count: the clients who are analysed, and those behind each estimate and each row of a table of both.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    rows : sequence of mapping
        The rows of its index.
    limits : mapping
        Smallest count by the study's name.
    """
    shown = [(row, shown_counts(_results(folder, row))) for row in rows if _is_public(row)]
    return [
        (str(a["label"]), str(b["label"]))
        for (a, mine), (b, theirs) in combinations(shown, 2)
        if a["study"] == b["study"] and _tells(mine, theirs, limits.get(a["study"], SMALL_CELLS))
    ]


def shown_counts(results: Mapping[str, Any]) -> dict[str, float]:
    """Every number of clients that a report shows, by what it counts.

    Examples
    --------
    >>> shown_counts({"flow": [{"clients_out": 275}], "estimates": [{"id": "b", "level": "client", "n": 275}]})
    {'analysed': 275, 'estimate b': 275}
    """
    return dict(_counts(results))


def sentence_of(pairs: Sequence[tuple[str, str]]) -> str:
    """What the index says about ``pairs``; nothing if there are none."""
    if not pairs:
        return ""
    named = "; ".join(f"{a} {translated('and')} {b}" for a, b in pairs[:_MOST_PAIRS])
    if len(pairs) > _MOST_PAIRS:
        named += "; " + tell("and {n} more pairs", n=len(pairs) - _MOST_PAIRS)
    return tell(
        "Do not share these reports together. Their numbers of clients differ by so few that the difference reveals a small "
        "count. Share only one report of each pair: {named}.",
        named=named,
    )


def _counts(results: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    flow = results.get("flow") or ()
    if flow and _is_count(flow[-1].get("clients_out")):
        yield "analysed", flow[-1]["clients_out"]
    for estimate in results.get("estimates", ()):
        if estimate.get("level") != "therapist" and _is_count(estimate.get("n")):
            yield f"estimate {estimate['id']}", estimate["n"]
    for table in results.get("tables", ()):
        keys = [column["key"] for column in table["columns"]]
        for row in table["rows"]:
            for key, value in zip(keys, row, strict=True):
                if _counts_clients(key) and _is_count(value):
                    yield f"table {table['name']}, {row[0]}, {key}", value


def _counts_clients(key: str) -> bool:
    return key in {"n", "clients", "n_clients"} or key.startswith(("clients_", "n_clients"))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _tells(mine: Mapping[str, float], theirs: Mapping[str, float], limit: int) -> bool:
    return any(0 < abs(mine[what] - theirs[what]) < limit for what in mine.keys() & theirs.keys())


def _is_public(row: Row) -> bool:
    return row["status"] == "complete" and is_shareable(row["parameters"])


def _results(folder: Path, row: Row) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / row["folder"] / "results.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):  # gone since, or being replaced: it is then not shown either
        return {}
