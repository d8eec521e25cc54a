"""What generalised results tell, where the optimum lies on a boundary, and what must not change it."""

import json

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from reference.generalised import rows


@pytest.fixture(scope="module")
def mixed():
    return rows("mixed_responses")


def fit(frame, formula, family="binomial", n_agq=1, **options):
    return al.MixedModel.from_formula(formula, frame, family=family, crossed=True, **options).fit(n_agq=n_agq)


@pytest.fixture(scope="module")
def cbpp():
    return fit(rows("cbpp"), "share ~ C(period) + (1 | herd)", weights="size")


@pytest.fixture(scope="module")
def wine():
    return fit(rows("wine"), "rating ~ temp + contact + (1 | judge)", "ordinal")


@pytest.fixture(scope="module")
def slopes(mixed):
    return fit(mixed, "yes ~ week + x + (1 + week | outer)")


@pytest.mark.parametrize(
    ("formula", "family", "n_agq"),
    [
        ("yes ~ week + x + (1 + week | outer)", "binomial", 1),
        ("grade ~ week + x + (1 | outer/unit)", "ordinal", 3),
        ("over ~ week + x + (1 | outer) + (1 | item)", "negative-binomial", 1),
    ],
)
def test_units_origin_row_order_and_labels_do_not_matter(mixed, formula, family, n_agq):
    mixed = mixed.head(420 if n_agq == 1 else 150)  # quadrature inside quadrature is slow
    base = fit(mixed, formula, family, n_agq)
    moved = mixed.sample(frac=1, random_state=1).assign(
        week=lambda d: 2000 + d["week"] / 52,
        outer=lambda d: d["outer"].map(lambda g: f"z{97 - g}"),
        unit=lambda d: "u" + d["unit"].str[::-1],
    )
    other = fit(moved, formula, family, n_agq)
    assert other.deviance == pytest.approx(base.deviance, abs=1e-7)
    assert other.params["x"] == pytest.approx(base.params["x"], rel=1e-6)
    assert other.bse["x"] == pytest.approx(base.bse["x"], rel=1e-5)
    assert other.params["week"] == pytest.approx(52 * base.params["week"], rel=1e-6)
    assert other.bse["week"] == pytest.approx(52 * base.bse["week"], rel=1e-5)
    np.testing.assert_allclose(other.fittedvalues[mixed.index], base.fittedvalues, atol=1e-6)
    if "1 + week" in formula:  # the covariance matrix moves with the origin
        turn = np.array([[1, 2000.0], [0, 1 / 52]])
        there, here = (
            np.array([[r.vcov[0], r.vcov[2]], [r.vcov[2], r.vcov[1]]]) for r in (other.varcorr, base.varcorr)
        )
        np.testing.assert_allclose(turn @ there @ turn.T, here, atol=1e-4)
    else:
        np.testing.assert_allclose(other.varcorr["sdcor"], base.varcorr["sdcor"], rtol=1e-5)


def test_the_data_are_not_changed_and_rows_with_missing_values_are_counted(mixed):
    holes = mixed.copy()
    holes.loc[[3, 9], "x"] = np.nan
    before = holes.copy()
    res = fit(holes, "yes ~ x + (1 | unit)")
    pd.testing.assert_frame_equal(holes, before)
    assert (res.nobs, res.n_dropped, res.groups, res.n_groups) == (418, 2, ("unit",), {"unit": 84})
    assert [f.code for f in res.findings] == ["rows_dropped"]


def test_numbers_of_the_fit_hang_together(slopes):
    assert slopes.llf == -slopes.deviance / 2
    assert slopes.aic == pytest.approx(slopes.deviance + 12)
    assert slopes.bic == pytest.approx(slopes.deviance + 6 * np.log(420))
    np.testing.assert_allclose(np.sqrt(np.diag(slopes.cov_params())), slopes.bse)
    np.testing.assert_allclose(slopes.zvalues, slopes.params / slopes.bse)
    assert slopes.tvalues is slopes.zvalues
    assert np.isinf(slopes.df).all()
    limits = slopes.conf_int(0.1)
    np.testing.assert_allclose(limits["upper"] - limits["lower"], 2 * 1.6448536269514722 * slopes.bse)
    table = slopes.contrast({"week": 2.0, "x": -1.0})
    spread = slopes.cov_params()
    expected = 4 * spread.loc["week", "week"] + spread.loc["x", "x"] - 4 * spread.loc["week", "x"]
    assert table["se"].iloc[0] == pytest.approx(np.sqrt(expected))
    test = slopes.f_test([{"week": 1.0}])
    assert test.statistic == pytest.approx(slopes.zvalues["week"] ** 2)
    assert test.p == pytest.approx(slopes.pvalues["week"])


