"""Runs a notebook through papermill. The only file that knows papermill and nbclient."""

import copy
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat

from alliance_longitudinal import errors
from alliance_longitudinal.reporting.record.outcome import Outcome, failure
from alliance_longitudinal.reporting.record.troubles import trouble_in
from alliance_longitudinal.reporting.run.forks import WaitingKernel
from alliance_longitudinal.reporting.run.spec import RunSpec

Emit = Callable[[Mapping[str, Any]], None]

_START_ATTEMPTS = 3
_START_SECONDS = 60
#: Errors of the operating system as the kernel names them; their number is read, their text is not shown.
_SYSTEM_ERRORS = {"OSError", "PermissionError"}
#: Names of the errors whose text is written for people; any other error's text may hold data.
_OWN_ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.AllianceError)
}


def execute(
    spec: RunSpec, emit: Emit, kernel: WaitingKernel | None = None
) -> tuple[nbformat.NotebookNode | None, Outcome]:
    """Run the notebook of ``spec`` from the top, in the process ``kernel`` if one waits.

    Returns
    -------
    tuple
        The executed notebook and a good outcome, or None and the outcome that says what went wrong.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from alliance_longitudinal.reporting.run.kernel import kernel_manager_class

    notebook = nbformat.read(spec.notebook, as_version=4)  # type: ignore[no-untyped-call]
    reached = {"cell": 0}
    for attempt in range(1, _START_ATTEMPTS + 1):
        try:
            manager = kernel_manager_class(_sockets(spec, attempt), kernel if attempt == 1 else None)
            executed = _papermill(notebook, spec, manager, _Progress(notebook, emit, reached))
        except PapermillExecutionError as error:
            logging.error("%s", "\n".join(error.traceback) or error)
            return None, _explain(error.ename, error.evalue, _own_number(notebook, error.cell_index))
        except CellTimeoutError:
            logging.exception("time limit a cell")
            return None, failure(
                "CellTimeout",
                f"Cell {reached['cell']} of the notebook took longer than {spec.cell_timeout:g} seconds "
                "and was stopped.",
            )
        except (DeadKernelError, RuntimeError) as error:
            logging.exception("kernel")
            if reached["cell"] == 0 and attempt < _START_ATTEMPTS:
                time.sleep(0.5 * attempt)
                continue
            return None, _kernel_died(error, reached["cell"])
        return executed, Outcome(True)
    raise AssertionError("unreachable")


def _sockets(spec: RunSpec, attempt: int) -> Path:
    """A new private folder for the connection; it goes with the run's folder."""
    folder = Path(spec.run_folder) / f"k{attempt}"
    folder.mkdir(mode=0o700)
    return folder


def _papermill(
    notebook: nbformat.NotebookNode, spec: RunSpec, manager: type, progress: "_Progress"
) -> nbformat.NotebookNode:
    import papermill

    # A notebook goes in and none comes out by name: papermill formats paths with user values.
    executed: nbformat.NotebookNode = papermill.execute_notebook(
        copy.deepcopy(notebook),
        None,
        parameters=dict(spec.parameters),
        kernel_name="python3",
        language="python",
        kernel_manager_class=manager,
        start_timeout=_START_SECONDS,
        execution_timeout=max(1, round(spec.cell_timeout)),
        progress_bar=False,
        autosave_cell_every=0,
        request_save_on_cell_execute=False,
        on_cell_start=progress.started,
        on_cell_executed=progress.executed,
    )
    return executed


def _own_number(notebook: nbformat.NotebookNode, executed_index: int) -> int:
    """Number of a cell, counted from 1 in the notebook as its author knows it: without the injected cell."""
    tagged = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", ()))
    return executed_index + 1 if executed_index <= next(tagged, -1) else max(executed_index, 1)


class _Progress:
    """Counts code cells as nbclient's hooks report them."""

    def __init__(self, notebook: nbformat.NotebookNode, emit: Emit, reached: dict[str, int]) -> None:
        self._emit = emit
        self._notebook = notebook
        self._reached = reached
        # Papermill adds one cell: the injected parameters.
        self._total = sum(cell.cell_type == "code" for cell in notebook.cells) + 1
        self._done = 0
        emit({"event": "start", "cells": self._total})

    def started(self, *, cell_index: int, **_: Any) -> None:
        self._reached["cell"] = _own_number(self._notebook, cell_index)

    def executed(self, **_: Any) -> None:
        self._done += 1
        self._emit({"event": "cell", "done": self._done, "cells": self._total})


def _explain(name: str, text: str, cell: int) -> Outcome:
    if name == "DataError":
        # The whole list names rows and values; it goes to the person at the keyboard, into no file to share.
        return failure(
            name,
            text,
            "The data have problems. Run `alliance check` on the study file to see each of them.",
        )
    if name in _OWN_ERRORS:
        return failure(name, text)
    refused = trouble_in(text) if name in _SYSTEM_ERRORS else None
    if refused is not None:
        return failure(name, f"Cell {cell} of the notebook stopped. {refused}")
    return failure(
        name,
        f"Cell {cell} of the notebook stopped with an unexpected {name}. The details are in the private log.",
    )


def _kernel_died(error: Exception, cell: int) -> Outcome:
    if cell == 0:
        return failure(
            "KernelStart",
            "The notebook's Python process did not start, three times in a row. "
            "The details are in the private log. Is the disk full, or the temporary folder read-only?",
        )
    return failure(
        type(error).__name__,
        f"The notebook's Python process ended in cell {cell} without an error message. The machine "
        "has probably run out of memory. Close other programs, then make the report again.",
    )
