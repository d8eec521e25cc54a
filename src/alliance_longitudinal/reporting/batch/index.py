"""The batch's own page and data: every cell of the grid, the main estimates over clinics, what changed since the last run."""

import base64
import csv
import hashlib
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alliance_longitudinal.labels import harmless_cell, number, with_interval
from alliance_longitudinal.language import tell
from alliance_longitudinal.reporting.batch.changes import FILE
from alliance_longitudinal.reporting.batch.forest import forests
from alliance_longitudinal.reporting.batch.pools import has_interval
from alliance_longitudinal.reporting.page.render import template
from alliance_longitudinal.reporting.record.arguments import as_argument
from alliance_longitudinal.reporting.record.hashing import MANIFEST

SCHEMA = "alliance_longitudinal/batch/2"
_ESTIMATE = ("id", "label", "estimate", "se", "df", "ci_low", "ci_high", "p", "n", "unit")
_SCRIPT = Path(__file__).parents[1] / "page" / "templates" / "sort.js"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the index says.

    Attributes
    ----------
    rows : sequence of mapping
        One for each report of the grid.
    skipped : sequence of mapping
        Cells of the grid that are no report, with the reason: excluded, or the same as another.
    notes : sequence of str
    pools : sequence of mapping
        Main estimates over clinics; empty while the batch runs.
    many : mapping or None
        What many tests mean.
    changes : sequence of mapping
        What is not as it was in the last finished run.
    baseline : mapping or None
        What the next run compares with.
    compared : bool
        Whether there was a last run.
    """

    rows: Sequence[Row]
    skipped: Sequence[Row] = ()
    notes: Sequence[str] = ()
    pools: Sequence[Mapping[str, Any]] = ()
    many: Mapping[str, Any] | None = None
    changes: Sequence[Mapping[str, str]] = ()
    baseline: Mapping[str, Any] | None = None
    compared: bool = field(default=False)


def write_index(folder: Path, overview: Overview) -> None:
    """Write ``batch.json``, ``index.csv`` and ``index.html`` into ``folder``, each replaced as a whole."""
    data = {
        "schema": SCHEMA,
        "notes": list(overview.notes),
        "reports": list(overview.rows),
        "not_run": list(overview.skipped),
        "pools": list(overview.pools),
        "multiplicity": overview.many,
        "changes": list(overview.changes),
        "baseline": overview.baseline,
    }
    _replace(folder / FILE, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _replace(folder / "index.csv", index_csv(overview))
    _replace(folder / "index.html", _page(folder, overview))


def index_csv(overview: Overview) -> str:
    """Every cell of the grid as a line: its settings, its state and reason, its main estimate at full precision."""
    cells = [*overview.rows, *overview.skipped]
    names = list(dict.fromkeys(name for row in cells for name in row["parameters"]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = [
        "study",
        "notebook",
        *names,
        "status",
        "reason",
        "result",
        *_ESTIMATE,
        "p_holm",
        "seconds",
        "folder",
    ]
    writer.writerow(harmless_cell(text) for text in head)
    adjusted = overview.many["adjusted"] if overview.many else {}
    for row in cells:
        estimate = row.get("estimate") or {}
        values = [row["parameters"].get(name) for name in names]
        result = (row.get("result_status") or {}).get("label", "")
        line = [
            *(row["study"], row["notebook"]),
            *("" if v is None else as_argument(v) for v in values),
            *(row["status"], reason(row), result),
            *(estimate.get(key) for key in _ESTIMATE),
            *(adjusted.get(row["folder"]), row.get("seconds"), row["folder"]),
        ]
        writer.writerow(harmless_cell(value) for value in line)
    return out.getvalue()


def reason(row: Row) -> str:
    """Why a cell of the grid has no report; empty if it has one."""
    if row["status"] == "waiting":
        return tell("The batch was stopped before this report. Repeat the command to continue.")
    return str(row["error"]) if row["status"] != "complete" else ""


def _page(folder: Path, overview: Overview) -> str:
    rows = overview.rows
    script = _SCRIPT.read_text(encoding="utf-8")
    adjusted = overview.many["adjusted"] if overview.many else {}
    page: str = template("index.html.j2").render(
        rows=[{**row, "reason": reason(row)} for row in (*rows, *overview.skipped)],
        reports=len(rows),
        counts={s: sum(row["status"] == s for row in rows) for s in ("complete", "failed", "waiting")},
        excluded=len(overview.skipped),
        notes=overview.notes,
        superseded=_superseded(folder, rows),
        forests=forests(rows, overview.pools),
        intervals=sum(map(has_interval, rows)),
        many=overview.many,
        adjusted=adjusted,
        changes=overview.changes,
        compared=overview.compared,
        failures=list(_failures(rows)),
        argument=as_argument,
        number=number,
        with_interval=with_interval,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page


def _failures(rows: Sequence[Row]) -> Iterator[tuple[str, list[str]]]:
    """Each reason of a failure with the reports that it ended, the most frequent first."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == "failed":
            found.setdefault(str(row["error"]), []).append(f"{row['label']} ({row['notebook']})")
    yield from sorted(found.items(), key=lambda item: -len(item[1]))


def _superseded(folder: Path, rows: Sequence[Row]) -> int:
    """Number of reports in ``folder`` that an earlier state of data, code or batch file asked for."""
    current = {row["folder"] for row in rows} | {f"{row['folder']}.failed" for row in rows}
    return sum(path.parent.name not in current for path in folder.glob(f"*/{MANIFEST}"))


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8", newline="")
    draft.replace(path)
