import json

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal.present import Column, Table

COLUMNS = [Column("term", "Term"), Column("estimate", "Estimate", "number"), Column("p", "p", "p")]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term": ["a<b>", "c"],
            "estimate": np.array([1.23456, np.nan]),
            "p": [np.inf, 0.0001],
            "other": [1, 2],
        }
    )


def test_rows_are_plain_and_missing_is_none(frame: pd.DataFrame) -> None:
    table = Table.from_frame("t", "Title", "results", frame, COLUMNS, "note")
    assert table.rows == (("a<b>", 1.23456, None), ("c", None, 0.0001))
    assert all(type(v) in (str, float, type(None)) for row in table.rows for v in row)
    assert json.loads(json.dumps(table.to_dict(), allow_nan=False))["columns"][1] == {
        "key": "estimate",
        "label": "Estimate",
        "kind": "number",
    }


def test_full_precision_for_files_rounded_for_readers(frame: pd.DataFrame) -> None:
    table = Table.from_frame("t", "Title", "results", frame, COLUMNS)
    assert table.to_frame()["estimate"].iloc[0] == 1.23456
    assert table.formatted()["Estimate"].tolist() == ["1.23", "–"]


def test_html_escapes_text_from_data(frame: pd.DataFrame) -> None:
    html = Table.from_frame("t", "<i>Title</i>", "results", frame, COLUMNS, "a & b")._repr_html_()
    assert "<i>Title" not in html
    assert "a<b>" not in html
    assert "&lt;i&gt;Title" in html
    assert "a &amp; b" in html


def test_the_frame_is_not_changed(frame: pd.DataFrame) -> None:
    before = frame.copy()
    Table.from_frame("t", "Title", "results", frame, COLUMNS).formatted()
    pd.testing.assert_frame_equal(frame, before)
