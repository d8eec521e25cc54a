"""Opens a finished report's state again: a copy of its executed notebook, with its parameters, to work on in JupyterLab."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError, StudyError, UsageError
from alliance_longitudinal.reporting.record.environment import package_versions
from alliance_longitudinal.reporting.record.hashing import package_hash
from alliance_longitudinal.reporting.record.inputs import DEMO, input_hashes, study_argument
from alliance_longitudinal.reporting.record.manifest import altered_files, read_manifest
from alliance_longitudinal.reporting.record.public import is_shareable
from alliance_longitudinal.reporting.record.troubles import words_of

NOTEBOOK = "report.ipynb"
#: The Python that runs this: a notebook's own name of a kernel may be one of another machine.
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True, slots=True)
class Reopened:
    """A copy of a report's notebook.

    Attributes
    ----------
    notebook : Path
    notes : tuple of str
        What is no longer as it was when the report was made.
    kept : bool
        Whether the copy was there already, with the work of its owner, and was left as it is.
    """

    notebook: Path
    notes: tuple[str, ...] = ()
    kept: bool = False


def reopen(folder: str | Path, out: str | Path | None = None, *, study: str | Path | None = None) -> Reopened:
    """Copy the executed notebook of the report in ``folder``, so that running it gives the same numbers.

    The report itself is not touched. A copy that is there already is not written over.

    Parameters
    ----------
    folder : path
        A finished report.
    out : path, optional
        Folder of the copy; by default ``<folder>.open``.
    study : path, optional
        The study file; needed for a report made for sharing, which does not say where it is.

    Raises
    ------
    ReportError
        If there is no complete report, or its notebook was changed, or the copy cannot be written.
    UsageError
        If ``study`` is needed.
    """
    folder = Path(folder).expanduser().resolve()
    manifest = read_manifest(folder)
    if manifest["status"] != "complete":
        raise ReportError(f"The report in {folder} failed when it was made, so there is no state to open.")
    if NOTEBOOK in altered_files(folder, manifest):
        raise ReportError(f"{folder / NOTEBOOK} was changed or removed after the report was made.")
    source = _study(manifest, study)
    notes = tuple(_changes(manifest, source))
    place = folder.with_name(f"{folder.name}.open") if out is None else Path(out).expanduser().resolve()
    copy = place / f"{manifest['analysis']}.ipynb"
    if copy.exists():
        return Reopened(copy, notes, kept=True)
    content = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))
    _point_to(content, source)
    content["metadata"]["kernelspec"] = dict(_KERNEL)
    content["cells"].insert(0, _first_cell(manifest, folder.name, notes))
    try:
        place.mkdir(parents=True, exist_ok=True)
        copy.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"The copy {copy} cannot be written: {words_of(error)}") from None
    return Reopened(copy, notes)


def _study(manifest: Mapping[str, Any], study: str | Path | None) -> str:
    if study is not None:
        return study_argument(study)
    if is_shareable(manifest["parameters"]) and manifest["study"] != DEMO:
        raise UsageError(
            "This is a shareable report, which does not say where its study file is. Name the study file: "
            "alliance open DIR --study STUDY.yaml"
        )
    return str(manifest["study"])


def _changes(manifest: Mapping[str, Any], study: str) -> Iterator[str]:
    """A sentence for each thing that is not as it was."""
    try:
        now = input_hashes(study)
    except StudyError as error:
        yield f"The study cannot be read any more: {error}"
        now = dict(manifest["inputs"])
    if sorted(now.values()) != sorted(manifest["inputs"].values()):
        yield "The study file or its data have changed since the report was made, so the numbers may differ."
    if package_hash() != manifest["package_sha256"]:
        yield "The report was made with another version of this package."
    then, versions = manifest["versions"], package_versions()
    changed = [
        f"{n} {then[n]} (now {versions.get(n, 'missing')})" for n in then if versions.get(n) != then[n]
    ]
    if changed:
        yield f"Packages have changed: {', '.join(changed)}."


def _point_to(content: Mapping[str, Any], study: str) -> None:
    """Put the study's place into the cell with the parameters of the run."""
    for cell in content["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", ()):
            text = "".join(cell["source"])
            lines = [
                f"study = {study!r}" if line.startswith("study = ") else line for line in text.splitlines()
            ]
            cell["source"] = "\n".join(lines)


def _first_cell(manifest: Mapping[str, Any], name: str, notes: tuple[str, ...]) -> dict[str, Any]:
    words = [
        f"**The state of the report `{name}`** ({manifest['key'][:8]}), made on {manifest['started'][:10]}.",
        "The outputs below are those of the report. Running all cells makes them again. This is a copy: the report itself "
        "does not change.",
        *(f"*{note}*" for note in notes),
    ]
    return {
        "cell_type": "markdown",
        "id": "state-of-the-report",
        "metadata": {},
        "source": "\n\n".join(words),
    }
