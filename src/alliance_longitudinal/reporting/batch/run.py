"""Makes every report of a batch file, several at a time; goes on where an earlier run stopped."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import AllianceError, ReportError
from alliance_longitudinal.language import in_language_here
from alliance_longitudinal.reporting.batch.changes import baseline, changes, made_of, summary
from alliance_longitudinal.reporting.batch.claims import claim_of, claimed
from alliance_longitudinal.reporting.batch.cluster import Make, maker
from alliance_longitudinal.reporting.batch.crate import write_crate
from alliance_longitudinal.reporting.batch.differences import sentence_of, small_cells, telling_pairs
from alliance_longitudinal.reporting.batch.events import TimeLeft, event_file
from alliance_longitudinal.reporting.batch.index import Overview, write_index
from alliance_longitudinal.reporting.batch.many import multiplicity
from alliance_longitudinal.reporting.batch.plan import Combination, Plan, read_plan
from alliance_longitudinal.reporting.batch.pools import FEWEST, get_ready_to_pool, pools
from alliance_longitudinal.reporting.record.folder import make_folder
from alliance_longitudinal.reporting.record.inputs import study_file
from alliance_longitudinal.reporting.record.main import main_of
from alliance_longitudinal.reporting.record.manifest import altered_files, read_manifest
from alliance_longitudinal.reporting.record.notebooks import Registry
from alliance_longitudinal.reporting.record.public import FOLDER, is_shareable, without_names
from alliance_longitudinal.reporting.record.troubles import words_of
from alliance_longitudinal.reporting.run.owner import sweep
from alliance_longitudinal.reporting.run.process import OnEvent, stop_on_signals
from alliance_longitudinal.reporting.run.starters import Warm

_CLAIMS = ".claims"
#: While reports are made, the index is written anew no more often.
_SECONDS_BETWEEN_INDEXES = 2.0
#: Part of the time that writing it may take: with thousands of rows it takes seconds.
_SHARE_FOR_INDEXES = 0.02
_STATES = ("complete", "failed", "waiting")


@dataclass(frozen=True, slots=True)
class Batch:
    """How a batch ended.

    Attributes
    ----------
    folder : Path
    notes : tuple of str
        What has to be known about the whole, as the index says it.
    rows : tuple of mapping
        One a combination, in the order of the grid, as in ``batch.json``. ``status`` is ``complete``, ``failed``
        or ``waiting`` (the batch was stopped first); ``kept`` says that an earlier run had made it.
    """

    folder: Path
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every report is there."""
        return all(row["status"] == "complete" for row in self.rows)

    @property
    def page(self) -> Path:
        """The index to read."""
        return self.folder / "index.html"


def make_batch(
    batch_file: Path,
    folder: Path,
    warm: Warm,
    *,
    jobs: int | None,
    fresh: bool,
    on_event: OnEvent | None,
    events: str | Path | None,
    cluster: str | None,
    trust: bool,
    registry: Registry | None,
    notebooks: Path | None,
) -> Batch:
    """What :func:`alliance_longitudinal.reporting.run_batch` does, with the process ``warm`` to copy."""
    plan = read_plan(batch_file, trust=trust, registry=registry, notebooks=notebooks)
    try:
        folder = folder.resolve()
        make_folder(folder)
    except OSError as error:
        raise ReportError(f"The folder {folder} cannot be made: {words_of(error)}") from None
    sweep()
    with (
        maker(cluster, warm, analyses=registry is None) as (make, usual),
        event_file(events) as log,
        stop_on_signals() as stop,
    ):
        shown, several = on_event or (lambda _: None), max(1, jobs or usual)
        runner = _Runner(plan, folder, fresh, stop, lambda e: _both(e, log, shown), log, several, make)
        log({"event": "batch", "file": str(batch_file), "total": len(plan.combinations), "jobs": several})
        with ThreadPoolExecutor(max_workers=several) as pool:
            reports = pool.map(runner.make, range(len(plan.combinations)))
            if len(plan.combinations) >= FEWEST:
                get_ready_to_pool()
            list(reports)
        runner.finish()
        log({"event": "end", **{s: sum(r["status"] == s for r in runner.rows) for s in _STATES}})
    return Batch(folder, tuple(runner.rows), runner.notes)


def _both(event: Mapping[str, Any], log: OnEvent, shown: OnEvent) -> None:
    log(event)
    shown(event)