def test_fitted_values_are_predictions_with_modes_and_new_groups_get_none(slopes, mixed):
    modes = slopes.random_effects["outer"].loc[mixed["outer"]].to_numpy()
    x = np.column_stack([np.ones(420), mixed["week"], mixed["x"]])
    eta = x @ slopes.params.to_numpy() + modes[:, 0] + modes[:, 1] * mixed["week"].to_numpy()
    np.testing.assert_allclose(slopes.predict(scale="linear"), eta)
    np.testing.assert_allclose(slopes.fittedvalues, 1 / (1 + np.exp(-eta)))
    np.testing.assert_allclose(slopes.predict(), slopes.fittedvalues)
    np.testing.assert_allclose(slopes.predict(mixed.head(9)), slopes.fittedvalues.head(9))
    alone = slopes.predict(mixed.head(9), groups=False, scale="linear")
    np.testing.assert_allclose(alone, x[:9] @ slopes.params.to_numpy())
    np.testing.assert_allclose(slopes.predict(mixed.head(9).assign(outer=np.nan), scale="linear"), alone)
    missing = slopes.predict(mixed.head(2).assign(x=[np.nan, 1.0]))
    assert missing.isna().tolist() == [True, False]


def test_modes_are_stationary_and_their_spread_is_the_curvature(cbpp):
    """Score of each herd at its mode, and the scalar curvature, written out."""
    frame = rows("cbpp").assign(p=cbpp.fittedvalues)
    per_herd = (
        frame.assign(
            score=frame["incidence"] - frame["size"] * frame["p"],
            w=frame["size"] * frame["p"] * (1 - frame["p"]),
        )
        .groupby("herd")[["score", "w"]]
        .sum()
    )
    variance = cbpp.varcorr["vcov"][0]
    modes, sd = cbpp.random_effects["herd"]["Intercept"], cbpp.random_effects_sd["herd"]["Intercept"]
    np.testing.assert_allclose(per_herd["score"], modes / variance, atol=1e-8)
    np.testing.assert_allclose(1 / sd**2, per_herd["w"] + 1 / variance, rtol=1e-8)


def test_an_ordered_response_has_thresholds_and_probabilities(wine):
    frame = rows("wine")
    assert list(wine.params.index[:4]) == ["1|2", "2|3", "3|4", "4|5"]
    table = wine.predict()
    np.testing.assert_allclose(table.sum(axis=1), 1)
    chosen = table.to_numpy()[np.arange(72), frame["rating"] - 1]
    np.testing.assert_allclose(wine.fittedvalues, chosen)
    cold = pd.DataFrame({"temp": ["cold"], "contact": ["no"], "judge": [1]})
    first = wine.predict(cold, groups=False)[1].iloc[0]
    assert first == pytest.approx(1 / (1 + np.exp(-wine.params["1|2"])))
    assert set(np.unique(wine.simulate(3, seed=1))) <= {1, 2, 3, 4, 5}


def test_ordered_categoricals_and_numbers_are_the_same_and_unused_categories_are_left_out(wine):
    words = pd.Categorical.from_codes(
        rows("wine")["rating"], ["never", "low", "some", "much", "more", "most"], ordered=True
    )
    named = fit(rows("wine").assign(rating=words), "rating ~ temp + contact + (1 | judge)", "ordinal")
    assert named.deviance == pytest.approx(wine.deviance, abs=1e-9)
    assert named.params.index[0] == "low|some"
    assert named.predict().columns.tolist() == ["low", "some", "much", "more", "most"]


