"""What starts a report stays light: nothing numerical before the kernel, nothing imported that is never used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alliance_longitudinal.reporting import Report
from inside.reporting_run import keep_fonts, lend_fonts
from reporting.conftest import Lab

TESTS = Path(__file__).resolve().parents[1]


def _loaded(code: str, candidates: tuple[str, ...]) -> list[str]:
    """Which of ``candidates`` a fresh interpreter has loaded after ``code``."""
    whole = f"{code}\nimport json, sys\nprint(json.dumps([m for m in {candidates!r} if m in sys.modules]))"
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", whole],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_a_request_is_checked_without_frames_or_figures(lab: Lab) -> None:
    code = (
        "from pathlib import Path\n"
        "from reporting import tiny\n"
        "from alliance_longitudinal.reporting.run.report import prepare\n"
        f"prepare({str(lab.study)!r}, 'tiny', {{'window': '1,5'}}, registry=tiny.REGISTRY, "
        f"notebooks=Path({str(lab.folder)!r}))"
    )
    heavy = ("scipy", "matplotlib", "pandas", "numba", "papermill", "nbformat", "jupyter_client")
    assert _loaded(code, heavy) == []


@pytest.mark.parametrize("name", ["variance_partition", "early_alliance", "reliable_change", "sudden_gains"])
def test_the_packages_own_analyses_are_checked_without_statistics_or_figures(name: str) -> None:
    code = (
        "from alliance_longitudinal.reporting.run.report import prepare\n"
        f"prepare('demo', {name!r}, {{'audience': 'shareable'}})"
    )
    assert _loaded(code, ("scipy", "matplotlib", "seaborn", "numba", "formulaic", "papermill")) == []


def test_a_report_imports_its_own_analysis_only() -> None:
    code = "import alliance_longitudinal as al\nassert callable(al.variance_partition)"
    others = ("variance_partition", "early_alliance", "measurement")
    loaded = _loaded(code, tuple(f"alliance_longitudinal.analyses.{name}" for name in others))
    assert loaded == ["alliance_longitudinal.analyses.variance_partition"]


def test_the_reports_process_loads_papermill_without_its_stores() -> None:
    code = (
        "from alliance_longitudinal.reporting.run.lean import lean_imports\n"
        "with lean_imports():\n"
        "    import nbformat, papermill\n"
        "assert callable(papermill.execute_notebook)"
    )
    assert _loaded(code, ("requests", "pyarrow", "pandas", "rfc3987_syntax", "papermill")) == ["papermill"]


def test_what_was_spared_can_be_imported_afterwards() -> None:
    code = (
        "from alliance_longitudinal.reporting.run.lean import lean_imports\n"
        "with lean_imports():\n"
        "    import nbformat, papermill\n"
        "import pyarrow\n"
        "assert pyarrow.array([1]).to_pylist() == [1]"
    )
    assert _loaded(code, ("pyarrow",)) == ["pyarrow"]


def test_the_list_of_fonts_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "home"))
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    lend_fonts(first)  # nothing is there yet
    assert list(first.iterdir()) == []
    (first / "fontlist-v1.json").write_text('["half of')
    keep_fonts(first)  # what a process that was killed has left is not kept
    assert not (tmp_path / "home").exists()
    (first / "fontlist-v1.json").write_text('["made by the first report"]')
    (first / "matplotlibrc").write_text("a setting of its own")
    keep_fonts(first)
    lend_fonts(second)
    assert {p.name: p.read_text() for p in second.iterdir()} == {
        "fontlist-v1.json": '["made by the first report"]'
    }
    (second / "fontlist-v1.json").write_text("changed")
    keep_fonts(second)
    assert (tmp_path / "home" / "fontlist-v1.json").read_text() == '["made by the first report"]'
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["fontlist-v1.json"]


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_home_that_cannot_hold_fonts_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(
        "MPLCONFIGDIR", str(tmp_path / "file" / "below" if place == "missing" else tmp_path / "file")
    )
    own = tmp_path / "own"
    own.mkdir()
    lend_fonts(own)
    (own / "fontlist-v1.json").write_text("x")
    keep_fonts(own)
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_report_still_has_its_figures(good: Report) -> None:
    assert (good.folder / "figures" / "forest.svg").is_file()
