"""Runs tests in children of one process that has loaded the third parties already: a run then costs a second, not five.

Reads one JSON list ``[arguments of pytest, file for what it prints, seconds]`` a line, and answers with the exit status of
pytest, or ``timeout``. Nothing of the package is loaded here, so a child always reads the files as they are.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress

THIRD = (
    *(
        "numpy",
        "pandas",
        "scipy.stats",
        "scipy.optimize",
        "scipy.special",
        "scipy.sparse",
        "matplotlib.pyplot",
    ),
    *(
        "seaborn",
        "numba",
        "formulaic",
        "statsmodels.api",
        "pydantic",
        "pyarrow.parquet",
        "openpyxl",
        "ruamel.yaml",
    ),
    *("jinja2", "nbformat"),
)


def child(arguments: list[str], shown: str) -> None:
    """Never returns."""
    os.setsid()
    to = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(to, 1)
    os.dup2(to, 2)
    status = 3
    try:
        import pytest

        status = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(pid: int, seconds: float) -> str:
    """The child's exit status; it and what it started are ended after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            return str(os.waitstatus_to_exitcode(status))
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "timeout"


def main() -> None:
    """Until standard input ends."""
    sys.dont_write_bytecode = True
    sys.path[0] = ""
    for name in THIRD:
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        arguments, shown, seconds = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(arguments, shown)
        print(wait(pid, seconds), flush=True)


if __name__ == "__main__":
    main()