def test_thresholds_stand_for_the_intercept_also_when_the_formula_has_none():
    with_, without = (
        fit(rows("wine"), f"rating ~ {start} contact + (1 | judge)", "ordinal") for start in ("1 +", "0 +")
    )
    assert without.deviance == pytest.approx(with_.deviance, abs=1e-9)
    assert {f.code for f in without.findings} >= {"rank_deficient"}
    empty = fit(rows("wine"), "rating ~ 1 + (1 | judge)", "ordinal")
    assert list(empty.params.index) == ["1|2", "2|3", "3|4", "4|5"]
    test = with_.lrt(empty)
    assert (test.df, test.statistic) == (1, pytest.approx(empty.deviance - with_.deviance))


def test_a_variance_of_zero_is_a_verified_boundary_optimum(mixed):
    res = fit(mixed, "yes ~ week + x + (1 | outer/unit)")
    plain = fit(mixed, "yes ~ week + x + (1 | outer)")
    assert res.singular
    assert res.converged
    assert res.varcorr["vcov"].tolist()[0] == 0.0
    assert res.deviance == pytest.approx(plain.deviance, abs=1e-9)
    pd.testing.assert_series_equal(res.bse, plain.bse, rtol=1e-6)
    assert "the variance of Intercept over unit:outer is zero" in res.convergence
    assert res.optimization.best.certificate.descent > 0
    assert [f.code for f in res.findings] == ["singular"]
    assert (res.random_effects["unit:outer"] == 0).all(axis=None)


def test_the_one_sided_derivative_is_that_of_the_likelihood(mixed):
    """At a zero variance, against the deviance a little inside."""
    from inside.engine_families import Criterion, one_sided
    from inside.engine_generalised_fit import face_of

    res = fit(mixed, "yes ~ week + x + (1 | unit)")
    problem = res.fit.problem
    criterion, face = Criterion(problem, 1), face_of(res.fit.units)
    fixed = res.optimization.best.params[:3]

    def value(variance):
        return criterion.evaluate(face, np.array([*fixed, np.sqrt(variance)]))[0].value

    slope = one_sided(criterion, [np.zeros((1, 1))], fixed, face)[0][0, 0]
    e = 1e-4
    assert slope == pytest.approx((4 * value(e) - value(2 * e) - 3 * value(0.0)) / (2 * e), rel=1e-4)


def test_counts_without_overdispersion_are_the_poisson_limit(mixed):
    rng = np.random.default_rng(1)
    counts = mixed.assign(n=rng.binomial(6, 0.4, len(mixed)))
    limit = fit(counts, "n ~ x + (1 | outer)", "negative-binomial")
    poisson = fit(counts, "n ~ x + (1 | outer)", "poisson")
    assert np.isinf(limit.dispersion)
    assert limit.converged
    assert limit.deviance == pytest.approx(poisson.deviance, abs=1e-8)
    assert limit.aic == pytest.approx(poisson.aic + 2)
    assert "no_overdispersion" in {f.code for f in limit.findings}
    assert "no more dispersed than Poisson counts" in limit.convergence
    assert limit.simulate(1, seed=1)[0].mean() == pytest.approx(2.4, abs=0.4)


def test_likelihood_ratio_of_a_variance_and_of_a_term(slopes, mixed):
    fixed = fit(mixed, "yes ~ week + (1 + week | outer)")
    test = slopes.lrt(fixed)
    assert test.df == 1
    assert test.statistic == pytest.approx(fixed.deviance - slopes.deviance)
    intercept = fit(mixed, "yes ~ week + x + (1 | outer)")
    variance = intercept.lrt(slopes)
    assert variance.df == 2
    from scipy import stats

    mixture = 0.5 * (stats.chi2.sf(variance.statistic, 1) + stats.chi2.sf(variance.statistic, 2))
    assert variance.p == pytest.approx(mixture)


