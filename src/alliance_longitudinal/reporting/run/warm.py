"""A process with everything imported, of which every report of a batch is a copy: ``python -m ...run.warm SOCKET``.

The supervisor (``starters.py``) sends one message a report over the socket: the spec, and four open files that become the copy's
standard input, output and error, and the pipe on which this process says how the copy ended. This process only imports; a
report runs in its copy, so nothing of one report can reach the next, and one that dies takes nobody along.
"""

import gc
import json
import os
import select
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from alliance_longitudinal.reporting.run.forks import can_fork, fork, status_of
from alliance_longitudinal.reporting.run.tools import import_analyses, import_tools, use_once

#: Bytes of one message; a spec's path and a few settings.
MESSAGE = 65536
#: For garbage, as ``gc.set_threshold`` takes it: few looks are enough for one report.
FEW_LOOKS = (50_000, 50, 100)
_POLL_SECONDS = 0.05


def main(control: int, analyses: bool, folder: Path) -> int:
    """Import, then make copies until the supervisor closes the socket; 3 if copies would not be whole."""
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != folder.resolve()]
    gc.disable()  # what is imported stays; to look for garbage in it again and again takes a sixth of the time
    copies = _Copies()
    try:
        with socket.socket(fileno=control) as orders:
            import_tools()
            if analyses:
                import_analyses(lambda: copies.serve_first(orders))
                with suppress(Exception):  # a copy then does it itself, and tells
                    use_once()
            _settle()
            if not can_fork():
                return 3
            copies.serve(orders)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _settle() -> None:
    """What is there now is nobody's garbage; of what a copy adds, a few looks are enough."""
    gc.freeze()
    gc.set_threshold(*FEW_LOOKS)
    gc.enable()


class _Copies:
    """The copies that run: where to say how each ended, and what tells that it has."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}
        self._watched: dict[int, int] = {}
        # Alone, it would only take the time of this process's imports.
        self._has_a_processor_to_spare = len(os.sched_getaffinity(0)) > 1

    def serve_first(self, orders: socket.socket) -> None:
        """Start one report that waits already: it imports what it needs while this process imports the rest."""
        spare = self._has_a_processor_to_spare and not self._ends
        if spare and select.select([orders], [], [], 0)[0] and can_fork():
            self._take(orders)

    def serve(self, orders: socket.socket) -> None:
        """Make copies until the supervisor is gone."""
        while True:
            unwatched = len(self._ends) > len(self._watched)
            heard: list[Any] = [orders, *self._watched.values()]
            ready, _, _ = select.select(heard, [], [], _POLL_SECONDS if unwatched else None)
            if orders in ready and not self._take(orders):
                return
            self._tell_ends()

    def _take(self, orders: socket.socket) -> bool:
        """Start what the next message asks for; False if there will be none."""
        message, files, _, _ = socket.recv_fds(orders, MESSAGE, 4)
        if len(files) == 4:
            number, told = _copy(json.loads(message), files)
            self._ends[number] = told
            with suppress(OSError):  # an older system: then it is asked every now and then
                self._watched[number] = os.pidfd_open(number)
        return bool(message)

    def _tell_ends(self) -> None:
        for number in list(self._ends):
            with suppress(ChildProcessError):
                ended, waited = os.waitpid(number, os.WNOHANG)
                if ended:
                    _say(self._ends[number], f"{status_of(waited)}\n")
                    os.close(self._ends.pop(number))
                    if number in self._watched:
                        os.close(self._watched.pop(number))


def _copy(order: Mapping[str, Any], files: list[int]) -> tuple[int, int]:
    """Start the copy for one report; its number, and where to say how it ended."""
    ended = files[3]
    number = fork(lambda: _report(order, files[:3]), keep=files[:3])
    for file in files[:3]:
        os.close(file)
    _say(ended, f"{number}\n")
    return number, ended


def _say(pipe: int, line: str) -> None:
    with suppress(OSError):  # the supervisor is gone
        os.write(pipe, line.encode())


def _report(order: Mapping[str, Any], files: list[int]) -> int:
    from alliance_longitudinal.reporting.run.child import main as make

    _settle()  # the first one began while this process did not look for garbage
    os.setsid()
    for i, file in enumerate(files):
        os.dup2(file, i)
    for file in files:
        if file > 2:
            os.close(file)
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    return make(order["spec"])


if __name__ == "__main__":
    # Without freeing every object one by one, for which the supervisor would wait.
    os._exit(main(int(sys.argv[1]), sys.argv[2] == "analyses", Path(sys.argv[3])))
