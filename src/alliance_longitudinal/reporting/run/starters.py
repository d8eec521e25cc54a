"""How a report's process begins: as a fresh interpreter, or as a copy of a process with everything imported."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from alliance_longitudinal.reporting.run.fonts import keep_fonts, lend_fonts
from alliance_longitudinal.reporting.run.forks import OFF_VARIABLE
from alliance_longitudinal.reporting.run.owner import temporary_folder

_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02
#: For a warm process to see that it is not needed any more; one that never made a report may be importing still.
_PATIENCE_SECONDS = 1.0
#: Settings of every process that computes: one thread each, the same order of sets, pictures inline.
FIXED = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8",
}
#: A helper thread of a library's memory manager, which a process that is to be copied must not have.
_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Running(Protocol):
    """A report's process."""

    #: Its number; None as long as it is not known.
    pid: int | None
    returncode: int | None
    #: Whether what started it is gone, so that nobody knows how it ended.
    lost: bool

    @property
    def stdout(self) -> IO[bytes]:
        """Where it says how far it is."""
        ...

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        ...

    def close(self) -> None:
        """Wait until it has ended after it was told to, and close what connects to it."""
        ...


class Starter(Protocol):
    """Starts reports' processes."""

    def start(self, spec: Path, log: IO[bytes], cwd: str, environment: Mapping[str, str]) -> Running:
        """Start the report of the file ``spec``, in a session of its own."""
        ...


class Fresh:
    """Starts each report as an interpreter of its own."""

    def start(self, spec: Path, log: IO[bytes], cwd: str, environment: Mapping[str, str]) -> Running:
        """Start ``python -m ...run.child SPEC``."""
        return _Interpreter(
            subprocess.Popen(
                [sys.executable, "-m", "alliance_longitudinal.reporting.run.child", str(spec)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=cwd,
                env={**os.environ, **FIXED, **environment},
                start_new_session=True,
            )
        )


class _Interpreter:
    lost = False

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._process = process
        self.pid: int | None = process.pid
        self.stdout: IO[bytes] = process.stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        self.returncode = self._process.poll()
        return self.returncode

    def close(self) -> None:
        if os.name != "posix" and self._process.poll() is None:
            self._process.kill()
        self.returncode = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class Warm:
    """Starts reports as copies of a process that has everything imported; a fresh interpreter where that does not work.

    The process starts with the first report and ends with :meth:`close`. One that was killed is replaced.

    Parameters
    ----------
    analyses : bool
        Whether to import the package's analyses too, with all that they compute and draw with.

    Attributes
    ----------
    made : int
        Reports that were started as copies.
    """

    def __init__(self, *, analyses: bool = True) -> None:
        self.made = 0
        self._analyses = analyses
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._folder: Path | None = None
        self._works = sys.platform == "linux" and OFF_VARIABLE not in os.environ

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, spec: Path, log: IO[bytes], cwd: str, environment: Mapping[str, str]) -> Running:
        """Ask the warm process for a copy."""
        order = {"spec": str(spec), "cwd": cwd, "environment": dict(environment)}
        with self._lock:
            for _ in range(2):
                orders = self._ready()
                if orders is None:
                    break
                with suppress(OSError):
                    copied = _Copied(orders, json.dumps(order).encode(), log.fileno())
                    self.made += 1
                    return copied
                self._end()
        return Fresh().start(spec, log, cwd, environment)

    def get_ready(self) -> None:
        """Start the warm process now, because reports will be asked for while it imports."""
        with self._lock:
            self._ready()

    @property
    def pid(self) -> int | None:
        """Number of the warm process; None if there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the warm process; reports that run go on."""
        with self._lock:
            self._end()

    def _ready(self) -> socket.socket | None:
        """The line to the warm process, which is started if there is none; None where it cannot be."""
        if self._process is not None and self._process.poll() is not None:
            # It said that copies would not be whole: it will not say otherwise the next time.
            self._works = self._works and self._process.returncode != 3
            self._end()
        if self._works and self._orders is None:
            with suppress(OSError):
                self._begin()
        return self._orders

    def _begin(self) -> None:
        self._folder = temporary_folder()
        matplotlib = self._folder / "matplotlib"
        matplotlib.mkdir()
        lend_fonts(matplotlib)
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "alliance_longitudinal.reporting.run.warm", str(its.fileno())),
                    *("analyses" if self._analyses else "tools", str(self._folder)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=os.environ | FIXED | _NO_THREADS | {"MPLCONFIGDIR": str(matplotlib)},
                pass_fds=(its.fileno(),),
                start_new_session=True,
            )
        self._orders = ours

    def _end(self) -> None:
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._folder is not None:
            keep_fonts(self._folder / "matplotlib")
        if self._process is not None:
            try:
                self._process.wait(timeout=_PATIENCE_SECONDS if self.made else 0)
            except subprocess.TimeoutExpired:  # it still imports
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class _Copied:
    """A report that is a copy of the warm process, which tells its number and how it ended."""

    def __init__(self, orders: socket.socket, order: bytes, log: int) -> None:
        self.pid: int | None = None
        self.returncode: int | None = None
        self.lost = False
        self._told = b""
        its_input, self._input = os.pipe()
        output, its_output = os.pipe()
        self._status, its_status = os.pipe()
        os.set_blocking(self._status, False)
        self.stdout: IO[bytes] = os.fdopen(output, "rb")
        try:
            socket.send_fds(orders, [order], [its_input, its_output, log, its_status])
        except OSError:
            self._close_ours()
            raise
        finally:
            for file in (its_input, its_output, its_status):
                os.close(file)

    def poll(self) -> int | None:
        if self.returncode is None:
            self._listen()
        return self.returncode

    def close(self) -> None:
        ends_at = time.monotonic() + _WAIT_SECONDS
        while self.pid is not None and self.poll() is None and time.monotonic() < ends_at:
            time.sleep(_POLL_SECONDS)
        if self.lost and self.pid is not None:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._close_ours()

    def _listen(self) -> None:
        try:
            said = os.read(self._status, 256)
        except BlockingIOError:
            return
        self._told += said
        lines = self._told.split(b"\n")[:-1]
        if lines:
            self.pid = int(lines[0])
        if len(lines) > 1:
            self.returncode = int(lines[1])
        elif not said:
            self.lost, self.returncode = True, -signal.SIGKILL

    def _close_ours(self) -> None:
        os.close(self._input)
        os.close(self._status)
        with suppress(OSError):
            self.stdout.close()