class _Runner:
    """Holds the rows while the threads fill them."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        fresh: bool,
        stop: threading.Event,
        on_event: OnEvent,
        log: OnEvent,
        jobs: int,
        make: Make,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._fresh = fresh
        self._stop = stop
        self._on_event = on_event
        self._log = log
        self._make = make
        self._time = TimeLeft(jobs)
        self._lock = threading.Lock()
        self._done = 0
        self._before = baseline(folder)
        self._next_index = time.monotonic()
        self._limits = _limits(plan)
        self._trouble: Exception | None = None
        self.rows: list[dict[str, Any]] = [_row(c) for c in plan.combinations]

    def make(self, i: int) -> None:
        """Make the i-th report, or find that it is there, or note why it is not."""
        combination = self._plan.combinations[i]
        try:
            result = self._made(combination)
        except AllianceError as error:
            result = {"status": "failed", "error": str(error)}
        except OSError as error:
            result = {"status": "failed", "error": words_of(error)}
        except Exception as error:  # one report never ends the others
            logging.getLogger(__name__).debug("report", exc_info=True)
            result = {"status": "failed", "error": f"Unexpected {type(error).__name__} in the batch itself."}
        if result.get("error") and is_shareable(combination.values):
            hidden = {str(place): FOLDER for place in (self._folder, self._plan.folder) if place is not None}
            result["error"] = without_names(result["error"], hidden)
        with self._lock:
            self.rows[i] |= result
            self._done += self.rows[i]["status"] != "waiting"
            self._time.made(None if result.get("kept") else result.get("seconds"))
            left = self._time.left(len(self.rows) - self._done)
            counts = {"done": self._done, "total": len(self.rows), "seconds_left": left}
            began = time.monotonic()
            if began >= self._next_index:
                self._try(lambda: self._write(self._on_the_way))
                now = time.monotonic()
                self._next_index = now + max(_SECONDS_BETWEEN_INDEXES, (now - began) / _SHARE_FOR_INDEXES)
            self._try(lambda: self._on_event({"event": "report", **_who(combination), **counts, **result}))

    def _tell(self, event: Mapping[str, Any]) -> None:
        """Write an event of a single report to the file; its error is told at the end."""
        self._try(lambda: self._log(event))

    def _try(self, step: Callable[[], None]) -> None:
        """Do what follows a report; its error is told when all reports are done."""
        try:
            step()
        except Exception as error:
            self._trouble = self._trouble or error

    def _write(self, overview: Callable[[], Overview]) -> None:
        with in_language_here(self._plan.language):
            write_index(self._folder, overview())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the index says about the whole."""
        with in_language_here(self._plan.language):
            told = sentence_of(telling_pairs(self._folder, self.rows, self._limits))
        return (*self._plan.notes, *filter(None, [told]))

    def _on_the_way(self) -> Overview:
        """The index while reports are being made: nothing that takes time."""
        return Overview(self.rows, self._plan.skipped, self._plan.notes, baseline=self._before)

    def _whole(self) -> Overview:
        """The index when all is done; a batch that was stopped is compared again when it goes on."""
        stopped = any(row["status"] == "waiting" for row in self.rows)
        return Overview(
            self.rows,
            self._plan.skipped,
            self.notes,
            pools(self.rows),
            multiplicity(self.rows),
            changes(self._before, self.rows),
            self._before if stopped else summary(self.rows),
            self._before is not None,
        )

    def finish(self) -> None:
        """Write the whole index, and tell what could not be done on the way."""
        try:
            self._write(self._whole)
            write_crate(self._folder, self.rows)
        except OSError as error:
            raise ReportError(f"The index in {self._folder} cannot be written: {words_of(error)}") from None
        if self._trouble is not None and not isinstance(self._trouble, OSError):
            raise self._trouble

    def _made(self, combination: Combination) -> dict[str, Any]:
        if combination.request is None:
            return {"status": "failed", "error": combination.error}
        place = self._folder / combination.folder
        with claimed(self._folder / _CLAIMS, combination.request.key, self._stop) as mine:
            if not mine or self._stop.is_set():
                return {"status": "waiting"}
            if not self._fresh and is_current(place, combination.request.key):
                return {"kept": True, **_reported(place)}
            self._tell({"event": "started", **_who(combination)})
            report = self._make(
                combination.request,
                place,
                claim_of(self._folder / _CLAIMS, combination.request.key),
                limits=self._plan.limits,
                stop=self._stop,
                on_event=lambda event: self._tell({**_who(combination), **event}),
            )
        if report.stopped:
            return {"status": "waiting"}
        if not report.ok:
            return {"status": "failed", "error": report.public_error, "seconds": round(report.seconds, 1)}
        return _reported(place)


def _who(combination: Combination) -> dict[str, str]:
    names = {"label": combination.label, "study": combination.study, "notebook": combination.notebook}
    return names | {"folder": combination.folder}


def _limits(plan: Plan) -> dict[str, int]:
    """Smallest count for outsiders by the name of the study, where a report for outsiders is asked for."""
    return {
        c.study: small_cells(study_file(c.request.provenance["study"]))
        for c in plan.combinations
        if c.request is not None and is_shareable(c.request.provenance["parameters"])
    }


def is_current(folder: Path, key: str) -> bool:
    """Whether ``folder`` holds the whole, unaltered report with this key."""
    try:
        manifest = read_manifest(folder)
    except ReportError:
        return False
    return manifest["status"] == "complete" and manifest["key"] == key and not altered_files(folder, manifest)


def _row(combination: Combination) -> dict[str, Any]:
    return {
        "label": combination.label,
        "study": combination.study,
        "notebook": combination.notebook,
        "parameters": dict(combination.values),
        "key": combination.request.key if combination.request else None,
        "folder": combination.folder,
        "status": "waiting",
        "kept": False,
        "error": None,
        "seconds": None,
        "result_status": None,
        "estimate": None,
        "made_of": made_of(combination.request.provenance) if combination.request else None,
        "documents": [
            name
            for name in (combination.request.provenance.get("formats", ()) if combination.request else ())
            if name in ("docx", "pdf")
        ],
    }


def _reported(folder: Path) -> dict[str, Any]:
    """What the index shows of a finished report: its badge and its main estimate, as the analysis declares it."""
    manifest = read_manifest(folder)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {
        "status": "complete",
        "seconds": manifest["seconds"],
        "result_status": manifest["result_status"],
        "estimate": main_of(results),
    }
