"""Simulated routine outcome data with known truth (`../shared/data/rom_sim.csv`): lme4's digits, and the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al


@pytest.fixture(scope="module")
def fit(shared_data: Path) -> al.MixedModelResults:
    frame = pd.read_csv(shared_data / "rom_sim.csv")
    return al.MixedModel.from_formula("y ~ ses + (1 + ses | th/cl)", frame).fit()


def test_digits_of_lme4(fit: al.MixedModelResults) -> None:
    """lme4 1.1-31 stops within about 1e-6 relative of the optimum here; printed to six or seven digits."""
    assert fit.llf == pytest.approx(-7171.8423, abs=5e-5)
    np.testing.assert_allclose(fit.params, [19.968948, -0.771219], atol=2e-6)
    np.testing.assert_allclose(fit.bse, [0.377307, 0.060691], atol=2e-6)
    np.testing.assert_allclose(fit.df, [39.0, 39.0], atol=5e-3)
    table = fit.varcorr
    found = table[table["term2"].isna()].set_index(["group", "term1"])["vcov"]
    variances = {
        ("th", "Intercept"): 2.785122,
        ("th", "ses"): 0.0704507,
        ("cl:th", "Intercept"): 19.269383,
        ("cl:th", "ses"): 0.3862151,
    }
    for key, value in variances.items():
        assert found.loc[key] == pytest.approx(value, rel=2e-5), key
    assert fit.scale == pytest.approx(9.611950, rel=1e-6)


def test_the_truth_lies_inside_the_intervals(fit: al.MixedModelResults) -> None:
    interval = fit.conf_int()
    assert (interval["lower"] <= [20.0, -0.8]).all()
    assert (interval["upper"] >= [20.0, -0.8]).all()
    # Seven intervals at once, so 99 % each: the residual variance of this one sample (9.61) lies 2.0 standard
    # errors above its truth, a little outside its own 95 % interval.
    draws = fit.bootstrap(n_boot=400, seed=1).varcorr.to_numpy()
    low, high = np.quantile(draws, [0.005, 0.995], axis=0)
    truth = {
        ("cl:th", "Intercept", None): 20.0,
        ("cl:th", "ses", None): 0.4,
        ("cl:th", "Intercept", "ses"): -0.8,
        ("th", "Intercept", None): 2.0,
        ("th", "ses", None): 0.05,
        ("th", "Intercept", "ses"): -0.1,
    }
    for row, (group, first, second) in enumerate(
        zip(*(fit.varcorr[c] for c in ("group", "term1", "term2")), strict=True)
    ):
        true = 9.0 if group == "Residual" else truth[group, first, None if pd.isna(second) else second]
        assert low[row] <= true <= high[row], (group, first, second)