def test_few_events_one_sided_groups_and_rare_categories_are_findings(mixed, wine):
    rare = mixed.assign(yes=(mixed.index % 61 == 0).astype(int))
    found = {f.code: f for f in fit(rare, "yes ~ x + week + (1 | unit)").findings}
    assert found["few_events"].severity == "underpowered"
    assert found["few_events"].message.startswith("7 responses of the rarer kind for 3 coefficients")
    assert found["one_sided_groups"].message.startswith("Of 84 levels of unit, 77 have no event")
    assert [f.message for f in wine.findings] == [
        "The category 1 has 5 responses only; the estimate of the threshold next to it is very uncertain."
    ]


def test_simulated_responses_have_the_models_moments(cbpp):
    draws = cbpp.simulate(400, seed=3)
    assert draws.shape == (56, 400)
    assert ((draws * rows("cbpp")["size"].to_numpy()[:, None]) % 1).round(6).isin([0.0, 1.0]).all(axis=None)
    variance = cbpp.varcorr["vcov"][0]
    x, w = np.polynomial.hermite.hermgauss(31)
    eta = cbpp.predict(groups=False, scale="linear").to_numpy()[:, None] + np.sqrt(2 * variance) * x
    marginal = (w / np.sqrt(np.pi) / (1 + np.exp(-eta))).sum(axis=1)
    assert draws.mean(axis=1).to_numpy() == pytest.approx(marginal, abs=0.06)
    assert draws.to_numpy().mean() == pytest.approx(marginal.mean(), abs=0.01)


def test_bootstrap_spreads_as_the_standard_errors(cbpp):
    boot = cbpp.bootstrap(30, seed=4)
    assert boot.n_failed == 0
    ratio = boot.params.std() / cbpp.bse
    assert ratio.between(0.6, 1.6).all()
    limits = cbpp.conf_int(method="bootstrap", n_boot=5, seed=4)
    assert list(limits.index) == [*cbpp.params.index, "sd(Intercept)|herd"]
    assert (limits["lower"] < limits["upper"]).all()


def test_bootstrap_limits_of_a_correlation_are_those_of_covariances_over_deviations(slopes):
    limits = slopes.conf_int(method="bootstrap", n_boot=5, seed=2).loc["cor(Intercept,week)|outer"]
    drawn = slopes.bootstrap(5, seed=2).varcorr["outer"]
    ratios = drawn[("Intercept", "week")] / np.sqrt(drawn[("Intercept", "")]) / np.sqrt(drawn[("week", "")])
    np.testing.assert_allclose(
        limits[["lower", "upper"]].astype(float), ratios.quantile([0.025, 0.975]), rtol=1e-9
    )


def test_profile_intervals_are_those_of_glmmTMB(cbpp):
    """glmmTMB 1.1.5, confint(method = "uniroot"), whose root-finding stops at some 1e-5."""
    limits = cbpp.conf_int(method="profile")
    theirs = [
        [-1.9011875, -0.947790568],
        [-1.6167583, -0.407780297],
        [-1.8010015, -0.511553626],
        [-2.5007488, -0.800758133],
        [np.exp(-1.0610506), np.exp(0.095258244)],
    ]
    np.testing.assert_allclose(limits[["lower", "upper"]], theirs, atol=3e-5)
    assert list(limits.index) == [*cbpp.params.index, "sd(Intercept)|herd"]


def test_a_profile_limit_is_where_the_held_fit_loses_the_cut(mixed):
    """The coefficient held by an offset, in a separate fit; a threshold's limit by moving all others."""
    res = fit(mixed, "grade ~ x + week + (1 | outer)", "ordinal")
    limits = res.conf_int(method="profile", which=["x", "2|3"])
    for end in limits.loc["x", ["lower", "upper"]]:
        held = fit(
            mixed.assign(known=end * mixed["x"]), "grade ~ week + (1 | outer)", "ordinal", offset="known"
        )
        assert held.deviance - res.deviance == pytest.approx(3.841458820694124, abs=1e-5)
    assert limits.loc["2|3", "lower"] < res.params["2|3"] < limits.loc["2|3", "upper"]


