"""``ro-crate-metadata.json``: what a batch is, for archives and programs, as an RO-Crate 1.1 with the profile Process Run Crate.

Sources: RO-Crate Metadata Specification 1.1 (https://w3id.org/ro/crate/1.1), Process Run Crate 0.5
(https://w3id.org/ro/wfrun/process/0.5). The file names no client, no path of a machine and no time of day, so the same reports give
the same bytes.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alliance_longitudinal.labels import listing
from alliance_longitudinal.reporting.batch.changes import FILE as DATA
from alliance_longitudinal.reporting.record.arguments import as_argument
from alliance_longitudinal.reporting.record.environment import package_versions
from alliance_longitudinal.reporting.record.hashing import MANIFEST
from alliance_longitudinal.reporting.record.manifest import read_manifest
from alliance_longitudinal.reporting.record.public import is_shareable

FILE = "ro-crate-metadata.json"
Row = Mapping[str, Any]
Entity = dict[str, Any]

_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_CONTEXT = [f"{_SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
_SOFTWARE, _LICENCE = "#alliance_longitudinal", "#licence"
#: The batch's own files, and those of a report that are named one by one; the manifest has the hashes of all.
_INDEX = {"index.html": "text/html", "index.csv": "text/csv", DATA: "application/json"}
_OF_REPORT = {
    "report.html": "text/html",
    "report.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "report.pdf": "application/pdf",
    "tables.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "results.json": "application/json",
    "report.ipynb": "application/x-ipynb+json",
}
_WORDS = {
    "index.html": "The index of the reports, to read",
    "index.csv": "Every cell of the grid with its main estimate",
    DATA: "The index as data",
    "report.html": "The report, to read",
    "report.docx": "The report for Word",
    "report.pdf": "The report on paper",
    "tables.xlsx": "The report's tables",
    "results.json": "Every number of the report",
    "report.ipynb": "The notebook as it ran",
    MANIFEST: "Parameters, hashes of inputs and files, versions",
}
#: Parameter that names one person.
_PERSONAL = "client"


def write_crate(folder: Path, rows: Sequence[Row]) -> None:
    """Write the metadata of a batch into its folder; none if there is no report. Reports on a single client are not listed."""
    crate = crate_of(folder, rows)
    path = folder / FILE
    if crate is None:
        path.unlink(missing_ok=True)
        return
    day = _day_before(path, crate) or datetime.fromtimestamp(_now(), UTC).date().isoformat()
    next(e for e in crate["@graph"] if e["@id"] == "./")["datePublished"] = day
    draft = path.with_name(f".{FILE}-{secrets.token_hex(4)}")
    draft.write_text(json.dumps(crate, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="")
    draft.replace(path)


def crate_of(folder: Path, rows: Sequence[Row]) -> dict[str, Any] | None:
    """The metadata, without the day; None if there is no report."""
    tried = [row for row in rows if row["status"] in ("complete", "failed") and not _of_one_person(row)]
    made = {
        row["folder"]: read_manifest(folder / row["folder"]) for row in tried if row["status"] == "complete"
    }
    if not made:
        return None
    shareable = all(is_shareable(m["parameters"]) for m in made.values())
    names = listing(sorted({str(m["analysis"]) for m in made.values()}))
    index = [_file(name, name, kind) for name, kind in _INDEX.items()]
    reports = [e for row in tried if row["folder"] in made for e in _report(folder, row)]
    actions = [e for row in tried for e in _action(row, made.get(row["folder"]))]
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Batch of reports: {names}",
        "description": f"Reports made by alliance_longitudinal ({names}) and their index. Open index.html first.",
        "datePublished": "",
        "license": {"@id": _LICENCE},
        "conformsTo": {"@id": _PROFILE},
        "conditionsOfAccess": "For readers who may not see the data: counts of people are rounded."
        if shareable
        else "For people who may see the data.",
        "hasPart": _ids([*index, *(e for e in reports if e["@type"] == "Dataset")]),
        "mentions": _ids([e for e in actions if e["@type"] == "CreateAction"]),
    }
    about = {
        "@id": FILE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _SPECIFICATION},
        "about": {"@id": "./"},
    }
    every = [about, root, *_context(), *index, *reports, *actions]
    return {"@context": _CONTEXT, "@graph": list({e["@id"]: e for e in every}.values())}


def _context() -> list[Entity]:
    versions = package_versions()
    return [
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": _SOFTWARE,
            "@type": "SoftwareApplication",
            "name": "alliance_longitudinal",
            "version": versions["alliance-longitudinal"],
            "description": "Reports on therapeutic alliance and symptom change in psychotherapy.",
        },
        {
            "@id": _LICENCE,
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "The owner of the data decides who may use these reports. Ask before you pass them on.",
        },
    ]


def _report(folder: Path, row: Row) -> list[Entity]:
    name = row["folder"]
    there = [f for f in (*_OF_REPORT, MANIFEST) if (folder / name / f).is_file()]
    files = [_file(f"{name}/{f}", f, _OF_REPORT.get(f, "application/json")) for f in there]
    return [
        {
            "@id": f"{quote(name)}/",
            "@type": "Dataset",
            "name": f"{row['label']} ({row['notebook']})",
            "description": "One report: the page, its numbers, tables and figures. The manifest has the hash of each file.",
            "hasPart": _ids(files),
        },
        *files,
    ]


def _file(path: str, name: str, kind: str) -> Entity:
    return {"@id": quote(path), "@type": "File", "name": _WORDS[name], "encodingFormat": kind}


def _action(row: Row, manifest: Mapping[str, Any] | None) -> Iterator[Entity]:
    """How a report was made, or that it failed; the index has the reason."""
    place, label = quote(row["folder"]), f"{row['label']} ({row['notebook']})"
    values = {k: v for k, v in row["parameters"].items() if v is not None}
    settings = [
        {
            "@id": f"#{place}/{quote(k)}",
            "@type": "PropertyValue",
            "name": k,
            "value": _without_path(as_argument(v)),
        }
        for k, v in values.items()
    ]
    inputs = list(_inputs(manifest["inputs"])) if manifest else []
    yield {
        "@id": f"#make/{place}",
        "@type": "CreateAction",
        "name": f"Report: {label}",
        "instrument": {"@id": _SOFTWARE},
        "actionStatus": {
            "@id": f"http://schema.org/{'CompletedActionStatus' if manifest else 'FailedActionStatus'}"
        },
        **({"object": _ids([*inputs, *settings])} if inputs or settings else {}),
        **({"result": [{"@id": f"{place}/"}]} if manifest else {"error": "The index says why it failed."}),
    }
    yield from inputs
    yield from settings


def _inputs(hashes: Mapping[str, str]) -> Iterator[Entity]:
    """The data are not part of the crate: only names and hashes of their files."""
    for name, sha256 in sorted(hashes.items(), key=lambda item: item[1]):
        yield {
            "@id": f"#input/{sha256}",
            "@type": "CreativeWork",
            "name": _without_path(name),
            "sha256": sha256,
            "conditionsOfAccess": "Not part of this folder.",
        }


def _of_one_person(row: Row) -> bool:
    return row["parameters"].get(_PERSONAL) is not None


def _without_path(text: str) -> str:
    """The last part of what looks like a place on a machine."""
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] if re.match(r"[~/\\.]|[A-Za-z]:[/\\]", text) else text


def _ids(entities: Sequence[Entity]) -> list[dict[str, str]]:
    return [{"@id": e["@id"]} for e in entities]


def _day_before(path: Path, crate: Mapping[str, Any]) -> str | None:
    """The day of the file that is there, if it says the same of the same reports."""
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        day = str(old["@graph"][1]["datePublished"])
        old["@graph"][1]["datePublished"] = ""
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    return day if old == crate else None


def _now() -> float:
    """Now, or what reproducible builds set as now (https://reproducible-builds.org/specs/source-date-epoch/)."""
    from time import time

    return float(os.environ.get("SOURCE_DATE_EPOCH") or time())
