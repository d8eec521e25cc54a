"""Reports as copies of a warm process: the same bytes as from a fresh interpreter, and nothing of one in the next."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.reporting import prepare
from inside.reporting_run import Warm, can_fork, run_request
from reporting import tiny
from reporting.conftest import Lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")

#: Changes what a later report in the same process would see, and publishes what it found on arrival.
LEAKY = """
import os, sys, json, decimal, collections
found = [getattr(collections, "left_behind", None), os.environ.get("LEFT_BEHIND"), "left" in globals(),
         decimal.getcontext().prec, "left_behind" in sys.modules]
print(json.dumps(found))
collections.left_behind, os.environ["LEFT_BEHIND"], left = "canary", "canary", 1
decimal.getcontext().prec = 3
sys.modules["left_behind"] = collections
os.chdir("/")
"""


@pytest.fixture
def warm() -> Iterator[Warm]:
    with Warm(analyses=False) as starter:
        yield starter


def _make(
    lab: Lab, out: Path, starter: Warm | None, on_event: Any = None, **parameters: Any
) -> dict[str, bytes]:
    """The files of a report, without the times and places of its run."""
    request = prepare(lab.study, "tiny", parameters, registry=tiny.REGISTRY, notebooks=lab.folder)
    told = {"started": "2026-01-01T00:00:00+00:00", "command": "alliance report"}
    report = run_request(request, out, stop=threading.Event(), starter=starter, told=told, on_event=on_event)
    assert report.ok, report.error
    files = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    notebook = json.loads(files.pop("report.ipynb"))
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k not in ("execution", "papermill")}
    manifest = json.loads(files.pop("manifest.json"))
    kept = {k: v for k, v in manifest.items() if k not in ("seconds", "outputs", "manifest_sha256")}
    return files | {"notebook": json.dumps(notebook).encode(), "manifest": json.dumps(kept).encode()}


def test_a_b_a_has_the_same_bytes_as_fresh_interpreters(lab: Lab, warm: Warm, tmp_path: Path) -> None:
    first = _make(lab, tmp_path / "a1", warm, scale=1.0)
    other = _make(lab, tmp_path / "b", warm, scale=2.0, label="other")
    again = _make(lab, tmp_path / "a2", warm, scale=1.0)
    assert first == again
    assert first != other
    assert first == _make(lab, tmp_path / "fresh", None, scale=1.0)
    assert {"report.html", "results.json", "figures/forest.svg", "tables/effects.csv"} <= first.keys()


def test_nothing_that_a_notebook_changes_reaches_the_next(tmp_path: Path, warm: Warm) -> None:
    path = tiny.write_notebook(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][2]["source"] = LEAKY
    path.write_text(json.dumps(content), encoding="utf-8")
    tiny.write_study(tmp_path / "data")
    leaky = Lab(tmp_path)
    for name in ("one", "two"):
        found = re.search(
            rb"\[null, null, false, 28, false\]", _make(leaky, tmp_path / name, warm)["notebook"]
        )
        assert found is not None


def test_the_report_is_a_copy_and_says_what_it_used(lab: Lab, warm: Warm, tmp_path: Path) -> None:
    events: list[Mapping[str, Any]] = []
    _make(lab, tmp_path / "a", warm, events.append)
    assert warm.made == 1
    used = next(event for event in events if event["event"] == "used")
    assert 0 < used["kernel_cpu_seconds"] < used["cpu_seconds"] < 60
    assert 10 < used["memory_mib"] < 2000


def test_a_killed_warm_process_costs_no_report(lab: Lab, warm: Warm, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(event: Mapping[str, Any]) -> None:
        if event["event"] == "cell" and not killed:
            killed.append(warm.pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    _make(lab, tmp_path / "b", warm, kill)
    assert killed
    assert (tmp_path / "b" / "report.html").is_file()
    _make(lab, tmp_path / "c", warm)
    assert warm.pid not in (None, *killed)


def test_a_process_that_nobody_needed_ends_at_once(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with Warm() as starter:
        starter.get_ready()
        assert starter.pid is not None
        number = starter.pid
    assert not Path(f"/proc/{number}").exists()
    assert list(own.iterdir()) == []
    with Warm(analyses=False) as starter:
        starter.get_ready()
        number = starter.pid
        _make(lab, tmp_path / "a", starter)
        assert (starter.made, starter.pid) == (1, number)


def test_where_no_copy_can_be_made_reports_begin_afresh(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLIANCE_NO_FORK", "1")
    with Warm(analyses=False) as cold:
        _make(lab, tmp_path / "a", cold)
        assert (cold.made, cold.pid) == (0, None)


def test_the_whole_package_is_imported_without_another_thread() -> None:
    """Otherwise every report of a batch would begin afresh, and nobody would notice but by the time."""
    code = (
        "from alliance_longitudinal.reporting.run.tools import import_analyses, import_tools, use_once\n"
        "from alliance_longitudinal.reporting.run.forks import can_fork\n"
        "import sys\n"
        "import_tools(); import_analyses(); use_once()\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'a notebook would not show its figures'\n"
        "print(can_fork())"
    )
    environment = os.environ | {
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr


def test_a_process_with_threads_is_not_copied() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        assert not can_fork()
    finally:
        go.set()
        thread.join()
