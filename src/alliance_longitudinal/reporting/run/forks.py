"""Processes that begin as a copy of this one, with everything that is imported: where the system can do it safely."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.02
_SIGNALLED = 128
#: Set to anything, every process starts as a fresh interpreter.
OFF_VARIABLE = "ALLIANCE_NO_FORK"


def can_fork() -> bool:
    """Whether a copy of this process would be whole: on Linux, and if no other thread runs whose locks it would inherit.

    macOS may end a copy that uses the system's frameworks, and Windows has no copies; there every process starts afresh.
    """
    return sys.platform == "linux" and OFF_VARIABLE not in os.environ and _threads() == 1


def fork(work: Callable[[], int], keep: Collection[int] = ()) -> int:
    """Run ``work`` in a copy of this process, which ends with its exit status; the number of the new process.

    Parameters
    ----------
    work : callable
        Gives the exit status. What it raises is printed to standard error, and the status is then 1.
    keep : collection of int
        Open files that the copy needs besides standard input, output and error; it closes all others.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        close_others(keep)
        _own_random_numbers()
        status = work()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        # Nothing may leave this function: what would catch it is the parent's code.
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def close_others(keep: Collection[int]) -> None:
    """Close every file but standard input, output, error and those to ``keep``."""
    last = 2
    for number in sorted({n for n in keep if n > last}):
        os.closerange(last + 1, number)
        last = number
    os.closerange(last + 1, _most_files())


def status_of(waited: int) -> int:
    """An exit status as :class:`subprocess.Popen` gives it, from what ``os.waitpid`` gave."""
    return os.waitstatus_to_exitcode(waited)


def _most_files() -> int:
    with suppress(OSError):
        return max(int(file.name) for file in Path("/proc/self/fd").iterdir()) + 1
    return 4096


def _threads() -> int:
    """Threads of this process, those of compiled libraries among them."""
    with suppress(OSError):
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    return threading.active_count()


def _own_random_numbers() -> None:
    """Numbers drawn without a seed differ between copies, as they do between fresh interpreters."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


class Copy:
    """A copy of this process as :class:`subprocess.Popen` shows a process; what Jupyter's managers use of it."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        if self.returncode is None:
            try:
                number, waited = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else collected it
                self.returncode = _SIGNALLED
                return self.returncode
            if number:
                self.returncode = status_of(waited)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status once it has ended; None if it has not within ``timeout`` seconds."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None and (ends_at is None or time.monotonic() < ends_at):
            time.sleep(_POLL_SECONDS)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class WaitingKernel:
    """The notebook's process, copied before there are threads and sockets; it waits for the file that says where to connect."""

    def __init__(self) -> None:
        ours, self._go = os.pipe()
        parent = os.getpid()
        self._process = Copy(fork(lambda: _run_kernel(ours, parent), keep=(ours,)))
        os.close(ours)
        self.used = False

    def begin(self, connection_file: Path) -> Any:
        """Let it run, once."""
        self.used = True
        os.write(self._go, os.fsencode(connection_file) + b"\n")
        os.close(self._go)
        return self._process

    def close(self) -> None:
        """Let it end if it was not used."""
        if not self.used:
            self.used = True
            os.close(self._go)
            self._process.wait()


def _run_kernel(go: int, parent: int) -> int:
    """Wait for the connection's file, then be the notebook's kernel; 0 if it was never wanted."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with os.fdopen(go, "rb") as told:
        name = os.fsdecode(told.readline().rstrip(b"\n"))
    if not name:
        return 0
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel", "-f", name]
    IPKernelApp.launch_instance(
        argv=["-f", name, "--HistoryManager.enabled=False", f"--IPKernelApp.parent_handle={parent}"]
    )
    return 0
