"""Every broken input through the command line: its sentence, exit status 1, no traceback, nothing changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alliance_longitudinal import cli
from data.broken_inputs import BROKEN, DATA

Contents = dict[str, tuple[int, bytes]]


def contents(folder: Path) -> Contents:
    """Every file below ``folder``, with the time of its last change."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def test_there_are_at_least_sixty_broken_tables() -> None:
    assert len(DATA) >= 60


@pytest.mark.parametrize("name", BROKEN)
def test_check_says_what_is_wrong(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, phrases = BROKEN[name]
    study = build(tmp_path)
    before = contents(tmp_path)
    assert cli.main(["check", str(study)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert [phrase for phrase in phrases if phrase not in said.err] == []
    assert "Traceback" not in said.err
    assert "Unexpected error" not in said.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["check", "report"])
def test_a_real_process_says_it_too(command: str, tmp_path: Path) -> None:
    build, phrases = BROKEN["duplicate_session"]
    study = build(tmp_path / "clinic")
    before = contents(tmp_path / "clinic")
    words = [command, str(study)]
    if command == "report":
        words += ["--notebook", "early_alliance", "--out", str(tmp_path / "report")]
    ended = subprocess.run(
        [sys.executable, "-m", "alliance_longitudinal.cli", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert [phrase for phrase in phrases if phrase not in ended.stderr] == []
    assert "Traceback" not in ended.stderr
    assert contents(tmp_path / "clinic") == before
    assert not (tmp_path / "report" / "report.html").exists()
    assert not list(tmp_path.rglob(".stage*"))


def test_demo_into_something_that_is_not_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "demo"
    file.write_text("mine")
    assert cli.main(["demo", str(file)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"The demonstration study cannot be written to {file}: ")
    assert "Name another folder." in said
    assert file.read_text() == "mine"
