"""Pooling over imputed data sets: against mice and mitml, by hand, and in a simulation."""

import json

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine import after_reference
from engine.designs import three_levels
from inside.engine_inference import joint_df, shares_of

POOLING = after_reference.FIGURES["pooling"]


@pytest.fixture(scope="module")
def pooled():
    data = after_reference.rows("imputed")
    fits = [
        after_reference.fit(POOLING["formula"], rows, df="kenward-roger")
        for _, rows in data.groupby("imputation")
    ]
    return al.pool(fits)


def test_as_mice(pooled):
    """``pool.scalar`` with pbkrtest's standard errors and the mean of its degrees of freedom as complete-data value."""
    each = pd.DataFrame(POOLING["each"])
    for ours, theirs in (
        (pooled.params, "estimate"),
        (pooled.bse, "se"),
        (pooled.df, "df"),
        (pooled.riv, "riv"),
        (pooled.lambda_, "lambda"),
        (pooled.fmi, "fmi"),
    ):
        np.testing.assert_allclose(ours, each[theirs], rtol=2e-5)
    np.testing.assert_allclose(pooled.tvalues, each["estimate"] / each["se"], rtol=2e-5)
    np.testing.assert_allclose(np.sort(pooled.varcorr["vcov"]), np.sort(POOLING["vcov"]), rtol=1e-4)


def test_joint_test_as_mitml(pooled):
    test = pooled.f_test([{name: 1.0} for name in POOLING["joint"]])
    d1 = POOLING["d1"]
    assert test.df_num == d1["df_num"]
    assert test.statistic == pytest.approx(d1["f"], rel=2e-5)
    assert test.df_den == pytest.approx(d1["df_den"], rel=2e-5)
    assert joint_df(6, 3, d1["r"], np.inf) == pytest.approx(POOLING["d1_large"], rel=1e-9)
    one = pooled.f_test({"week": 1.0})
    assert one.statistic == pytest.approx(pooled.tvalues["week"] ** 2)
    assert one.df_den == pytest.approx(pooled.df["week"])
    assert one.p == pytest.approx(pooled.pvalues["week"])


def test_degrees_of_freedom_by_hand():
    """Barnard and Rubin (1999): m = 5, U = 4, B = 1 and 30 complete-data degrees of freedom.

    T = 4 + 1.2 = 5.2, lambda = 3/13, df_old = 4 (13/3)^2 = 676/9, df_obs = 31/33 * 30 * 10/13 = 21.678...
    """
    shares = shares_of(
        5, np.array([4.0, 4.0, 4.0]), np.array([1.0, 1.0, 0.0]), np.array([30.0, np.inf, 30.0])
    )
    old, observed = 676 / 9, 31 / 33 * 30 * 10 / 13
    np.testing.assert_allclose(shares.df, [1 / (1 / old + 1 / observed), old, 31 / 33 * 30], rtol=1e-12)
    np.testing.assert_allclose(shares.riv, [0.3, 0.3, 0])
    np.testing.assert_allclose(shares.lambda_, [3 / 13, 3 / 13, 0])
    np.testing.assert_allclose(shares.fmi[1], (0.3 + 2 / (old + 3)) / 1.3)


def test_as_mice_pools_a_number():
    """mice 3's ``pool.scalar`` (n = 101, k = 1) of five estimates and variances."""
    q, u = np.array([-0.30, -0.25, -0.36, -0.28, -0.33]), np.array([0.010, 0.011, 0.009, 0.010, 0.012])
    shares = shares_of(5, np.array([u.mean()]), np.array([q.var(ddof=1)]), np.array([100.0]))
    found = [shares.riv[0], shares.lambda_[0], shares.df[0], shares.fmi[0]]
    np.testing.assert_allclose(found, [0.211154, 0.174341, 50.1251, 0.205425], rtol=5e-6)


