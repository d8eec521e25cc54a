"""How many sudden gains gradual change alone would produce does not hang on a single score."""

import numpy as np
import pandas as pd
import pytest

from inside.methods_psychometrics import (
    Rules,
    around,
    expected_counts,
    intervals,
    ordered_scores,
    steady_change,
    sudden,
)


def clinic() -> pd.DataFrame:
    """150 clients with 12 whole scores between 0 and 27."""
    rng = np.random.default_rng(4)
    rows = []
    for client in range(150):
        level, noise = rng.normal(0, 5), 0.0
        for session in range(1, 13):
            noise = 0.4 * noise + rng.normal(0, 3.4)
            score = float(np.clip(round(17 + level - 0.4 * session + noise), 0, 27))
            rows.append((client, session, score))
    return pd.DataFrame(rows, columns=["client", "session", "score"])


def expected(frame: pd.DataFrame) -> float:
    """Mean share of clients with a gain of 5 points or more."""
    ordered = ordered_scores(frame)
    counts = expected_counts(
        steady_change(ordered),
        ordered,
        intervals(ordered),
        [Rules(points=5.0)],
        fall=True,
        limits=(0, 27),
        n=60,
        seed=1,
    )
    return float(counts[0].gain_clients.mean()) / frame["client"].nunique()


@pytest.mark.parametrize("n", [1, 5, 20])
def test_a_few_scores_with_a_fraction_change_little(n):
    whole = clinic()
    moved = whole.copy()
    rows = np.random.default_rng(0).choice(len(whole), n, replace=False)
    moved.loc[rows, "score"] = moved.loc[rows, "score"].clip(0, 26) + 0.5
    # The same simulated scores but for n of 1,800; without rounding at all the share falls by about 0.03.
    assert abs(expected(moved) - expected(whole)) < 0.004


def test_scores_in_tenths_are_not_rounded():
    """A tenth of them is whole by chance: the counts are those of the simulated scores as they are."""
    tenths = clinic()
    parts = np.random.default_rng(1).integers(0, 10, len(tenths)) / 10
    tenths["score"] = (tenths["score"] + parts).clip(0, 27)
    assert 0.05 < np.mean(tenths["score"] == np.round(tenths["score"])) < 0.5
    ordered = ordered_scores(tenths)
    steady = steady_change(ordered)
    plain = steady.result.simulate(1, seed=1).to_numpy(float).clip(0, 27)
    assert plain.shape == (len(ordered), 1)
    counts = expected_counts(
        steady, ordered, intervals(ordered), [Rules(points=5.0)], fall=True, limits=(0, 27), n=1, seed=1
    )
    found = intervals(ordered)
    assert counts[0].gains[0] == sudden(around(found.values(plain[:, 0])), Rules(points=5.0), True).sum()
