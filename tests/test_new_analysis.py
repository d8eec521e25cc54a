"""The page about an analysis of one's own: its file alone, in a copy of the package, is an analysis in every respect."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BATCH = """\
study: demo
notebook: next_session
parameters:
  audience: [internal, shareable]
"""


@pytest.fixture(scope="module")
def code() -> str:
    """The file that the page says to copy."""
    page = (ROOT / "docs" / "new_analysis.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, code: str) -> Path:
    """A copy of the package with that file, and its notebook as `make notebooks` writes it."""
    copy = tmp_path_factory.mktemp("house")
    for part in ("src", "notebooks", "data_schema", "tools"):
        # With what is compiled, but not files that another process is just writing.
        shutil.copytree(
            ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.pyc.*", "*.nbi*", "*.nbc*")
        )
    target = copy / "src" / "alliance_longitudinal" / "analyses" / "next_session.py"
    target.write_text(code, encoding="utf-8")
    assert run(copy, copy / "tools" / "notebooks.py").returncode == 0
    return copy


def run(house: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy in place of the package."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_file_is_short(code: str) -> None:
    assert len(code.splitlines()) < 80


def test_it_is_listed_with_its_question_and_parameters(house: Path) -> None:
    listed = run(house, "-m", "alliance_longitudinal.cli", "list")
    assert listed.returncode == 0, listed.stderr
    assert "next_session" in listed.stdout
    one = run(house, "-m", "alliance_longitudinal.cli", "list", "next_session")
    assert "Alliance measure, by its name in the study file" in one.stdout


@pytest.mark.slow
@pytest.mark.parametrize("audience", ["internal", "shareable"])
def test_it_makes_a_report_for_both_audiences(house: Path, audience: str) -> None:
    words = [
        "report",
        "demo",
        "--notebook",
        "next_session",
        "--audience",
        audience,
        "--out",
        house / audience,
    ]
    made = run(house, "-m", "alliance_longitudinal.cli", *words)
    assert made.returncode == 0, made.stderr
    results = json.loads((house / audience / "results.json").read_text(encoding="utf-8"))
    assert results["answer"][0].startswith("After sessions with a better alliance than usual, PHQ-9 was")
    assert [e["id"] for e in results["estimates"]] == ["within", "between"]
    if audience == "shareable":
        assert all(e["n"] % 10 == 0 for e in results["estimates"])
        assert not re.search(r"\b(900|898|899)\b.*clients", results["answer"][0])


@pytest.mark.slow
def test_it_runs_in_a_batch(house: Path) -> None:
    (house / "batch.yaml").write_text(BATCH, encoding="utf-8")
    made = run(
        house,
        "-m",
        "alliance_longitudinal.cli",
        "batch",
        "batch.yaml",
        "--out",
        house / "batch",
        "--jobs",
        "1",
    )
    assert made.returncode == 0, made.stdout + made.stderr
    results = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted((house / "batch").rglob("results.json"))
    ]
    assert sorted(r["parameters"]["audience"] for r in results) == ["internal", "shareable"]
