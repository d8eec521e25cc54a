"""A batch for outsiders marks the reports whose difference would tell a small count."""

import json
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.reporting import run_batch
from inside import TELLING_PAIRS
from inside.reporting_batch import sentence_of, shown_counts, small_cells, telling_pairs
from reporting import tiny
from reporting.conftest import Lab


def _write(folder: Path, label: str, results: dict[str, Any], **more: Any) -> dict[str, Any]:
    (folder / label).mkdir()
    (folder / label / "results.json").write_text(json.dumps(results), encoding="utf-8")
    row = {
        "label": label,
        "folder": label,
        "study": "A",
        "status": "complete",
        "parameters": {"audience": "shareable"},
    }
    return row | more


def _analysed(clients: int) -> dict[str, Any]:
    return {"flow": [{"clients_out": 400}, {"clients_out": clients}]}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (275, 282, True),
        (275, 275, False),
        (275, 285, False),
        (275, 284, True),
        (284, 275, True),
        (275, 266, True),
    ],
)
def test_a_difference_below_the_smallest_count_tells(
    tmp_path: Path, first: int, second: int, told: bool
) -> None:
    """Case: windows 1-5 and 1-4 with 275 and 282 clients stood side by side without a word."""
    rows = [_write(tmp_path, "w5", _analysed(first)), _write(tmp_path, "w4", _analysed(second))]
    assert telling_pairs(tmp_path, rows, {"A": 10}) == ([("w5", "w4")] if told else [])


def test_the_studys_own_limit_counts(tmp_path: Path) -> None:
    rows = [_write(tmp_path, "w5", _analysed(275)), _write(tmp_path, "w4", _analysed(282))]
    assert telling_pairs(tmp_path, rows, {"A": 5}) == []
    assert telling_pairs(tmp_path, rows, {"A": 8}) == [("w5", "w4")]
    assert telling_pairs(tmp_path, rows, {}) == [("w5", "w4")]


@pytest.mark.parametrize(
    "change",
    [{"study": "B"}, {"status": "failed"}, {"parameters": {"audience": "internal"}}, {"parameters": {}}],
)
def test_only_reports_for_outsiders_on_one_study_are_compared(tmp_path: Path, change: dict[str, Any]) -> None:
    rows = [_write(tmp_path, "w5", _analysed(275)), _write(tmp_path, "w4", _analysed(282), **change)]
    assert telling_pairs(tmp_path, rows, {"A": 10, "B": 10}) == []


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (lambda n: {"estimates": [{"id": "b", "level": "client", "n": n}]}, True),
        (lambda n: {"estimates": [{"id": f"b{n}", "level": "client", "n": n}]}, False),
        (lambda n: {"estimates": [{"id": "b", "level": "therapist", "n": n}]}, False),
        (
            lambda n: {
                "tables": [{"name": "t", "columns": [{"key": "m"}, {"key": "n"}], "rows": [["JT", n]]}]
            },
            True,
        ),
        (
            lambda n: {
                "tables": [{"name": "t", "columns": [{"key": "m"}, {"key": "df"}], "rows": [["JT", n]]}]
            },
            False,
        ),
        (
            lambda _: {
                "tables": [{"name": "t", "columns": [{"key": "m"}, {"key": "n"}], "rows": [["JT", None]]}]
            },
            False,
        ),
    ],
)
def test_every_count_of_clients_is_compared(tmp_path: Path, part: Any, told: bool) -> None:
    rows = [_write(tmp_path, "a", part(40)), _write(tmp_path, "b", part(43))]
    assert bool(telling_pairs(tmp_path, rows, {"A": 10})) is told


def test_a_report_that_is_gone_shows_nothing(tmp_path: Path) -> None:
    rows = [_write(tmp_path, "a", _analysed(40)), _write(tmp_path, "b", _analysed(43))]
    (tmp_path / "b" / "results.json").unlink()
    assert telling_pairs(tmp_path, rows, {"A": 10}) == []
    assert shown_counts({}) == {}


def test_the_sentence_names_ten_pairs() -> None:
    assert sentence_of([]) == ""
    text = sentence_of([(f"a{k}", f"b{k}") for k in range(12)])
    assert text.startswith("Do not share these reports together.")
    assert text.endswith("a9 and b9; and 2 more pairs.")


@pytest.mark.parametrize(("line", "limit"), [("", 10), ("small_cells: 5\n", 5), ("small_cells: many\n", 10)])
def test_the_limit_is_the_study_files(tmp_path: Path, line: str, limit: int) -> None:
    study = tiny.write_study(tmp_path)
    study.write_text(study.read_text(encoding="utf-8") + line, encoding="utf-8")
    assert small_cells(study) == limit


def test_the_index_of_a_batch_marks_them(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_study(tmp_path / "a")
    (tmp_path / "grid.yaml").write_text(
        "study: a/study.yaml\nnotebook: tiny\nparameters: {scale: [1.0, 2.0]}\n", encoding="utf-8"
    )
    monkeypatch.setattr(TELLING_PAIRS, lambda *_: [("scale 1.0", "scale 2.0")])
    batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert len(batch.notes) == 1
    assert "Share only one report of each pair: scale 1.0 and scale 2.0." in batch.page.read_text(
        encoding="utf-8"
    )