def test_generalised_fits_are_pooled_by_rubins_rules():
    """By hand, and as mice's ``pool.scalar`` with glmmTMB's estimates (whose search stops earlier) and ``n = Inf``.

    Complete-data degrees of freedom are infinite, so those of Rubin (1987, eq. 3.1.6) remain.
    """
    data = after_reference.rows("imputed")
    data["better"] = (data["y"] < data["y"].median()).astype(int)
    fits = [
        al.MixedModel.from_formula("better ~ week + (1 | outer)", rows, family="binomial").fit()
        for _, rows in data.groupby("imputation")
    ]
    pooled = al.pool(fits)
    estimates, variances = np.array([f.params for f in fits]), np.array([f.bse**2 for f in fits])
    m, between = len(fits), estimates.var(axis=0, ddof=1)
    total = variances.mean(axis=0) + (1 + 1 / m) * between
    np.testing.assert_allclose(pooled.params, estimates.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(pooled.bse, np.sqrt(total), rtol=1e-10)
    np.testing.assert_allclose(pooled.df, (m - 1) / ((1 + 1 / m) * between / total) ** 2, rtol=1e-8)
    np.testing.assert_allclose(pooled.bse, [0.4545990113, 0.1721925962], rtol=1e-5)
    np.testing.assert_allclose(pooled.df, [396.1749618, 123.7302402], rtol=1e-4)
    np.testing.assert_allclose(pooled.fmi, [0.1167892931, 0.2136327011], rtol=1e-4)
    np.testing.assert_allclose(pooled.varcorr["vcov"], [np.mean([f.varcorr["vcov"][0] for f in fits])])
    assert str(pooled).startswith(
        "Binomial mixed models (logit link) by maximum likelihood, Laplace's method on 6 imputed"
    )
    assert np.isinf(pooled.df_complete).all()
    ordered = data.assign(grade=np.digitize(data["y"], data["y"].quantile([0.3, 0.7])))
    grades = [
        al.MixedModel.from_formula("grade ~ week + (1 | outer)", rows, family="ordinal").fit()
        for _, rows in ordered.groupby("imputation")
    ]
    assert list(al.pool(grades).params.index) == ["0|1", "1|2", "week"]
    assert al.pool(grades).f_test([{"0|1": 1.0}, {"week": 1.0}]).df_num == 2
    with pytest.raises(al.FitError, match=r"kind of model differ \(binomial, logit and ordinal, logit\)"):
        al.pool([fits[0], grades[0]])
    one = data[data["imputation"] == 1]
    five = al.MixedModel.from_formula("better ~ week + (1 | outer)", one, family="binomial").fit(n_agq=5)
    with pytest.raises(
        al.FitError, match=r"criterion differ \(Laplace's method and quadrature with 5 nodes\)"
    ):
        al.pool([fits[0], five])


@pytest.mark.parametrize("alpha", [0, 1, 2.0, -0.1, np.nan, "0.05", True])
def test_levels_that_are_none(growth, pooled, alpha):
    said = r"alpha must be between 0 and 1, not .*; 0\.05 gives 95 % intervals"
    for ask in (
        lambda: growth.conf_int(alpha),
        lambda: growth.contrast({"week": 1.0}, alpha=alpha),
        lambda: growth.tidy(alpha),
        lambda: pooled.conf_int(alpha),
        lambda: pooled.contrast({"week": 1.0}, alpha=alpha),
    ):
        with pytest.raises(al.FitError, match=said):
            ask()


def test_joint_degrees_of_freedom_where_reiter_has_none():
    assert joint_df(2, 2, 0.5, np.inf) == pytest.approx(2 * 1.5 * 9 / 2)  # Li and others for k (m - 1) <= 4
    assert joint_df(5, 2, 0.0, 25.0) == 25.0
    assert 0 < joint_df(2, 2, 0.5, 20.0) < 20
    assert 0 < joint_df(4, 2, 8.0, 6.0) < 6


def test_the_same_data_twice_is_one_fit(growth):
    pooled = al.pool([growth, growth, growth])
    pd.testing.assert_series_equal(pooled.params, growth.params)
    np.testing.assert_allclose(pooled.cov_params(), growth.cov_params())
    shrunk = (growth.df + 1) / (growth.df + 3) * growth.df
    np.testing.assert_allclose(pooled.df, shrunk)
    np.testing.assert_allclose(pooled.riv, 0, atol=1e-20)
    np.testing.assert_allclose(pooled.varcorr["vcov"], growth.varcorr["vcov"])


def test_shape_and_text(pooled):
    tidy = pooled.tidy()
    assert list(tidy.columns) == [
        "term", "estimate", "se", "df", "stat", "p", "low", "high", "riv", "lambda", "fmi",
    ]  # fmt: skip
    limits = pooled.conf_int()
    np.testing.assert_allclose(tidy[["low", "high"]], limits)
    contrast = pooled.contrast({"week": 1.0})
    np.testing.assert_allclose(contrast[["lower", "upper"]].iloc[0], limits.loc["week"])
    text = str(pooled)
    assert "6 imputed data sets, pooled by Rubin's rules" in text
    assert "Kenward and Roger" in text
    assert "they have no interval" in text
    assert "6 data sets" in repr(pooled)
    json.dumps(tidy.to_dict(orient="records"))


def test_fits_that_do_not_belong_together(growth, frame):
    def fit(formula="y ~ week + (1 | outer)", data=frame, **options):
        return al.MixedModel.from_formula(formula, data).fit(**options)

    one = fit()
    cases = [
        ([one], "Pooling needs the fits to at least two imputed data sets; got 1"),
        ([one, 3], "Only results of MixedModel.fit can be pooled; number 2 is a int"),
        ([one, growth], "Fits 1 and 2 cannot be pooled: their formula differ"),
        (
            [one, fit(data=frame.iloc[1:])],
            r"their number of rows differ \(206 and 205\)\. Impute every value",
        ),
        ([one, fit(reml=False)], r"their criterion differ \(REML and maximum likelihood\)"),
        ([one, fit(df="normal")], "their inference differ"),
        (
            [
                fit("y ~ C(item) + (1 | outer)"),
                fit("y ~ C(item) + (1 | outer)", frame.assign(item=frame["item"].clip(upper=2))),
            ],
            "their terms differ .* Give every data set the same categories",
        ),
        ([one, fit(data=frame.assign(outer=frame["outer"].clip(upper=9)))], "their groups differ"),
    ]
    for fits, message in cases:
        with pytest.raises(al.FitError, match=message):
            al.pool(fits)
    alike = frame.assign(better=(frame["outer"] % 2 == 0).astype(int))
    loose = al.MixedModel.from_formula("better ~ 1 + (1 | outer)", alike, family="binomial").fit(
        require_certificate=False
    )
    with pytest.raises(
        al.FitError, match=r"Fit 1 has no verified optimum and cannot be pooled: The variance of"
    ):
        al.pool([loose, loose])


def test_pooled_intervals_hold_what_they_promise():
    """A response missing at random, drawn from its true distribution given the covariate and the group."""
    rng = np.random.default_rng(5)
    frame = three_levels(3, outer=14, inner=4, rows=4)
    n, hits, trials = len(frame), 0, 60
    x = rng.normal(size=n)
    start = al.MixedModel.from_formula("y ~ x + (1 | outer)", frame.assign(x=x)).fit()
    for _ in range(trials):
        mean = 1 + 0.5 * x + rng.normal(size=14)[frame["outer"]]
        y = mean + rng.normal(size=n)
        gone = rng.random(n) < 0.4
        fits = [start.refit(np.where(gone, mean + rng.normal(size=n), y)) for _ in range(3)]
        low, high = al.pool(fits).conf_int().loc["x"]
        hits += low < 0.5 < high
    # imputed at the true parameters the rules are conservative: 0.95 or a little more
    assert hits / trials > 0.9
