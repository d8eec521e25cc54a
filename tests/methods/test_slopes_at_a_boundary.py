"""Reliable change by a mixed model is refused where no client differs from the average, and kept where clients do."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import FitError


def courses(seed: int, slope_sd: float, clients: int = 40) -> pd.DataFrame:
    """Clients with 3 to 8 scores, an average fall of half a point a week, and noise of 2.5 points."""
    rng = np.random.default_rng(seed)
    rows = []
    for client in range(clients):
        level, rate = rng.normal(0, 4), rng.normal(-0.5, slope_sd)
        rows += [
            (client, week, 18 + level + rate * week + rng.normal(0, 2.5))
            for week in range(rng.integers(3, 9))
        ]
    return pd.DataFrame(rows, columns=["client", "time", "score"])


def shares_changed(slope_sd: float, seeds: range) -> list[float]:
    """Share of clients called changed in each data set whose model is not refused."""
    out = []
    for seed in seeds:
        try:
            rci = methods.classify_change(courses(seed, slope_sd), "HLM").frame["rci"]
        except FitError:
            continue
        out.append(float((rci.abs() > 1.96).mean()))
    return out


def test_where_all_clients_change_alike_few_are_called_changed():
    """Of 40 data sets without any difference more than half lie at the boundary, where 40 % and more were called changed; near it, with a
    correlation of .8, a fifth."""
    # A test at 5 % lets 2 in 40 pass; 6 or more have a chance of 1.4 %.
    assert len(shares_changed(0.0, range(40))) <= 5


def test_near_the_boundary_the_rates_have_to_improve_the_model():
    """Case: a correlation of .8 and an SD of .30 points, p .25 against equal rates; 15 % of the clients were called changed."""
    rng = np.random.default_rng(1020)
    level = rng.multivariate_normal([0, 0], [[16, 0], [0, 0]], 60)[:, [0]]
    score = (15 + level - 0.5 * np.arange(4) + rng.normal(0, 3, (60, 4))).round()
    frame = pd.DataFrame(
        {"client": np.repeat(np.arange(60), 4), "time": np.tile(np.arange(4), 60), "score": score.ravel()}
    )
    with pytest.raises(FitError) as error:
        methods.classify_change(frame, "HLM")
    assert str(error.value) == (
        "Method HLM cannot be used: no client's rate of change can be distinguished from the average rate (SD of the rates 0.304 points per "
        "unit of time, p .254 against equal rates)."
    )


def test_the_reason_is_said():
    with pytest.raises(
        FitError, match=r"no client's rate of change can be distinguished from the average rate"
    ) as error:
        methods.classify_change(courses(1, 0.0), "HLM")
    assert "points per unit of time, p " in str(error.value)


def test_clients_who_differ_clearly_are_classified():
    assert len(shares_changed(1.5, range(10))) == 10


def test_a_client_s_own_unit_of_time_changes_nothing():
    weeks = courses(3, 1.5)
    days = weeks.assign(time=7 * weeks["time"] + 100)
    one, other = (methods.classify_change(f, "HLM").frame["rci"] for f in (weeks, days))
    # The shift of the origin changes the search's path; the index agrees to its stopping rule.
    np.testing.assert_allclose(one, other, atol=1e-4)
