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
_POLL_SECONDS = 0.05


def main(control: int, analyses: bool, folder: Path) -> int:
    """Import, then make copies until the supervisor closes the socket; 3 if copies would not be whole."""
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != folder.resolve()]
    try:
        import_tools()
        if analyses:
            import_analyses()
            with suppress(Exception):  # a copy then does it itself, and tells
                use_once()
        gc.collect()
        gc.freeze()
        if not can_fork():
            return 3
        with socket.socket(fileno=control) as orders:
            _serve(orders)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _serve(orders: socket.socket) -> None:
    ends: dict[int, int] = {}
    watched: dict[int, int] = {}
    while True:
        unwatched = len(ends) > len(watched)
        heard: list[Any] = [orders, *watched.values()]
        ready, _, _ = select.select(heard, [], [], _POLL_SECONDS if unwatched else None)
        if orders in ready:
            message, files, _, _ = socket.recv_fds(orders, MESSAGE, 4)
            if not message:
                return
            if len(files) == 4:
                said = _copy(json.loads(message), files)
                ends[said[0]] = said[1]
                with suppress(OSError):  # an older system: then it is asked every now and then
                    watched[said[0]] = os.pidfd_open(said[0])
        for number in list(ends):
            with suppress(ChildProcessError):
                ended, waited = os.waitpid(number, os.WNOHANG)
                if ended:
                    _say(ends[number], f"{status_of(waited)}\n")
                    os.close(ends.pop(number))
                    if number in watched:
                        os.close(watched.pop(number))


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
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2] == "analyses", Path(sys.argv[3])))
