"""Real limits of the machine: a full disk, too few open files. Each gives a sentence, and nothing half-written stays."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from alliance_longitudinal.cli import main
from alliance_longitudinal.reporting import run_batch
from inside.reporting_run import memory
from reporting import tiny
from reporting.conftest import Lab

resource = pytest.importorskip("resource")

REPORT = """
import sys
from pathlib import Path
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.reporting import run_report
from reporting import tiny
study, folder, out = map(Path, sys.argv[1:])
try:
    report = run_report(study, "tiny", {}, out, registry=tiny.REGISTRY, notebooks=folder)
    print(report.ok, report.error)
except AllianceError as error:
    print(type(error).__name__, error)
"""
TESTS = Path(__file__).parents[1]


def _run(lab: Lab, out: Path, limit: Callable[[], None] = lambda: None, **environment: str) -> str:
    """What a report's own process says, made under ``limit``."""
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(lab.study), str(lab.folder), str(out)],
        env=os.environ | {"PYTHONPATH": paths, **environment},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _files(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_few_open_files_are_said_before_anything_is_written(lab: Lab, tmp_path: Path) -> None:
    said = _run(lab, tmp_path / "out" / "r", _files(60, 60))
    assert said == (
        "ReportError The report could not be made. Too many files are open at a time on this machine. Make fewer reports at "
        "a time (--jobs 1), or allow more open files (ulimit -n 1024)."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_low_limit_that_may_be_raised_is_raised(lab: Lab, tmp_path: Path) -> None:
    """The supervisor itself needs few files; the report's process raises its own limit."""
    assert _run(lab, tmp_path / "r", _files(48, 1024)) == "True"


def test_files_that_may_not_grow_leave_no_half_report(lab: Lab, tmp_path: Path) -> None:
    """A limit of the size of files is met like a full disk."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    said = _run(lab, tmp_path / "r", small)
    assert said.startswith("False ")
    assert "The disk is full. Free some space, then repeat the command." in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r"]
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["manifest.json", "private"]


def test_a_report_that_wants_too_much_memory_ends_alone(lab: Lab, tmp_path: Path) -> None:
    """The limit ends it, not the system; its neighbours of the same batch are made."""
    tiny.write_study(tmp_path / "a")
    (tmp_path / "grid.yaml").write_text(
        "study: a/study.yaml\nnotebook: tiny\nmemory: 0.6\nparameters: {trouble: [hungry, null]}\n",
        encoding="utf-8",
    )
    batch = run_batch(
        tmp_path / "grid.yaml", tmp_path / "out", jobs=2, registry=tiny.REGISTRY, notebooks=lab.folder
    )
    assert [row["status"] for row in batch.rows] == ["failed", "complete"]
    assert batch.rows[0]["error"] == (
        "The report needed more than 0.6 GB of memory and was stopped. Give it more (--memory GB; in a batch file, "
        "memory: GB), or use a larger machine."
    )
    assert [p.name for p in (batch.folder / batch.rows[0]["folder"]).iterdir() if p.suffix == ".html"] == []


@pytest.mark.parametrize("word", ["0", "-1", "much", "inf", "nan"])
def test_a_limit_of_memory_is_a_number(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", "demo", "--notebook", "dose", "--out", "x", "--memory", word])
    assert f"{word!r} is not a number of gigabytes above zero" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small file system can be mounted here")
    yield place
    subprocess.run([umount, "-l", str(place)], check=True)


def _leave(disk: Path, room: int) -> None:
    """Fill ``disk`` but for ``room`` bytes."""
    (disk / "filler").write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - room))


def test_a_full_disk_under_the_report(lab: Lab, small_disk: Path) -> None:
    _leave(small_disk, 20_000)
    said = _run(lab, small_disk / "r")
    assert "The disk is full. Free some space, then repeat the command." in said
    assert not (small_disk / "r" / "report.html").exists()
    assert [p.name for p in small_disk.iterdir() if p.name.startswith(".stage")] == []


def test_a_good_report_outlives_a_disk_that_fills_up(lab: Lab, small_disk: Path) -> None:
    assert _run(lab, small_disk / "r") == "True"
    before = {p.name: p.read_bytes() for p in (small_disk / "r").rglob("*") if p.is_file()}
    _leave(small_disk, 8_192)
    assert "The disk is full." in _run(lab, small_disk / "r")
    assert {p.name: p.read_bytes() for p in (small_disk / "r").rglob("*") if p.is_file()} == before


def test_a_full_disk_under_temporary_files(lab: Lab, tmp_path: Path, small_disk: Path) -> None:
    _leave(small_disk, 4_096)
    said = _run(lab, tmp_path / "r", TMPDIR=str(small_disk))
    assert "The disk is full. Free some space, then repeat the command." in said
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


def test_a_demonstration_study_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    done = subprocess.run(
        [sys.executable, "-m", "alliance_longitudinal.cli", "demo", str(tmp_path / "d")],
        preexec_fn=small,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"The demonstration study cannot be written to {tmp_path / 'd'}: the disk is full. Name another folder."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("cores", "free", "jobs"), [(2, 20e9, 3), (8, 2.2e9, 4), (4, 0.1e9, 1)])
def test_a_batch_makes_one_report_more_than_processors_at_a_time_if_memory_is_free(
    monkeypatch: pytest.MonkeyPatch, cores: int, free: float, jobs: int
) -> None:
    monkeypatch.setattr(memory.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=free, total=64e9))
    assert memory.usual_jobs() == jobs
