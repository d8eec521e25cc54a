"""Power for a variance, and the chance of an estimate of zero: the F distribution, refits of simulated data, refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from inside import POWER_GROUPS


def fit(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame, crossed=True).fit(**options)


def three_levels(rng, variance=0.0, units=12, inner=6, rows=4):
    """Variances: ``variance`` between units, 1.5 between inner groups, 1 within."""
    unit, group = np.repeat(np.arange(units), inner * rows), np.repeat(np.arange(units * inner), rows)
    y = np.sqrt(variance) * rng.normal(size=units)[unit] + rng.normal(size=len(unit))
    y += np.sqrt(1.5) * rng.normal(size=units * inner)[group]
    return pd.DataFrame(
        {"unit": unit, "group": group, "week": np.tile(np.arange(rows), units * inner), "y": y}
    )


@pytest.mark.parametrize(("groups", "size", "icc"), [(20, 5, 0.05), (10, 10, 0.05), (50, 10, 0.08)])
def test_with_equal_groups_it_is_the_f_test(groups, size, icc):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": np.repeat(np.arange(groups), size), "y": rng.normal(size=groups * size)})
    res = fit("y ~ 1 + (1 | g)", frame)
    found = res.variance_power("g", icc / (1 - icc) * res.scale, n_sim=20_000, seed=1)
    df, scale = (groups - 1, groups * (size - 1)), 1 + size * icc / (1 - icc)
    zero = stats.f.cdf(1 / scale, *df)
    power = stats.f.sf(stats.f.isf(0.05, *df) / scale, *df)
    # Four Monte Carlo errors; the critical value is simulated, too.
    assert found.zero == pytest.approx(zero, abs=4 * np.sqrt(zero * (1 - zero) / 20_000))
    assert found.power == pytest.approx(power, abs=4 * np.sqrt(2 * power * (1 - power) / 20_000) + 0.005)


def test_with_another_level_below_it_is_the_f_test_of_its_means_and_what_refits_find():
    res = fit("y ~ week + (1 | unit) + (1 | unit:group)", three_levels(np.random.default_rng(3), 0.15))
    variances = res.varcorr.set_index("group")["vcov"]
    variance = float(variances["unit"])
    below = float(variances.drop(["unit", "Residual"]).iloc[0]) + float(variances["Residual"]) / 4
    scale, df = 1 + 6 * variance / below, (11, 60)
    zero = stats.f.cdf(1 / scale, *df)
    power = stats.f.sf(stats.f.isf(0.05, *df) / scale, *df)
    found = res.variance_power("unit", variance, n_sim=40_000, seed=2)
    # Four Monte Carlo errors; the critical value is simulated, too.
    assert found.zero == pytest.approx(zero, abs=4 * np.sqrt(zero * (1 - zero) / 40_000))
    assert found.power == pytest.approx(power, abs=4 * np.sqrt(2 * power * (1 - power) / 40_000) + 0.005)
    refits = res.bootstrap(500, seed=5)
    zeros = float(np.mean(refits.varcorr["unit"].to_numpy() < 1e-9))
    assert found.zero == pytest.approx(zeros, abs=3 * np.sqrt(zeros * (1 - zeros) / 500))


def test_a_larger_variance_is_found_more_often():
    res = fit("y ~ week + (1 | unit) + (1 | unit:group)", three_levels(np.random.default_rng(1), 0.3))
    found = [res.variance_power("unit", v, seed=1) for v in (0.0, 0.1, 0.5, 5.0)]
    assert [f.power for f in found] == sorted(f.power for f in found)
    assert [f.zero for f in found] == sorted((f.zero for f in found), reverse=True)
    assert found[0].power == pytest.approx(0.05, abs=0.01)
    assert found[0].n_sim == 10_000


def test_a_test_of_one_grouping_or_one_effect_is_that_of_the_whole_table():
    frame = three_levels(np.random.default_rng(2), 0.3)
    res = fit("y ~ week + (1 + week | unit) + (1 | unit:group)", frame)
    whole = res.variance_tests("mixture")
    one = res.variance_tests("mixture", group="unit", effects="week")
    pd.testing.assert_frame_equal(
        one, whole[whole["group"].eq("unit") & whole["effects"].eq("week")].reset_index(drop=True)
    )
    with pytest.raises(FitError, match=r"There is no grouping 'clinic'. There are: "):
        res.variance_tests("mixture", group="clinic")
    with pytest.raises(
        FitError, match=r"There is no test of 'day'. There are tests of: week; Intercept, week."
    ):
        res.variance_tests("mixture", group="unit", effects="day")


def test_what_has_no_power_is_refused(tmp_path: Path, monkeypatch):
    frame = three_levels(np.random.default_rng(2), 0.3)
    res = fit("y ~ week + (1 + week | unit)", frame)
    with pytest.raises(FitError, match=r"unit has several random effects. The power for one variance"):
        res.variance_power("unit", 1.0)
    plain = fit("y ~ week + (1 | unit)", frame)
    with pytest.raises(FitError, match=r"There is no grouping 'x'. There are: unit."):
        plain.variance_power("x", 1.0)
    with pytest.raises(FitError, match=r"variance is -1. Give a variance, a number of at least 0"):
        plain.variance_power("unit", -1)
    with pytest.raises(FitError, match="needs at least 100 draws, not 5"):
        plain.variance_power("unit", 1.0, n_sim=5)
    series = al.MixedModel.from_formula("y ~ week + (1 | unit)", frame, residual=al.VarIdent("week")).fit()
    with pytest.raises(FitError, match="The power for a variance is not available with a residual structure"):
        series.variance_power("unit", 1.0)
    frame.to_parquet(tmp_path / "rows.parquet")
    streamed = al.MixedModel.from_parquet("y ~ week + (1 | unit)", tmp_path / "rows.parquet").fit()
    with pytest.raises(FitError, match="keeps no rows"):
        streamed.variance_power("unit", 1.0)
    monkeypatch.setattr(POWER_GROUPS, 5)
    with pytest.raises(FitError, match="unit has 12 groups; the distribution is simulated for at most 5"):
        plain.variance_power("unit", 1.0)
