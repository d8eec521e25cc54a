"""A batch as an RO-Crate: what the specification demands, nothing of clients or machines, the same bytes each time."""

import json
from pathlib import Path
from typing import Any

import pytest

from inside.reporting_batch import crate_of, write_crate
from reporting import tiny
from reporting.crates import CRATE, crate_problems


def _row(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    row = {"folder": name, "label": name.title(), "notebook": "tiny", "status": "complete"}
    row |= {"parameters": {"window": [1, 5]}, **more}
    if row["status"] == "complete":
        inputs = {"study.yaml": "a" * 64, "/home/ann/clinic/sessions.csv": "b" * 64}
        tiny.write_manifest(
            folder / name, {"analysis": "tiny", "inputs": inputs, "parameters": row["parameters"]}
        )
        (folder / name / "report.html").write_text("<p>", encoding="utf-8")
        (folder / name / "results.json").write_text("{}", encoding="utf-8")
    return row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("index.html", "index.csv", "batch.json"):
        (tmp_path / name).write_text("", encoding="utf-8")
    return tmp_path


def test_the_crate_is_one_by_the_specification(folder: Path) -> None:
    rows = [
        _row(folder, "north"),
        _row(folder, "south", parameters={"from_report": "/home/ann/old/results.json", "clinic": None}),
        _row(folder, "west", status="failed", error="/home/ann is full"),
        _row(folder, "one", parameters={"client": "canary-4711"}),
        _row(folder, "later", status="waiting"),
    ]
    write_crate(folder, rows)
    assert crate_problems(folder) == []
    text = (folder / CRATE).read_text(encoding="utf-8")
    assert not [word for word in ("/home", "ann", "canary", "one/", "later") if word in text]
    by_id = {e["@id"]: e for e in json.loads(text)["@graph"]}
    assert by_id["./"]["name"] == "Batch of reports: tiny"
    assert by_id["./"]["conditionsOfAccess"] == "For people who may see the data."
    assert [p["@id"] for p in by_id["north/"]["hasPart"]] == [
        f"north/{f}" for f in ("report.html", "results.json", "manifest.json")
    ]
    action = by_id["#make/north"]
    assert action["result"] == [{"@id": "north/"}]
    assert [by_id[o["@id"]]["name"] for o in action["object"]] == ["study.yaml", "sessions.csv", "window"]
    assert by_id["#north/window"]["value"] == "1,5"
    assert by_id["#south/from_report"]["value"] == "results.json"
    assert "#south/clinic" not in by_id
    assert by_id["#make/west"]["actionStatus"] == {"@id": "http://schema.org/FailedActionStatus"}
    assert "result" not in by_id["#make/west"]


def test_the_same_reports_give_the_same_bytes_whatever_the_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [_row(folder, "north")]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    write_crate(folder, rows)
    first = (folder / CRATE).read_bytes()
    assert b'"datePublished": "1970-01-02"' in first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "864000")
    write_crate(folder, rows)
    assert (folder / CRATE).read_bytes() == first
    write_crate(folder, [*rows, _row(folder, "south")])
    assert b'"datePublished": "1970-01-11"' in (folder / CRATE).read_bytes()
    (folder / CRATE).write_text("[]", encoding="utf-8")
    write_crate(folder, rows)
    assert crate_problems(folder) == []


def test_without_a_report_there_is_none(folder: Path) -> None:
    rows = [_row(folder, "west", status="failed", error="no")]
    assert crate_of(folder, rows) is None
    (folder / CRATE).write_text("old", encoding="utf-8")
    write_crate(folder, rows)
    assert not (folder / CRATE).exists()


def test_a_batch_for_outsiders_says_so(folder: Path) -> None:
    write_crate(folder, [_row(folder, "north", parameters={"audience": "shareable"})])
    root = json.loads((folder / CRATE).read_text(encoding="utf-8"))["@graph"][1]
    assert root["conditionsOfAccess"].startswith("For readers who may not see the data")
