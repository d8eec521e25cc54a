"""Turnbull's estimate: R's survival, a direct maximisation, Kaplan and Meier where looks are at every time, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

FOLDER = Path(__file__).parents[1] / "reference"
LOOKS = pd.read_csv(FOLDER / "small" / "looks.csv")


def test_it_is_that_of_r() -> None:
    """R's search stops earlier: its distribution differs by up to .0015 and has the lower likelihood."""
    reference = json.loads((FOLDER / "interval_censored.json").read_text(encoding="utf-8"))
    found = methods.interval_censored(LOOKS, "low", "high")
    ours = [found.at(t) for t in reference["times"]]
    np.testing.assert_allclose(ours, reference["cumulative"], atol=2e-3)


def test_it_is_the_maximum() -> None:
    """Against a direct search over all distributions on the intervals that have probability, and two more."""
    found = methods.interval_censored(LOOKS, "low", "high")
    left, right = LOOKS["low"].to_numpy(), LOOKS["high"].fillna(np.inf).to_numpy()
    ends = np.r_[found.table["right"], 1.5, 9.0]
    starts = np.r_[found.table["left"], 1.4, 8.9]
    inside = (starts >= left[:, None]) & (ends <= right[:, None])

    def minus(free: np.ndarray) -> float:
        p = np.exp(free - free.max())
        return -float(np.log(np.maximum(inside @ (p / p.sum()), 1e-300)).sum())

    best = optimize.minimize(minus, np.zeros(len(ends)), method="BFGS", options={"gtol": 1e-6})
    assert -best.fun <= found.llf + 1e-4
    assert -best.fun == pytest.approx(found.llf, abs=1e-2)
    assert found.n == len(LOOKS)


def test_looks_at_every_time_give_kaplan_and_meier() -> None:
    rng = np.random.default_rng(1)
    time, stay = rng.integers(1, 10, 200), rng.integers(1, 10, 200)
    seen = time <= stay
    last = np.where(seen, time, stay)
    frame = pd.DataFrame(
        {
            "low": np.where(seen, time - 1, stay),
            "high": np.where(seen, time, np.nan),
            "time": last,
            "event": np.where(seen, "better", None),
        }
    )
    found = methods.interval_censored(frame, "low", "high")
    km = methods.cumulative_incidence(frame, "time", "event")
    for t in range(1, 9):
        assert found.at(t) == pytest.approx(km.at(t)["estimate"].iloc[0], abs=1e-5)
    low, high = found.median
    assert high - low == 1
    assert "Turnbull" in found.summary()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([1, 2], [1, 3], "'high' is 1 where 'low' is 1"),
        ([1, 2], [None, None], "nobody's event was seen"),
        ([1, None], [2, 3], "Column 'low' is missing in 1 row"),
    ],
)
def test_what_is_no_interval_is_refused(low: list, high: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        methods.interval_censored(
            pd.DataFrame({"low": low, "high": pd.Series(high, dtype=float)}), "low", "high"
        )
