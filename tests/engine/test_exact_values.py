"""Exact optima and small-sample figures, known to at least eight digits from independent programs."""

import re

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al

DYESTUFF2 = [
    *[
        7.298,
        3.846,
        2.434,
        9.566,
        7.99,
        5.22,
        6.556,
        0.608,
        11.788,
        -0.892,
        0.11,
        10.386,
        13.434,
        5.51,
        8.166,
    ],
    *[2.212, 4.852, 7.092, 9.288, 4.98, 0.282, 9.014, 4.458, 9.446, 7.198, 1.722, 4.782, 8.106, 0.758, 3.758],
]
DYESTUFF = [
    *[1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560],
    *[1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445],
]
BATCH = np.repeat(list("ABCDEF"), 5)


def fit(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame).fit(**options)


def test_three_level_growth_to_all_digits(three_level_growth):
    res = fit("phq9 ~ week * alliance + trt + (1 + week | therapist/client)", three_level_growth)
    assert res.deviance == pytest.approx(2453.475482111785, abs=1e-9)
    assert res.scale == pytest.approx(3.7316166449, abs=1e-9)
    inner, outer = res.varcorr["vcov"].to_numpy()[:3], res.varcorr["vcov"].to_numpy()[3:6]
    np.testing.assert_allclose(inner, [6.59715189, 0.23252691, -0.03903550], atol=6e-9)
    np.testing.assert_allclose(outer, [6.94671588, 0.29217451, -0.38563413], atol=6e-9)
    np.testing.assert_allclose(res.df, [11.9193, 11.8517, 69.3533, 12.3247, 55.0663], atol=5.1e-5)
    joint = res.f_test([{"week": 1}, {"week:alliance": 1}])
    # lmerTest differentiates numerically: its figures are good to about six digits.
    assert joint.statistic == pytest.approx(15.41338, abs=1e-5)
    assert joint.df_den == pytest.approx(19.84775, abs=1e-5)


def test_unbalanced_sleepstudy(shared_data):
    res = fit("Reaction ~ Days + (Days | Subject)", pd.read_csv(shared_data / "sleepstudy_unbalanced.csv"))
    assert res.deviance == pytest.approx(1187.91607, abs=5e-6)
    np.testing.assert_allclose(res.df, [16.6304, 16.6931], atol=2e-4)  # lmerTest, numerical derivatives


def test_routine_data_as_lme4_fits_them(shared_data):
    res = fit("y ~ ses + (ses | th/cl)", pd.read_csv(shared_data / "rom_sim.csv"))
    # lme4 stops up to 1e-5 of a standard error away; its figures are given to seven digits.
    assert res.llf == pytest.approx(-7171.8423, abs=5e-5)
    np.testing.assert_allclose(res.params, [19.968948, -0.771219], atol=1e-6)
    np.testing.assert_allclose(res.bse, [0.377307, 0.060691], atol=1e-6)
    np.testing.assert_allclose(res.df, [39, 39], atol=1e-3)
    vcov = [19.269383, 0.3862151, -0.4464496, 2.785122, 0.0704507, -0.0434159, 9.611950]
    np.testing.assert_allclose(res.varcorr["vcov"], vcov, rtol=5e-5)


def test_one_way_reml_and_ml():
    frame = pd.DataFrame({"y": DYESTUFF, "batch": BATCH})
    reml, ml = fit("y ~ 1 + (1 | batch)", frame), fit("y ~ 1 + (1 | batch)", frame, reml=False)
    assert reml.deviance == pytest.approx(319.6542768, abs=5e-8)
    np.testing.assert_allclose(reml.varcorr["vcov"], [1764.05, 2451.25], rtol=1e-9)
    assert reml.bse["Intercept"] == pytest.approx(19.38341, abs=5e-6)
    assert reml.df["Intercept"] == pytest.approx(5, abs=1e-9)
    assert reml.icc()["icc"][0] == pytest.approx(0.4184874, abs=5e-8)
    assert re.fullmatch(
        r"Converged to a verified optimum inside the parameter space \(Newton decrement [^ ]+ deviance units, "
        r"smallest curvature [\d.]+\)\.",
        reml.convergence,
    )
    assert ml.deviance == pytest.approx(327.3270599, abs=5e-8)
    assert ml.varcorr["vcov"][0] == pytest.approx(1388.333, abs=4e-4)


def test_variance_zero_is_least_squares_and_said_so():
    import statsmodels.api as sm

    frame = pd.DataFrame({"y": DYESTUFF2, "batch": BATCH, "x": np.arange(30.0)})
    res = fit("y ~ x + (1 | batch)", frame)
    assert res.singular
    assert res.converged
    assert "boundary optimum, verified: the variance of Intercept over batch is zero" in res.convergence
    assert "singular" in {f.code for f in res.findings}
    ols = sm.OLS(frame["y"], sm.add_constant(frame["x"])).fit()
    np.testing.assert_allclose(res.params, ols.params, rtol=1e-10)
    np.testing.assert_allclose(res.bse, ols.bse, rtol=1e-10)
    np.testing.assert_allclose(res.df, [28, 28], rtol=1e-10)
    null = fit("y ~ 1 + (1 | batch)", frame)
    assert null.deviance == pytest.approx(161.8282778, abs=5e-8)
    assert null.scale == pytest.approx(13.80631, abs=5e-6)
    of_groups, about = frame.groupby("batch")["y"].mean(), frame["y"].mean()
    between = 25 * ((of_groups - about) ** 2).sum() / ((frame["y"] - about) ** 2).sum()
    slope = 30 - 5 - 29 * between  # of the deviance by REML, in the variance over the residual's, at zero
    assert f", smallest slope off the boundary {slope:.3g})." in null.convergence
    assert (null.random_effects["batch"]["Intercept"] == 0).all()
    assert (null.random_effects_sd["batch"]["Intercept"] == 0).all()


def test_statsmodels_agrees_where_it_converges(frame):
    import statsmodels.formula.api as smf

    peer = smf.mixedlm("y ~ week + rating", frame, groups=frame["unique"], re_formula="~week").fit(
        method="lbfgs"
    )
    assert peer.converged
    ours = fit("y ~ week + rating + (1 + week | unique)", frame)
    assert ours.llf == pytest.approx(peer.llf, abs=1e-5)
    np.testing.assert_allclose(ours.params, peer.fe_params, atol=1e-4)
    assert ours.scale == pytest.approx(peer.scale, rel=1e-3)
