"""What a batch tells while it runs: to people in words, to programs as lines of JSON."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import run_batch
from inside.reporting_run import batch_progress
from reporting import tiny
from reporting.conftest import Lab


def _batch(lab: Lab, folder: Path, **options: Any) -> Any:
    tiny.write_study(folder / "a")
    (folder / "grid.yaml").write_text(
        "studies: {A: a/study.yaml}\nnotebook: tiny\nparameters: {trouble: [null, bug]}\n", encoding="utf-8"
    )
    known = {"registry": tiny.REGISTRY, "notebooks": lab.folder}
    return run_batch(folder / "grid.yaml", folder / "out", **known, **options)


def test_every_event_is_a_line_with_its_time(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    _batch(lab, tmp_path, events=log)
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    times = [datetime.fromisoformat(e["time"]) for e in events]
    assert times == sorted(times)
    assert events[0] | {"time": ""} == {
        "time": "",
        "event": "batch",
        "file": str(tmp_path / "grid.yaml"),
        "total": 2,
        "jobs": 1,
    }
    assert events[-1] | {"time": ""} == {"time": "", "event": "end", "complete": 1, "failed": 1, "waiting": 0}
    kinds = [e["event"] for e in events if e.get("label") == "A, trouble none"]
    assert kinds[0] == "started"
    assert kinds[-1] == "report"
    assert kinds.count("cell") == 6
    first, second = (e for e in events if e["event"] == "report")
    assert (first["status"], second["status"]) == ("complete", "failed")
    assert (first["notebook"], first["study"]) == ("tiny", "A")
    assert first["seconds_left"] == first["seconds"]
    assert second["seconds_left"] == 0
    _batch(lab, tmp_path, events=log)
    later = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()][len(events) :]
    assert [e["kept"] for e in later if e["event"] == "report" and e["status"] == "complete"] == [True]


def test_events_that_cannot_be_written_are_said_before_anything_runs(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="The events cannot be written to"):
        _batch(lab, tmp_path, events=tmp_path / "none" / "events.jsonl")
    assert not any((tmp_path / "out").glob("*/manifest.json"))


def test_people_see_the_notebook_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    event = {"event": "report", "label": "A, window 1,5", "notebook": "tiny", "status": "complete"}
    with batch_progress("grid") as show:
        show({**event, "done": 1, "total": 3, "seconds": 10.0, "seconds_left": 20.0})
        show({**event, "done": 2, "total": 3, "seconds_left": 300.0, "kept": True})
        show({**event, "done": 3, "total": 3, "seconds": 10.0, "seconds_left": 0.0})
        show({**event, "event": "started"})
    assert capsys.readouterr().err.splitlines() == [
        "grid: 1 of 3: A, window 1,5 (tiny): complete; about 20 s left",
        "grid: 2 of 3: A, window 1,5 (tiny): already there; about 5 min left",
        "grid: 3 of 3: A, window 1,5 (tiny): complete",
    ]
