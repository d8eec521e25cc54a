"""Stopping: a signal ends everything that was started, and what was finished stays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from inside.reporting_run import owner
from reporting import tiny
from reporting.conftest import Lab

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

_TESTS = Path(__file__).resolve().parents[1]
_REPORT = """
import sys
sys.path.insert(0, {tests!r})
from reporting import tiny
from reporting.conftest import Lab
from pathlib import Path
show = lambda event: print(event["event"], flush=True)
report = Lab(Path({lab!r})).report(Path({out!r}), parameters={{"trouble": "slow"}}, on_event=show)
print(report.error)
"""
_BATCH = """
import sys
sys.path.insert(0, {tests!r})
from reporting import tiny
from alliance_longitudinal.reporting import run_batch
from pathlib import Path
show = lambda event: print(event["status"], event.get("kept", False), flush=True)
lab = Path({lab!r})
batch = run_batch({file!r}, {out!r}, jobs=2, on_event=show, registry=tiny.REGISTRY, notebooks=lab)
print("ok" if batch.ok else "not ok")
"""


def _start(script: str, **more: int) -> "subprocess.Popen[str]":
    """Started as from a terminal: a test run in the background of a shell would pass on that Ctrl-C is ignored."""
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    return subprocess.Popen(
        [sys.executable, "-c", listen + script], stdout=subprocess.PIPE, text=True, **more
    )


def _gone(processes: list[psutil.Process]) -> bool:
    end = time.monotonic() + 10
    while any(map(_runs, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _runs(process: psutil.Process) -> bool:
    try:  # a killed process that its new parent has not collected yet is a zombie and does nothing any more
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_kernel_and_all(lab: Lab, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "reports" / "one"
    with _start(_REPORT.format(tests=str(_TESTS), lab=str(lab.folder), out=str(out))) as supervisor:
        assert supervisor.stdout is not None
        while supervisor.stdout.readline().strip() != "cell":
            pass
        family = psutil.Process(supervisor.pid).children(recursive=True)
        assert len(family) >= 2, "the report's process and its kernel"
        supervisor.send_signal(number)
        said, _ = supervisor.communicate(timeout=20)
    assert _gone(family)
    assert not (out / "report.html").exists()
    if number == signal.SIGTERM:
        assert "The report was stopped before it was complete." in said
        assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["status"] == "failed"
        assert [p.name for p in out.parent.iterdir()] == ["one"]


def test_a_batch_that_is_interrupted_while_it_starts_is_waiting(lab: Lab, tmp_path: Path) -> None:
    """Case: Ctrl-C while the first process imports. Its copies woke up late and removed the folders that were still in use: the reports
    were "failed", with "No such file or directory", and a thread's traceback was on the screen."""
    tiny.write_study(tmp_path / "a")
    grid = {"studies": {"A": "a/study.yaml"}, "notebook": "tiny", "parameters": {"scale": [1.0, 2.0]}}
    (tmp_path / "batch.yaml").write_text(json.dumps(grid), encoding="utf-8")
    out = tmp_path / "out"
    script = _BATCH.format(
        tests=str(_TESTS), lab=str(lab.folder), file=str(tmp_path / "batch.yaml"), out=str(out)
    )
    with _start(script, stderr=subprocess.PIPE) as batch:
        while not list(out.glob(".claims/*")):
            time.sleep(0.01)
        time.sleep(0.1)
        batch.send_signal(signal.SIGINT)
        said, errors = batch.communicate(timeout=60)
    assert said == "waiting False\nwaiting False\nnot ok\n"
    assert errors == ""
    assert json.loads((out / "batch.json").read_text(encoding="utf-8"))["reports"][0]["status"] == "waiting"


def test_an_interrupted_batch_goes_on_to_the_same_numbers(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "a")
    tiny.write_study(tmp_path / "b", (5.0, 6.5, 7.25))
    grid = {
        "studies": {"A": "a/study.yaml", "B": "b/study.yaml"},
        "notebook": "tiny",
        "parameters": {"scale": [1.0, 2.0]},
        "exclude": [{"study": "B", "scale": 1.0}],
    }
    (tmp_path / "batch.yaml").write_text(json.dumps(grid), encoding="utf-8")
    script = _BATCH.format(
        tests=str(_TESTS), lab=str(lab.folder), file=str(tmp_path / "batch.yaml"), out="{out}"
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    with _start(script.format(out=parts)) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "complete False\n"
        time.sleep(0.05)  # into the next ones, which take some tenths of a second
        first.send_signal(signal.SIGINT)
        said, _ = first.communicate(timeout=30)
    assert said.endswith("not ok\n")
    done = {p.parent.name: p.stat().st_mtime_ns for p in parts.glob("*/report.html")}
    assert 1 <= len(done) < 3

    second = subprocess.run(
        [sys.executable, "-c", script.format(out=parts)], capture_output=True, text=True, check=True
    )
    assert second.stdout.endswith("ok\n")
    assert second.stdout.count("complete True\n") == len(done)
    subprocess.run([sys.executable, "-c", script.format(out=whole)], capture_output=True, check=True)

    numbers = {p.parent.name: p.read_bytes() for p in whole.glob("*/results.json")}
    assert len(numbers) == 3
    assert {p.parent.name: p.read_bytes() for p in parts.glob("*/results.json")} == numbers
    assert {name: (parts / name / "report.html").stat().st_mtime_ns for name in done} == done
    assert sorted(p.name for p in parts.iterdir()) == sorted(p.name for p in whole.iterdir())


def test_a_temporary_folder_that_is_not_quite_removed_is_swept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner.tempfile, "tempdir", str(tmp_path))
    whole, disturbed = owner.temporary_folder(), owner.temporary_folder()
    for folder in (whole, disturbed):
        (folder / "k1").mkdir()
        (folder / "log.txt").write_text("private")
    owner.remove(whole)
    assert not whole.exists()

    unlink = Path.unlink

    def then_another_socket(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path.name == owner.OWNER:
            (disturbed / "k2").mkdir()

    monkeypatch.setattr(Path, "unlink", then_another_socket)
    owner.remove(disturbed)
    assert sorted(p.name for p in disturbed.iterdir()) == ["k2", owner.OWNER]
    owner.sweep()
    assert disturbed.exists(), "its maker still runs"
    (disturbed / owner.OWNER).write_text(owner.this_process() + "1")
    owner.sweep()
    assert not disturbed.exists()


def test_an_empty_folder_without_a_maker_is_swept_when_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner.tempfile, "tempdir", str(tmp_path))
    names = ("al-old_one1", "al-new_one1", "al-in_use_1", "al-other-name")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "al-in_use_1" / "file").touch()
    for name in ("al-old_one1", "al-in_use_1", "al-other-name"):
        os.utime(tmp_path / name, (1e9, 1e9))
    owner.sweep()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(set(names) - {"al-old_one1"})