def test_limits_leave_a_variance_that_is_zero_at_the_estimate_only():
    """At the limits the variance is above zero; there the coefficient is held by an offset."""
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(6), 8), rng.normal(size=48)
    rng.normal(size=12)  # the draws of the data set on which a search stayed at zero
    yes = (rng.random(48) < 1 / (1 + np.exp(0.3 - 0.5 * x))).astype(int)
    frame = pd.DataFrame({"yes": yes, "g": g, "x": x})
    res = fit(frame, "yes ~ x + (1 | g)")
    assert res.varcorr["vcov"][0] == 0
    for limit in res.conf_int(method="profile", which=["Intercept"]).loc["Intercept", ["lower", "upper"]]:
        held = fit(frame.assign(known=limit), "yes ~ 0 + x + (1 | g)", offset="known")
        assert held.varcorr["vcov"][0] > 0.01
        assert held.deviance == pytest.approx(res.deviance + 3.8415, abs=1e-4)


def test_profiles_of_deviations_at_and_near_zero_and_in_any_units(slopes, mixed):
    limits = slopes.conf_int(method="profile", which=["sd(Intercept)|outer", "sd(week)|outer"])
    assert limits["note"].tolist() == ["zero is not excluded", ""]
    assert limits.loc["sd(Intercept)|outer", "lower"] == 0.0
    scaled = fit(mixed.assign(week=mixed["week"] / 52), "yes ~ week + x + (1 + week | outer)")
    other = scaled.conf_int(method="profile", which=["sd(week)|outer"])
    np.testing.assert_allclose(
        other[["lower", "upper"]] / 52, limits.loc[["sd(week)|outer"], ["lower", "upper"]], rtol=1e-4
    )
    boundary = fit(mixed, "yes ~ week + x + (1 | outer/unit)")
    at_zero = boundary.conf_int(method="profile", which=["sd(Intercept)|unit:outer"]).iloc[0]
    assert (at_zero["lower"], at_zero["note"]) == (0.0, "zero is the estimate")
    assert 0.3 < at_zero["upper"] < 1.0


def test_the_example_of_the_documentation_runs():
    import doctest

    from inside.engine_generalised_model import generalised_model as model

    found = doctest.testmod(model)
    assert (found.failed, found.attempted > 10) == (0, True)


def test_text_html_and_plain_data_say_the_same(cbpp, wine, mixed):
    text = cbpp.summary()
    assert text.startswith("Binomial mixed model (logit link) by maximum likelihood, Laplace's method")
    assert "Odds ratio" in text
    assert "0.64226" in text
    assert str(cbpp) == text
    assert repr(cbpp) == "<GeneralisedResults: share ~ C(period) + (1 | herd); 56 rows; use .summary()>"
    assert "<b>Binomial mixed model" in cbpp._repr_html_()
    assert "Cumulative mixed model" in wine.summary()
    counts = fit(mixed, "over ~ x + (1 | outer)", "negative-binomial", n_agq=3)
    assert f"Dispersion theta: {counts.dispersion:.5g}" in counts.summary()
    assert "adaptive quadrature, 3 nodes" in counts.summary()
    plain = json.loads(json.dumps(cbpp.to_dict(), allow_nan=False))
    assert plain["deviance"] == cbpp.deviance
    assert plain["family"] == "binomial"
    assert [row["term"] for row in plain["coefficients"]] == list(cbpp.params.index)
    tidy = cbpp.tidy()
    assert list(tidy.columns) == ["term", "estimate", "se", "df", "stat", "p", "low", "high"]
    assert cbpp.glance()["n_agq"][0] == 1


def test_a_dropout_hazard_is_a_binomial_model_of_rows_at_risk():
    """Rows are periods at risk, 1 where the unit leaves; cloglog coefficients are log hazard ratios of grouped time."""
    res = fit(rows("hazard"), "event ~ C(period) + arm + score + (1 | group)", link="cloglog")
    assert "Hazard ratio" in res.summary()
    one = pd.DataFrame({"period": [1, 2], "arm": 0, "score": 0.0, "group": np.nan})
    hazards = res.predict(one)
    eta = res.params["Intercept"] + np.array([0.0, res.params["C(period)[T.2]"]])
    np.testing.assert_allclose(hazards, 1 - np.exp(-np.exp(eta)))
