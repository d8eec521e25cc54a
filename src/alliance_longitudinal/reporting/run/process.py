"""Supervises one report's process: starts it, passes its events on, ends it and all that it started."""

import errno
import json
import math
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from alliance_longitudinal.language import VARIABLE as LANGUAGE_VARIABLE
from alliance_longitudinal.reporting.record.outcome import Outcome, failure
from alliance_longitudinal.reporting.record.troubles import trouble, trouble_in
from alliance_longitudinal.reporting.run.fonts import keep_fonts, lend_fonts
from alliance_longitudinal.reporting.run.memory import GIGABYTE, allowed_bytes, uses_more
from alliance_longitudinal.reporting.run.spec import STAGE_VARIABLE, RunSpec
from alliance_longitudinal.reporting.run.starters import Fresh, Running, Starter

OnEvent = Callable[[Mapping[str, Any]], None]

_POLL_SECONDS = 0.1
_LAST_SECONDS = 0.01
_LOOK_SECONDS = 0.5
_SECOND_PRESS_SECONDS = 1.0
_SPEC_FILE = "spec.json"
_MATPLOTLIB = "matplotlib"
_ROOM_FOR_A_LOG = 64 * 1024


def supervise(
    spec: RunSpec,
    *,
    deadline: float,
    stop: threading.Event,
    on_event: OnEvent,
    starter: Starter | None = None,
    memory: float | None = None,
) -> Outcome:
    """Run ``spec`` in a process of its own until it ends, its time or memory is used up, or ``stop`` is set.

    The process is in a session of its own, so that Ctrl-C reaches only this supervisor; and it ends by itself
    when this supervisor is gone, because it reads our end of a pipe. ``starter`` starts it, by default as a fresh interpreter.
    ``deadline`` is in seconds, ``memory`` in gigabytes (by default most of the machine's).
    """
    run_folder = Path(spec.run_folder)
    spec.write(run_folder / _SPEC_FILE)
    ends_at = time.monotonic() + deadline
    most = allowed_bytes(memory)
    process, ended = _once(spec, starter or Fresh(), ends_at, most, stop, on_event)
    if process.lost and ended is None:  # what started it was killed: once more, by itself
        for left in (*Path(spec.stage).iterdir(), run_folder / "outcome.json", *run_folder.glob("k[0-9]")):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        process, ended = _once(spec, Fresh(), ends_at, most, stop, on_event)
    keep_fonts(run_folder / _MATPLOTLIB)
    if ended is not None:
        told = {"Deadline": _out_of_time(deadline), "Memory": _out_of_memory(most)}
        return told.get(ended.kind, ended)
    assert process.returncode is not None
    return _told(run_folder, process.returncode)


def _once(
    spec: RunSpec, starter: Starter, ends_at: float, most: float, stop: threading.Event, on_event: OnEvent
) -> tuple[Running, Outcome | None]:
    """Start the process and see it end; why it was ended, or None if it ended by itself."""
    run_folder = Path(spec.run_folder)
    with open(os.open(run_folder / "log.txt", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as log:  # noqa: PTH123
        process = starter.start(run_folder / _SPEC_FILE, log, _made(run_folder / "cwd"), _environment(spec))
    try:
        return process, _follow(process, ends_at, most, stop, on_event)
    finally:
        _end(process)


def _follow(
    process: Running, ends_at: float, most: float, stop: threading.Event, on_event: OnEvent
) -> Outcome | None:
    events: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    reader = threading.Thread(target=_read_events, args=(process.stdout, events), daemon=True)
    reader.start()
    looked, wait = time.monotonic(), _POLL_SECONDS
    while True:
        running = process.poll() is None
        if running and process.pid is not None and time.monotonic() - looked >= _LOOK_SECONDS:
            looked = time.monotonic()
            if uses_more(process.pid, most):
                return failure("Memory", "")
        with suppress(queue.Empty):
            event = events.get(timeout=wait)
            if event is not None:
                on_event(event)
            else:  # it has said its last, and is about to end
                wait = _LAST_SECONDS
            continue
        if not running:
            return None
        if stop.is_set():
            return failure("Stopped", "The report was stopped before it was complete.")
        if time.monotonic() >= ends_at:
            return failure("Deadline", "")


def _read_events(stream: IO[bytes], events: "queue.Queue[Mapping[str, Any] | None]") -> None:
    """Pass the process's events on; None when it has closed its end."""
    with suppress(ValueError, OSError):  # the stream is closed when the report is stopped
        for line in stream:
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.put(event)
    events.put(None)


def _out_of_time(deadline: float) -> Outcome:
    return failure(
        "Deadline",
        f"The report was not complete after {deadline:g} seconds and was stopped. "
        "Give it more time with --deadline SECONDS.",
    )


def _out_of_memory(most: float) -> Outcome:
    return failure(
        "Memory",
        f"The report needed more than {most / GIGABYTE:.3g} GB of memory and was stopped. Give it more "
        "(--memory GB; in a batch file, memory: GB), or use a larger machine.",
    )


def _told(run_folder: Path, returncode: int) -> Outcome:
    """What the child says, if it lived to say it."""
    try:
        outcome = Outcome.read(run_folder / "outcome.json")
    except (OSError, ValueError):
        outcome = None
    if outcome is None or outcome.ok != (returncode == 0):
        refused = trouble_in(_last_words(run_folder / "log.txt")) or _full_disk(run_folder)
        if refused is not None:
            return failure("ReportProcess", f"The report's process ended early. {refused}")
        return failure(
            "ReportProcess",
            f"The report's process ended (code {returncode}) before the report was complete. The "
            "machine may have run out of memory. Close other programs, then make the report again.",
        )
    return outcome


def _full_disk(folder: Path) -> str | None:
    """The sentence for a full disk, if that of the run's folder has not even room for a log."""
    with suppress(OSError):
        if shutil.disk_usage(folder).free < _ROOM_FOR_A_LOG:
            return trouble(errno.ENOSPC)
    return None


def _last_words(log: Path) -> str:
    """The last line of the private log that gives an error's number."""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in reversed(lines[-50:]) if "[Errno" in line), "")
    return ""


def _end(process: Running) -> None:
    """End the process and everything it started: its group, and by its tree what has a session of its own."""
    family: list[psutil.Process] = []
    process.poll()
    if process.pid is not None:
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.close()


def _environment(spec: RunSpec) -> dict[str, str]:
    """What the environment of this report's processes has of its own: its stage and private caches."""
    run_folder = Path(spec.run_folder)
    matplotlib = _made(run_folder / _MATPLOTLIB)
    lend_fonts(Path(matplotlib))
    return {
        STAGE_VARIABLE: spec.stage,
        LANGUAGE_VARIABLE: spec.language,
        "IPYTHONDIR": _made(run_folder / "ipython"),
        "MPLCONFIGDIR": matplotlib,
    }


def _made(folder: Path) -> str:
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once.

    Outside the main thread there is nothing to install: the event is then set by nobody.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    first = math.inf

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal first
        # One press can arrive twice, from the terminal and from a program in between.
        if time.monotonic() - first > _SECOND_PRESS_SECONDS:
            signal.default_int_handler(number, frame)
        first = min(first, time.monotonic())
        stop.set()

    wanted = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    # A command started with nohup, or in the background of a script, was told to ignore these: leave it so.
    before = {number: signal.getsignal(number) for number in wanted}
    for number, old in before.items():
        if old is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield stop
    finally:
        for number, old in before.items():
            if old is not None:
                signal.signal(number, old)
