"""``manifest.json``: what ran, on what, with what outcome. Written last: where it is, the folder is whole."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.language import ENGLISH
from alliance_longitudinal.reporting.record.environment import machine, package_versions
from alliance_longitudinal.reporting.record.hashing import (
    MANIFEST,
    data_hash,
    file_hash,
    folder_hashes,
    package_hash,
)
from alliance_longitudinal.reporting.record.notebooks import Notebook
from alliance_longitudinal.reporting.record.outcome import Outcome

SCHEMA = "alliance_longitudinal/manifest/1"
_OWN_HASH = "manifest_sha256"


def report_key(
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    notebook_sha256: str,
    plan_sha256: str | None = None,
    formats: Sequence[str] = (),
    language: str = ENGLISH,
) -> str:
    """Identity of a report: equal keys mean equal numbers, on the same machine to the last bit."""
    versions = package_versions()
    return data_hash(
        {
            "parameters": parameters,
            "inputs": sorted(inputs.values()),
            "notebook": notebook_sha256,
            "package": [versions["alliance-longitudinal"], package_hash()],
            "python": machine()["python"],
            "numpy": versions["numpy"],
            **({} if plan_sha256 is None else {"plan": plan_sha256}),
            **({"formats": list(formats)} if formats else {}),
            **({} if language == ENGLISH else {"language": language}),
        }
    )


def provenance(
    study: str,
    notebook: Notebook,
    notebook_argument: str,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    plan: Mapping[str, Any] | None = None,
    formats: Sequence[str] = (),
    language: str = ENGLISH,
) -> dict[str, Any]:
    """The part of the manifest that is known before the run; ``plan`` is the plan's record if there is one."""
    sealed = None if plan is None else str(plan["plan_sha256"])
    return {
        "schema": SCHEMA,
        "key": report_key(parameters, inputs, notebook.sha256, sealed, formats, language),
        "analysis": notebook.analysis.name,
        "study": study,
        "parameters": dict(parameters),
        "inputs": dict(inputs),
        "notebook": {
            "argument": notebook_argument,
            "name": notebook.path.name,
            "sha256": notebook.sha256,
            "modified": notebook.modified,
        },
        "package_sha256": package_hash(),
        "versions": package_versions(),
        "machine": machine(),
        **({} if plan is None else {"plan": dict(plan)}),
        **({"formats": list(formats)} if formats else {}),
        **({} if language == ENGLISH else {"language": language}),
    }


def write_manifest(
    folder: Path, before: Mapping[str, Any], outcome: Outcome, seconds: float
) -> dict[str, Any]:
    """Write the manifest of what stands in ``folder``, hashes of all its files included."""
    manifest = dict(before) | {
        "status": "complete" if outcome.ok else "failed",
        "result_status": dict(outcome.status) or None,
        "error": None if outcome.ok else {"kind": outcome.kind, "message": outcome.public_message},
        "seed": outcome.seed,
        "environment": dict(outcome.environment),
        "seconds": round(seconds, 1),
        "outputs": {k: v for k, v in folder_hashes(folder).items() if not k.startswith("private/")},
    }
    manifest[_OWN_HASH] = data_hash(manifest)
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a report's folder.

    Raises
    ------
    ReportError
        If there is none, or it was altered since it was written.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        sealed = manifest.pop(_OWN_HASH)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise ReportError(
            f"{folder} has no readable {MANIFEST}, so it is not a report. Name the folder of a report."
        ) from None
    if manifest.get("schema") != SCHEMA or data_hash(manifest) != sealed:
        raise ReportError(
            f"{path} was changed after the report was made, so the report cannot be verified. Make the "
            "report again."
        )
    return dict(manifest)


def altered_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files of the report that changed or vanished since it was made."""
    return [
        name
        for name, sha256 in manifest["outputs"].items()
        if not (folder / name).is_file() or file_hash(folder / name) != sha256
    ]
