"""Makes one report: checks the request, runs the notebook in its own process, puts the folder in place."""

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.language import ENGLISH, check_language
from alliance_longitudinal.reporting.record.arguments import rerun_command
from alliance_longitudinal.reporting.record.folder import (
    check_destination,
    failed_folder,
    forget_failure,
    publish_folder,
    staged,
)
from alliance_longitudinal.reporting.record.formats import check_formats
from alliance_longitudinal.reporting.record.hashing import MANIFEST
from alliance_longitudinal.reporting.record.inputs import input_hashes, study_argument
from alliance_longitudinal.reporting.record.manifest import provenance, write_manifest
from alliance_longitudinal.reporting.record.notebooks import (
    Notebook,
    Registry,
    check_parameters,
    default_registry,
    find_notebook,
)
from alliance_longitudinal.reporting.record.outcome import Outcome, failure
from alliance_longitudinal.reporting.record.public import names_to_hide, public, without_names
from alliance_longitudinal.reporting.record.troubles import words_of
from alliance_longitudinal.reporting.record.trust import refuse_foreign
from alliance_longitudinal.reporting.run.handles import refuse_few_handles
from alliance_longitudinal.reporting.run.owner import sweep, temporary_folder
from alliance_longitudinal.reporting.run.process import OnEvent, stop_on_signals, supervise
from alliance_longitudinal.reporting.run.spec import RunSpec
from alliance_longitudinal.reporting.run.starters import Starter

DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one report may use.

    Attributes
    ----------
    deadline : float
        Seconds for the whole report.
    cell : float, optional
        Seconds for one cell.
    memory : float, optional
        Gigabytes of its processes together; by default four fifths of the machine's memory.
    """

    deadline: float = DEADLINE_SECONDS
    cell: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One report that was checked and can be run.

    Attributes
    ----------
    provenance : mapping
        The manifest as far as it is known before the run.
    notebook : Path
        The file to run.
    """

    provenance: Mapping[str, Any]
    notebook: Path

    @property
    def key(self) -> str:
        """Identity of the report: parameters, inputs, code and interpreter."""
        return str(self.provenance["key"])


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended and where it is written.

    Attributes
    ----------
    folder : Path
        The report's folder; of a failed run, the folder with its manifest and private log.
    ok : bool
    seconds : float
    error : str
        Sentence for the person who started it; empty if all went well.
    public_error : str
        The same without any value from the data, for what is shown around.
    kind : str
        Class of the error.
    stopped : bool
        Whether it was stopped from outside.
    """

    folder: Path
    ok: bool
    seconds: float
    error: str = ""
    public_error: str = ""
    kind: str = ""
    stopped: bool = False

    @property
    def page(self) -> Path:
        """The report to read."""
        return self.folder / "report.html"


def prepare(
    study: str | Path,
    notebook: str,
    parameters: Mapping[str, Any],
    *,
    plan: str | Path | Mapping[str, Any] | None = None,
    formats: Sequence[str] = (),
    trust: bool = True,
    language: str = ENGLISH,
    inputs: Mapping[str, str] | None = None,
    registry: Registry | None = None,
    notebooks: Path | None = None,
) -> Request:
    """Check a request before anything runs.

    ``formats`` are further documents beside the page. With a ``plan``, what differs from it becomes part of the manifest. The record of a plan, from the manifest of a
    report, is taken as it is. Without ``trust`` a notebook that plainly came from somebody else is refused.
    ``inputs`` are the hashes of the study's files if they are known; they are compared with the files after the run in any case.

    Raises
    ------
    AllianceError
        If there is no such study file or notebook, or the analysis does not take these parameters.
    """
    found = find_notebook(notebook, default_registry() if registry is None else registry, notebooks)
    if not trust and notebook != found.analysis.name:
        refuse_foreign(found.path)
    plain = check_parameters(found, parameters)
    argument = str(found.path) if notebook not in (found.analysis.name,) else notebook
    record = None if plan is None else _compared(plan, found, plain, study)
    check_language(language)
    wanted = check_formats(formats)
    hashes = input_hashes(study) if inputs is None else inputs
    known = provenance(study_argument(study), found, argument, plain, hashes, record, wanted, language)
    return Request(known, found.path)


def _compared(
    plan: str | Path | Mapping[str, Any], found: Notebook, parameters: Mapping[str, Any], study: str | Path
) -> dict[str, Any]:
    """The plan and what differs from it; its module is loaded only for a report with a plan."""
    if isinstance(plan, Mapping):
        return dict(plan)
    from alliance_longitudinal.reporting.record.plans import plan_record, read_frozen

    return plan_record(read_frozen(plan), found, parameters, study, Path(plan).expanduser().resolve())


def run_report(
    study: str | Path,
    notebook: str,
    parameters: Mapping[str, Any],
    out: str | Path,
    *,
    deadline: float = DEADLINE_SECONDS,
    cell_timeout: float | None = None,
    memory: float | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
    plan: str | Path | None = None,
    formats: Sequence[str] = (),
    trust: bool = True,
    language: str = ENGLISH,
    registry: Registry | None = None,
    notebooks: Path | None = None,
) -> Report:
    """Make a report of ``study`` in the folder ``out``.

    Parameters
    ----------
    study : path or "demo"
        The study file.
    notebook : str
        Name of an analysis, or path of an edited copy of its notebook.
    parameters : mapping
        Text, as typed, or plain values; what is not given has its default.
    out : path
        The report's folder. An earlier report there is replaced once the new one is complete; if the new one
        fails, the earlier one stays and the failure is told in ``<out>.failed``.
    deadline, cell_timeout : float
        Seconds for the whole report and for one cell.
    memory : float, optional
        Gigabytes that the report's processes may use together; by default four fifths of the machine's memory.
    on_event : callable, optional
        Called with each event of the run.
    stop : Event, optional
        Ends the run when set. By default Ctrl-C and SIGTERM end it.
    plan : path, optional
        A plan made by ``alliance plan``. The report says that it kept to it, or lists every deviation.
    formats : sequence of str
        Further documents beside the page: ``docx``, ``pdf``, ``xlsx``, ``tex``, ``parquet``.
    trust : bool
        Whether to run a notebook that plainly came from somebody else (another user's file, or downloaded).
    language : str
        ``"de"`` for a page in German; sentences that are not translated stay English, and the page says so.
    registry, notebooks
        Other analyses, and the folder of their notebooks.

    Returns
    -------
    Report
        Also when the run failed: see ``ok`` and ``error``.

    Raises
    ------
    AllianceError
        If the request is wrong; then nothing was run and nothing written.
    """
    request = prepare(
        study,
        notebook,
        parameters,
        plan=plan,
        formats=formats,
        trust=trust,
        language=language,
        registry=registry,
        notebooks=notebooks,
    )
    limits = Limits(deadline, cell_timeout, memory)
    if stop is not None:
        return run_request(request, out, limits=limits, on_event=on_event, stop=stop)
    with stop_on_signals() as stop:
        return run_request(request, out, limits=limits, on_event=on_event, stop=stop)


def run_request(
    request: Request,
    out: str | Path,
    *,
    limits: Limits | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event,
    told: Mapping[str, Any] | None = None,
    starter: Starter | None = None,
) -> Report:
    """Run a checked request; see :func:`run_report`.

    ``told`` replaces what the report says of when and how it was made, so that it can be made again to the letter.
    ``starter`` starts its process, by default as a fresh interpreter.

    Raises
    ------
    ReportError
        If the folder cannot be used, or the operating system refuses what a report needs.
    """
    try:
        return _run(request, out, limits or Limits(), on_event or (lambda _: None), stop, told, starter)
    except OSError as error:
        raise ReportError(f"The report could not be made. {words_of(error)}") from None


def _run(
    request: Request,
    out: str | Path,
    limits: Limits,
    on_event: OnEvent,
    stop: threading.Event,
    told: Mapping[str, Any] | None,
    starter: Starter | None,
) -> Report:
    began = time.monotonic()
    refuse_few_handles()
    destination = check_destination(Path(out))
    notebook = request.provenance["notebook"]["argument"]
    study, parameters = request.provenance["study"], request.provenance["parameters"]
    known = dict(request.provenance) | {
        "command": rerun_command(
            *(study, notebook, parameters, destination),
            _plan_file(request.provenance),
            request.provenance.get("formats", ()),
            request.provenance.get("language", ""),
        ),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **(told or {}),
    }
    shown = public(known)
    with staged(destination) as stage, _run_folder() as run_folder:
        hidden = names_to_hide(known, request.notebook, stage, run_folder, destination)
        spec = RunSpec(
            notebook=str(request.notebook),
            parameters={"study": study, **parameters},
            stage=str(stage),
            run_folder=str(run_folder),
            cell_timeout=limits.deadline if limits.cell is None else limits.cell,
            provenance=shown,
            hidden=hidden,
            formats=request.provenance.get("formats", ()),
            language=request.provenance.get("language", ENGLISH),
        )
        outcome = supervise(
            spec,
            deadline=limits.deadline,
            memory=limits.memory,
            stop=stop,
            on_event=on_event,
            starter=starter,
        )
        outcome = _unless_inputs_changed(outcome, known)
        seconds = time.monotonic() - began
        if outcome.ok:
            shown = _with_plan(shown, stage)
            write_manifest(stage, shown, outcome, seconds)
            publish_folder(stage, destination)
            forget_failure(destination)
            return Report(destination, True, seconds)
        outcome = replace(outcome, public_message=without_names(outcome.public_message, hidden))
        return _tell_failure(stage, run_folder, destination, shown, outcome, seconds)


def _plan_file(known: Mapping[str, Any]) -> str | None:
    plan = known.get("plan")
    return None if plan is None else plan["file"]


def _with_plan(known: Mapping[str, Any], stage: Path) -> dict[str, Any]:
    """What is known with the plan's main estimate compared, as the page says it."""
    if known.get("plan") is None:
        return dict(known)
    from alliance_longitudinal.reporting.record.plans import with_results

    results = json.loads((stage / "results.json").read_text(encoding="utf-8"))
    return dict(known) | {"plan": with_results(known["plan"], results)}


def _tell_failure(
    stage: Path,
    run_folder: Path,
    destination: Path,
    known: Mapping[str, Any],
    outcome: Outcome,
    seconds: float,
) -> Report:
    """Leave a manifest that says what went wrong and the private log; nothing of the unfinished report."""
    for leftover in stage.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    private = stage / "private"
    private.mkdir(mode=0o700)
    log = private / "log.txt"
    log.touch(mode=0o600)
    with suppress(FileNotFoundError):  # stopped before anything was logged
        shutil.copyfile(run_folder / "log.txt", log)
    write_manifest(stage, known, outcome, seconds)
    # A good report is never replaced by the news of a failed attempt to renew it.
    good = (destination / "report.html").is_file() and (destination / MANIFEST).is_file()
    folder = check_destination(failed_folder(destination)) if good else destination
    publish_folder(stage, folder)
    return Report(
        folder,
        False,
        seconds,
        error=outcome.message,
        public_error=outcome.public_message,
        kind=outcome.kind,
        stopped=outcome.kind == "Stopped",
    )


def _unless_inputs_changed(outcome: Outcome, known: Mapping[str, Any]) -> Outcome:
    if not outcome.ok or input_hashes(known["study"]) == known["inputs"]:
        return outcome
    return replace(
        failure(
            "InputsChanged",
            "A data file or the study file was changed while the report was made. Run it again.",
        ),
        environment=outcome.environment,
    )


@contextmanager
def _run_folder() -> Iterator[Path]:
    """A private folder of this run; those of runs that were killed go."""
    sweep()
    folder = temporary_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
