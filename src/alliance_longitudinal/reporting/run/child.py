"""One report, in a process of its own: ``python -m alliance_longitudinal.reporting.run.child SPEC.json``.

The supervisor (``process.py``) reads this process's standard output, one JSON object a line, and may kill it
at any time. It writes only into the stage and run folders of its spec, and says how it went in ``outcome.json``.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.reporting.record.outcome import Outcome, failure
from alliance_longitudinal.reporting.record.public import hide_in_files, without_names
from alliance_longitudinal.reporting.record.troubles import words_of
from alliance_longitudinal.reporting.run.forks import WaitingKernel, can_fork
from alliance_longitudinal.reporting.run.handles import allow_handles
from alliance_longitudinal.reporting.run.memory import offer_to_the_system
from alliance_longitudinal.reporting.run.owner import OWNER, is_gone, remove
from alliance_longitudinal.reporting.run.spec import RunSpec
from alliance_longitudinal.reporting.run.tools import import_tools

#: How often, and after how many seconds each time, a child looks whether the supervisor that closed its end has ended.
_LOOKS, _LOOK_SECONDS = 100, 0.01


def main(spec_file: str) -> int:
    """Run the report of ``spec_file``; 0 if the stage holds a whole report."""
    spec = RunSpec.read(Path(spec_file))
    emit = _event_channel()
    allow_handles()
    offer_to_the_system()
    kernel = _kernel_to_be()
    _die_with_supervisor(Path(spec.run_folder))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        outcome = _make(spec, emit, kernel)
    except AllianceError as error:
        outcome = failure(type(error).__name__, str(error))
    except OSError as error:
        logging.exception("report")
        outcome = failure(type(error).__name__, f"The report could not be written. {words_of(error)}")
    except Exception as error:
        logging.exception("report")
        outcome = failure(
            type(error).__name__,
            f"The report could not be written ({type(error).__name__}). The details are in the private log.",
        )
    finally:
        if kernel is not None:
            kernel.close()
    emit({"event": "used", **_used()})
    outcome.write(Path(spec.run_folder) / "outcome.json")
    return 0 if outcome.ok else 1


def _kernel_to_be() -> WaitingKernel | None:
    """The notebook's process as a copy of this one, made now that no thread runs; None where a fresh one has to be started."""
    import_tools()
    return WaitingKernel() if can_fork() else None


def _make(spec: RunSpec, emit: Any, kernel: WaitingKernel | None) -> Outcome:
    import nbformat

    from alliance_longitudinal.reporting.page.render import write_report
    from alliance_longitudinal.reporting.record.environment import numerical_libraries
    from alliance_longitudinal.reporting.record.inputs import stated_in
    from alliance_longitudinal.reporting.run.execute import execute
    from alliance_longitudinal.reporting.run.results import read_results

    executed, outcome = execute(spec, emit, kernel)
    if executed is None:
        return outcome
    emit({"event": "rendering"})
    stage = Path(spec.stage)
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:  # papermill draws an identifier at random for the cell that it adds
        if "injected-parameters" in cell.metadata.get("tags", ()) and "id" in cell:
            cell["id"] = "injected-parameters"
    executed = without_names(executed, spec.hidden)
    hide_in_files(stage, spec.hidden)
    nbformat.write(executed, stage / "report.ipynb")  # type: ignore[no-untyped-call]
    results = read_results(stage)
    environment = numerical_libraries()
    stated = stated_in(spec.parameters["study"])
    known = dict(spec.provenance) | {"environment": environment, "stated": stated}
    if known.get("plan") is not None:
        from alliance_longitudinal.reporting.record.plans import with_results

        known["plan"] = with_results(known["plan"], results)
    write_report(stage, results, executed, known)
    if spec.formats:
        from alliance_longitudinal.reporting.page.documents import write_documents

        emit({"event": "rendering"})
        write_documents(stage, results, known, spec.formats)
    return replace(outcome, environment=environment, status=results["status"], seed=results.get("seed"))


def _event_channel() -> Any:
    """Keep standard output for events alone: whatever else prints there goes to the log (standard error)."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def emit(event: Mapping[str, Any]) -> None:
        channel.write(json.dumps(event) + "\n")

    return emit


def _used() -> dict[str, float]:
    """Processor time of this process and of the notebook's, in seconds, and the larger one's memory, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    per_mib = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in used), 3),
        "kernel_cpu_seconds": round(used[1].ru_utime + used[1].ru_stime, 3),
        "memory_mib": round(max(one.ru_maxrss for one in used) / per_mib, 1),
    }


def _die_with_supervisor(run_folder: Path) -> None:
    """End this process group when the supervisor is gone, however it went: its end of our input closes."""
    own_input = os.dup(0)

    def watch() -> None:
        while os.read(own_input, 4096):
            pass
        # A supervisor that stopped this report before it knew our number closes its end, too, and still needs its folder.
        if _supervisor_is_gone(run_folder):
            _end_children()  # a notebook's process that starts without its folder would make another elsewhere
            remove(run_folder)
        if os.name == "posix" and os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end_children() -> None:
    """End all processes that this one started."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


def _supervisor_is_gone(run_folder: Path) -> bool:
    """Whether the process that made the folder has ended; one that is just ending has a moment for it."""
    for _ in range(_LOOKS):
        try:
            if is_gone((run_folder / OWNER).read_text(encoding="utf-8")):
                return True
        except OSError:
            return False
        time.sleep(_LOOK_SECONDS)
    return False


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
