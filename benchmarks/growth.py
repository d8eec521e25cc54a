"""Simulated three-level growth data: random intercepts and slopes at both levels."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

FORMULA = "y ~ week * a + (1 + week | outer/inner)"
#: By number of rows: top groups, groups in each, rows of each.
SIZES = {
    10_000: (100, 10, 10),
    100_000: (200, 50, 10),
    1_000_000: (1_000, 100, 10),
    10_000_000: (10_000, 100, 10),
    50_000_000: (50_000, 100, 10),
}
#: Levels of two crossed factors by number of rows.
CROSSED = {2_000: (100, 50), 10_000: (200, 100), 50_000: (500, 200)}
CROSSED_FORMULA = "y ~ x + (1 | a) + (1 | b)"
#: Fifty million rows in fewer inner groups.
LONG = (50_000, 10, 100)


def growth(outer: int, inner: int, rows: int, seed: int = 0, first: int = 0) -> pd.DataFrame:
    """Balanced data; ids of the top groups count from ``first``, those of the groups in them are unique."""
    rng = np.random.default_rng([seed, first])
    top = np.repeat(np.arange(outer), inner * rows)
    low = np.repeat(np.arange(outer * inner), rows)
    week = np.tile(np.arange(rows, dtype=float), outer * inner)
    a = rng.normal(size=outer * inner)[low]
    b_top = rng.normal(size=(outer, 2)) * [1.5, 0.15]
    b_low = rng.normal(size=(outer * inner, 2)) * [4.0, 0.4]
    y = 15 - 0.6 * week + 0.3 * a * week + b_top[top, 0] + b_low[low, 0]
    y += (b_top[top, 1] + b_low[low, 1]) * week + 3 * rng.normal(size=len(y))
    return pd.DataFrame({"y": y, "week": week, "a": a, "outer": top + first, "inner": low + first * inner})


def crossed_of(rows: int) -> pd.DataFrame:
    """Two crossed factors, ``y ~ x + (1 | a) + (1 | b)``: a row for each of random pairs of their levels."""
    first, second = CROSSED[rows]
    rng = np.random.default_rng([1, rows])
    a, b, x = rng.integers(first, size=rows), rng.integers(second, size=rows), rng.normal(size=rows)
    y = 1 + 0.5 * x + 0.8 * rng.normal(size=first)[a] + 0.6 * rng.normal(size=second)[b]
    return pd.DataFrame(
        {"y": y + rng.normal(size=rows), "x": x, "a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b]}
    )


def data_of(rows: int) -> pd.DataFrame:
    """The data of one size."""
    return growth(*SIZES[rows])


def pieces_of(shape: tuple[int, int, int], tops: int = 500) -> Iterator[pd.DataFrame]:
    """Data of one shape, some top groups at a time."""
    outer, inner, each = shape
    for first in range(0, outer, tops):
        yield growth(min(tops, outer - first), inner, each, first=first)
