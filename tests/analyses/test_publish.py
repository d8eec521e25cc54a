"""Handing a result to a report."""

import json
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from alliance_longitudinal import AnalysisResult, publish
from alliance_longitudinal.resources import shipped
from inside.analyses_publish import STAGE_VARIABLE


def test_outside_a_report_nothing_is_written(
    early: AnalysisResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STAGE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert publish(early) is early
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_report(
    early: AnalysisResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STAGE_VARIABLE, str(tmp_path))
    publish(early)
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    schema = json.loads((shipped("data_schema") / "results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, schema)
    assert {p.stem for p in (tmp_path / "figures").iterdir()} == {f["name"] for f in data["figures"]}
    tables = {p.stem for p in (tmp_path / "tables").iterdir()}
    assert tables == {t["name"] for t in data["tables"]} | {"sample_flow", "estimates"}
    written = pd.read_csv(tmp_path / "tables" / "estimates.csv")
    pd.testing.assert_frame_equal(written, early.estimates, check_dtype=False, rtol=1e-15)


def test_the_same_result_gives_the_same_bytes(early: AnalysisResult, tmp_path: Path) -> None:
    for name in ("a", "b"):
        publish(early, tmp_path / name)
    for first in sorted((tmp_path / "a").rglob("*")):
        if first.is_file():
            assert first.read_bytes() == (tmp_path / "b" / first.relative_to(tmp_path / "a")).read_bytes(), (
                first.name
            )
