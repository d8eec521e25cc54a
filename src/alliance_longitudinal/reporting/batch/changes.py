"""What has changed since the last finished run of a batch, and why."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alliance_longitudinal.labels import listing, number
from alliance_longitudinal.language import tell, translated

Row = Mapping[str, Any]
FILE = "batch.json"
#: What a report is made of -> words for the reader.
_MADE_OF = {
    "data": "the data",
    "study_file": "the study file",
    "notebook": "the notebook",
    "package": "this package",
    "numpy": "numpy",
    "python": "Python",
}


def baseline(folder: Path) -> dict[str, Any] | None:
    """The last finished run in ``folder``, as its ``batch.json`` keeps it; None if there is none."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8")).get("baseline")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("reports"), dict) else None


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What the next run compares with."""
    return {
        "reports": {
            _name(row): {k: row.get(k) for k in ("key", "status", "made_of", "estimate")} for row in rows
        }
    }


def made_of(provenance: Mapping[str, Any]) -> dict[str, str]:
    """What decides a report's numbers, apart from its parameters."""
    from alliance_longitudinal.reporting.record.hashing import data_hash
    from alliance_longitudinal.reporting.record.inputs import study_file

    file = study_file(provenance["study"]).name
    inputs = provenance["inputs"]
    return {
        "data": data_hash(sorted(v for k, v in inputs.items() if k != file)),
        "study_file": inputs.get(file, ""),
        "notebook": provenance["notebook"]["sha256"],
        "package": provenance["package_sha256"],
        "numpy": provenance["versions"]["numpy"],
        "python": provenance["machine"]["python"],
    }


def changes(before: Mapping[str, Any] | None, rows: Sequence[Row]) -> list[dict[str, str]]:
    """A line for each report that is not as it was: ``label``, ``what``, ``why``, and the estimate ``before`` and ``now``.

    Parameters
    ----------
    before : mapping or None
        From :func:`baseline`; without one there is nothing to compare.
    rows : sequence of mapping
        The rows of this run.
    """
    if before is None:
        return []
    old: Mapping[str, Any] = before["reports"]
    names = {_name(row) for row in rows}
    found = [line for row in rows for line in _of(row, old.get(_name(row)))]
    gone = [
        _line(name, tell("gone"), tell("The batch file no longer asks for it."), old[name], None)
        for name in old
        if name not in names
    ]
    return found + gone


def _of(row: Row, was: Mapping[str, Any] | None) -> Iterator[dict[str, str]]:
    if row["status"] == "waiting":
        return
    if was is None:
        yield _line(_name(row), tell("new"), tell("The batch file did not ask for it before."), None, row)
    elif row["status"] != was["status"]:
        what = tell("failed") if row["status"] == "failed" else tell("complete now")
        yield _line(_name(row), what, _why(row, was), was, row)
    elif row["key"] != was["key"]:
        yield _line(_name(row), tell("made again"), _why(row, was), was, row)


def _why(row: Row, was: Mapping[str, Any]) -> str:
    now, then = row.get("made_of") or {}, was.get("made_of") or {}
    names = [translated(words) for key, words in _MADE_OF.items() if now.get(key) != then.get(key)]
    if row["status"] == "failed" and row.get("error"):
        return str(row["error"])
    if not names:
        return (
            tell("A parameter of the analysis, or its default, has changed.")
            if row["key"] != was["key"]
            else tell("It was tried again.")
        )
    said = listing(names)
    return tell("{what} changed.", what=f"{said[0].upper()}{said[1:]}")


def _line(
    name: str, what: str, why: str, was: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> dict[str, str]:
    return {"label": name, "what": what, "why": why, "before": _shown(was), "now": _shown(now)}


def _shown(row: Mapping[str, Any] | None) -> str:
    estimate = None if row is None else row.get("estimate")
    return "" if estimate is None else number(estimate["estimate"], "estimate")


def _name(row: Row) -> str:
    return f"{row['label']} ({row['notebook']})"
