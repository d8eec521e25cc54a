"""The batch's own page: the state of every combination, the main estimates side by side, a word on multiplicity."""

import json
import secrets
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from alliance_longitudinal.labels import number
from alliance_longitudinal.reporting.page.render import template
from alliance_longitudinal.reporting.record.hashing import MANIFEST

SCHEMA = "alliance_longitudinal/batch/1"
Row = Mapping[str, Any]


def write_index(folder: Path, rows: Sequence[Row], excluded: int, notes: Sequence[str] = ()) -> None:
    """Write ``index.json`` and ``index.html`` into ``folder``, each replaced as a whole."""
    data = {"schema": SCHEMA, "excluded": excluded, "notes": list(notes), "reports": list(rows)}
    _replace(folder / "index.json", json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    page = template("index.html.j2").render(
        rows=rows,
        counts={s: sum(row["status"] == s for row in rows) for s in ("complete", "failed", "waiting")},
        excluded=excluded,
        notes=notes,
        superseded=_superseded(folder, rows),
        forests=forests(rows),
        intervals=sum(_has_interval(row) for row in rows),
    )
    _replace(folder / "index.html", page)


def _superseded(folder: Path, rows: Sequence[Row]) -> int:
    """Number of reports in ``folder`` that an earlier state of data, code or batch file asked for."""
    current = {row["folder"] for row in rows} | {f"{row['folder']}.failed" for row in rows}
    return sum(path.parent.name not in current for path in folder.glob(f"*/{MANIFEST}"))


def forests(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One forest plot for each estimate and unit that occurs.

    Returns
    -------
    list of dict
        ``title``, ``unit``, ``zero`` (position or None), ``ticks`` (position and text) and ``lines``; positions
        are percentages of the plot's width.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if _has_interval(row):
            estimate = row["estimate"]
            groups.setdefault((estimate["label"], estimate["unit"] or ""), []).append(row)
    return [_forest(label, unit, members) for (label, unit), members in groups.items()]


def _forest(title: str, unit: str, rows: Sequence[Row]) -> dict[str, Any]:
    ends = [row["estimate"][k] for row in rows for k in ("ci_low", "ci_high")]
    low, high = float(min(0.0, *ends)), float(max(0.0, *ends))
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return round(4 + 92 * (value - low) / width, 2)

    ticks = sorted({low, 0.0, high})
    # Words that would run into each other are left out; zero always stays.
    crowded = {a if b == 0 else b for a, b in pairwise(ticks) if place(b) - place(a) < 18}
    return {
        "title": title,
        "unit": unit,
        "zero": place(0.0),
        "ticks": [(place(t), number(t, "estimate")) for t in ticks if t not in crowded],
        "lines": [_line(row, place) for row in rows],
    }


def _line(row: Row, place: Any) -> dict[str, Any]:
    e = row["estimate"]
    return {
        "label": row["label"],
        "folder": row["folder"],
        "at": place(e["estimate"]),
        "low": place(e["ci_low"]),
        "high": place(e["ci_high"]),
        "estimate": number(e["estimate"], "estimate"),
        "interval": f"{number(e['ci_low'], 'estimate')} to {number(e['ci_high'], 'estimate')}",
    }


def _has_interval(row: Row) -> bool:
    estimate = row["estimate"]
    return estimate is not None and None not in (
        estimate["estimate"],
        estimate["ci_low"],
        estimate["ci_high"],
    )


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
