"""Makes a report again from its manifest and compares every file with it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError, StudyError, UsageError
from alliance_longitudinal.reporting.record.hashing import MANIFEST
from alliance_longitudinal.reporting.record.inputs import DEMO, input_hashes
from alliance_longitudinal.reporting.record.manifest import altered_files, read_manifest
from alliance_longitudinal.reporting.record.notebooks import Registry
from alliance_longitudinal.reporting.record.public import is_shareable
from alliance_longitudinal.reporting.record.trust import refuse_foreign
from alliance_longitudinal.reporting.run.compare import compare_folders
from alliance_longitudinal.reporting.run.process import OnEvent, stop_on_signals
from alliance_longitudinal.reporting.run.report import DEADLINE_SECONDS, Limits, Request, prepare, run_request


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it.

    Attributes
    ----------
    problems : tuple of str
        Sentences; none if the report holds.
    notes : tuple of str
        Other versions of what made the report. With any of them only numbers were compared.
    compared : int
        Numbers compared, in ``results.json`` and in the tables.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    compared: int

    @property
    def ok(self) -> bool:
        """Whether everything that was compared came out again."""
        return not self.problems


def verify_report(
    folder: str | Path,
    *,
    study: str | Path | None = None,
    notebook: str | None = None,
    deadline: float = DEADLINE_SECONDS,
    on_event: OnEvent | None = None,
    trust: bool = True,
    registry: Registry | None = None,
    notebooks: Path | None = None,
) -> Verification:
    """Make the report in ``folder`` again beside it and compare every file.

    With the same versions every file is compared: tables and results number by number, pictures, page and notebook
    line by line. With other versions, named in ``notes``, the numbers are compared.

    Parameters
    ----------
    folder : path
        The report's folder.
    study : path, optional
        The study file. A report made for sharing does not say where it is; other reports do.
    notebook : str, optional
        Your own notebook, if a report made for sharing was made with one.
    deadline : float
        Seconds that making it again may take.
    on_event : callable, optional
        Called with each event of the run.
    trust : bool
        Whether to run a notebook that is not the package's if it, or the report, plainly came from somebody else.
    registry, notebooks
        Other analyses, and the folder of their notebooks.

    Raises
    ------
    ReportError
        If there is no complete report, its manifest was altered, or it cannot be made again.
    UsageError
        If ``study`` or ``notebook`` is needed.
    """
    folder = Path(folder).expanduser().resolve()
    manifest = read_manifest(folder)
    if manifest["status"] != "complete":
        raise ReportError(f"The report in {folder} failed when it was made, so there is nothing to compare.")
    if not (folder / "results.json").is_file():
        raise ReportError(f"{folder} has a {MANIFEST} but no results.json.")
    source, argument = _origin(manifest, study, notebook)
    if not trust and argument != manifest["analysis"]:
        refuse_foreign(Path(argument), folder / MANIFEST)
    altered = altered_files(folder, manifest)
    problems = [f"{name} was changed or removed after the report was made." for name in altered]
    changed = _changed_inputs(manifest, source)
    request = prepare(
        source,
        argument,
        manifest["parameters"],
        plan=manifest.get("plan"),
        formats=manifest.get("formats", ()),
        language=manifest.get("language", "en"),
        registry=registry,
        notebooks=notebooks,
    )
    notes = _differences_in_origin(manifest, request)
    if "results.json" in altered or changed:  # other numbers are then no surprise
        return Verification((*problems, *changed), notes, 0)
    with tempfile.TemporaryDirectory(prefix="al-verify-") as scratch, stop_on_signals() as stop:
        told = {"started": manifest["started"]} | (
            {} if _is_public(manifest) else {"command": manifest["command"]}
        )
        out = Path(scratch) / "again"
        again = run_request(request, out, limits=Limits(deadline), on_event=on_event, stop=stop, told=told)
        if not again.ok:
            raise ReportError(f"The report could not be made again: {again.error}")
        if not notes and not _same_bytes(folder / "results.json", again.folder / "results.json"):
            notes = ("Numbers differ only in their last digits, as they do between processors.",)
        compared, different = compare_folders(folder, again.folder, to_the_letter=not notes)
    known = tuple(name for name in altered if any(sentence.startswith(name) for sentence in different))
    problems = [p for p in problems if not p.startswith(known or ("\0",))]
    return Verification((*problems, *different), notes, compared)


def _same_bytes(then: Path, now: Path) -> bool:
    return then.read_bytes() == now.read_bytes()


def _is_public(manifest: Mapping[str, Any]) -> bool:
    return is_shareable(manifest["parameters"])


def _origin(
    manifest: Mapping[str, Any], study: str | Path | None, notebook: str | None
) -> tuple[str | Path, str]:
    """Study and notebook that the report was made of."""
    own_notebook = manifest["notebook"]["argument"] != manifest["analysis"]
    if _is_public(manifest):
        if study is None and manifest["study"] != DEMO:
            raise UsageError(
                "This is a shareable report, which does not say where its study file is. Name the "
                "study file: alliance verify DIR --study STUDY.yaml"
            )
        if notebook is None and own_notebook:
            raise UsageError(
                "This is a shareable report made with your own notebook. Name the notebook: "
                "alliance verify DIR --notebook NOTEBOOK.ipynb"
            )
    return study or manifest["study"], notebook or manifest["notebook"]["argument"]


def _changed_inputs(manifest: Mapping[str, Any], study: str | Path) -> list[str]:
    try:
        now = input_hashes(study)
    except StudyError as error:
        raise ReportError(f"The report cannot be made again: {error}") from None
    then = manifest["inputs"]
    if _is_public(manifest):
        same = sorted(then.values()) == sorted(now.values())
        return [] if same else ["The study file or its data have changed since the report was made."]
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return [f"The file {name} has changed since the report was made." for name in names]


def _differences_in_origin(manifest: Mapping[str, Any], request: Request) -> tuple[str, ...]:
    now = request.provenance
    notes = []
    if now["notebook"]["sha256"] != manifest["notebook"]["sha256"]:
        notes.append(f"The notebook {manifest['notebook']['name']} has changed since.")
    if now["package_sha256"] != manifest["package_sha256"]:
        notes.append("The report was made with another version of this package.")
    for name, version in manifest["versions"].items():
        if now["versions"].get(name) != version:
            notes.append(f"{name} was {version} and is {now['versions'].get(name, 'missing')}.")
    if now["machine"] != manifest["machine"]:
        notes.append("The report was made with another Python or on another kind of machine.")
    return tuple(notes)
