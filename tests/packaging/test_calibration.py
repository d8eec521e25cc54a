"""The calibrations share one form: coverage counts what it should, sets are saved and resumed, and `make calibrate` knows every script."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def shared(root):
    """benchmarks/calibration.py."""
    spec = importlib.util.spec_from_file_location("calibration", root / "benchmarks" / "calibration.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["calibration"]


@pytest.fixture(scope="module")
def plan(shared):
    """A mean of ten numbers, and of ten numbers whose interval is half as wide as it should be."""
    return shared.Plan("mean", "a mean", "Ten numbers.", ["wide", "narrow"], None, ["mean"], "mean", sets=3)


def _draws(sets):
    rng = np.random.default_rng(1)
    rows = []
    for world, width in (("wide", 1.96), ("narrow", 0.98)):
        for k, mean in enumerate(rng.normal(2, 1, sets), start=1):
            row = {
                "world": world,
                "set": k,
                "name": "mean",
                "truth": 2.0,
                "estimate": mean,
                "se": width / 1.96,
            }
            rows.append(row | {"low": mean - width, "high": mean + width, "p": rng.random(), "code": "today"})
    return pd.DataFrame(rows)


def test_coverage_bias_and_error_rates(shared, plan):
    draws = _draws(400)
    table = shared.coverage(plan, draws).set_index("world")
    wide = draws[draws["world"] == "wide"]
    assert table.loc["wide", "coverage"] == pytest.approx((abs(wide["estimate"] - 2) < 1.96).mean())
    assert table.loc["wide", "coverage_error"] == pytest.approx(np.sqrt(0.95 * 0.05 / 400))
    assert table.loc["wide", "bias"] == pytest.approx(wide["estimate"].mean() - 2)
    assert table.loc["wide", "bias_error"] == pytest.approx(wide["estimate"].std() / 20)
    assert table.loc["wide", "p_below"] == pytest.approx((wide["p"] <= 0.05).mean())
    assert list(shared.far(table).index) == ["narrow"]


def test_what_falls_short_is_said(shared, plan):
    text = shared.page(plan, _draws(400))
    assert "- narrow: mean: 6" in text
    assert "too narrow" in text
    assert "- wide" not in text
    assert "400 simulated sets of each world, with the code of today" in text
    few = shared.page(plan, _draws(10))
    assert "No coverage is further from 95 %" in few  # ten sets say nothing


def test_a_later_run_does_only_what_is_missing(shared, plan, tmp_path):
    assert [*shared.jobs_of(plan, 2, {("wide", 1)})] == [(1, "narrow"), (2, "wide"), (2, "narrow")]
    large = replace(plan, large={"large": [9]})
    assert next(shared.jobs_of(large, 2, set())) == (9, "large")
    assert [*shared.jobs_of(large, 0, set())] == []
    frame = pd.DataFrame([{"world": "wide", "set": 1, "name": "mean", "estimate": 1.0, "code": "today"}])
    shared._append(frame, tmp_path / "mean.csv")
    shared._append(frame.assign(set=2, failed="no result"), tmp_path / "mean.csv")
    assert list(shared.saved(plan, tmp_path)["set"]) == [1, 2]
    shared.write(plan, tmp_path, tmp_path)
    assert "Sets without a result: 1 (no result)" in (tmp_path / "calibration" / "mean.md").read_text()


def test_make_calibrate_runs_every_script_and_every_page_is_listed(root):
    text = (root / "benchmarks" / "calibrate.py").read_text(encoding="utf-8")
    scripts = {p.stem.removeprefix("calibrate_") for p in (root / "benchmarks").glob("calibrate_*.py")}
    sections = {"residuals", "variance_tests"}  # of the engine's page
    assert not [name for name in scripts - sections if f'"{name}"' not in text]
    index = (root / "docs" / "calibration.md").read_text(encoding="utf-8")
    pages = {p.stem for p in (root / "docs" / "calibration").glob("*.md")}
    assert not [name for name in pages if f"(calibration/{name}.md)" not in index]
