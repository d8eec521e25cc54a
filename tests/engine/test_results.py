"""What the results object shows, and comparisons of models."""

import json
import pickle
import re
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from engine.designs import GROWTH


def fit(formula, frame, reml=False, **options):
    return al.MixedModel.from_formula(formula, frame, **options).fit(reml=reml)


def test_names_and_shapes_are_those_of_the_contract(growth, frame):
    terms = ["Intercept", "week", "rating", "arm", "week:rating"]
    for series in (growth.params, growth.bse, growth.df, growth.tvalues, growth.pvalues):
        assert list(series.index) == terms
    assert growth.groups == ("inner:outer", "outer")
    assert growth.n_groups == {"inner:outer": frame["unique"].nunique(), "outer": 12}
    assert growth.nobs == len(frame)
    assert growth.n_dropped == 0
    table = growth.varcorr
    assert list(table.columns) == ["group", "term1", "term2", "vcov", "sdcor"]
    assert table["group"].tolist() == ["inner:outer"] * 3 + ["outer"] * 3 + ["Residual"]
    assert table["term2"].isna().tolist() == [True, True, False, True, True, False, True]
    np.testing.assert_allclose(table["sdcor"][[0, 1, 6]] ** 2, table["vcov"][[0, 1, 6]])
    assert table["vcov"][2] == pytest.approx(table["sdcor"][:3].prod())
    assert growth.random_effects["inner:outer"].index.names == ["inner", "outer"]


def test_the_summary_names_the_criterion_that_was_minimised(frame):
    for reml, name, other in ((True, "REML criterion", "Deviance"), (False, "Deviance", "REML criterion")):
        text = str(fit("y ~ week + (1 | outer)", frame, reml=reml).summary())
        assert name in text
        assert other not in text


def test_information_criteria_count_every_parameter(growth):
    assert growth.fit.n_parameters == 5 + 6 + 1
    assert growth.llf == -growth.deviance / 2
    assert growth.aic == pytest.approx(growth.deviance + 24)
    assert growth.bic == pytest.approx(growth.deviance + 12 * np.log(growth.nobs))


def test_text_html_and_plain_data_agree(growth):
    text, html, data = growth.summary(), growth._repr_html_(), growth.to_dict()
    for piece in ("Linear mixed model by REML", f"{growth.deviance:.4f}", "inner:outer", "week:rating"):
        assert piece in text
        assert piece in html
    assert f"REML criterion: {growth.deviance:.4f}" in text
    assert f"REML criterion {growth.deviance:.4f}" in html
    assert growth.convergence in text
    assert "Satterthwaite" in text
    assert str(growth) == text
    assert "use .summary()" in repr(growth)
    json.dumps(data, allow_nan=False)
    assert data["coefficients"][1]["estimate"] == growth.params["week"]
    assert data["certificate"]["decrement"] < 1e-10
    assert list(growth.tidy().columns) == ["term", "estimate", "se", "df", "stat", "p", "low", "high"]
    assert growth.glance().loc[0, "deviance"] == growth.deviance


def test_markup_in_names_is_escaped(frame):
    html = fit("y ~ week + I(week < 2) + (1 | outer)", frame)._repr_html_()
    assert "week &lt; 2" in html
    assert "week < 2" not in html
    assert re.search(r"by maximum likelihood</b>.*\bDeviance \d", html, re.DOTALL)


def test_results_can_be_stored(growth):
    again = pickle.loads(pickle.dumps(growth))
    pd.testing.assert_series_equal(again.params, growth.params)
    assert again.summary() == growth.summary()


def test_likelihood_ratio_of_fixed_terms(frame):
    small, large = (
        fit("y ~ week + (1 | outer/inner)", frame),
        fit("y ~ week * rating + (1 | outer/inner)", frame),
    )
    test, swapped = large.lrt(small), small.lrt(large)
    pd.testing.assert_series_equal(
        pd.Series(asdict(test)), pd.Series(asdict(swapped))
    )  # equal, missing values too
    assert test.df == 2
    assert test.statistic == pytest.approx(small.deviance - large.deviance)
    assert test.p == pytest.approx(stats.chi2.sf(test.statistic, 2))
    assert test.p_chi2 == test.p
    assert test.distribution == "chi2(2)"
    assert test.note.startswith(
        "For a fixed effect that differs between few groups this test rejects too often"
    )


def test_likelihood_ratio_of_a_variance_allows_for_its_boundary(frame):
    small = fit("y ~ week + (1 | unique)", frame, reml=True)
    slope = fit("y ~ week + (1 + week | unique)", frame, reml=True)
    test = slope.lrt(small)
    assert test.df == 2
    assert test.p_chi2 == pytest.approx(stats.chi2.sf(test.statistic, 2))
    assert test.p == pytest.approx(0.5 * (stats.chi2.sf(test.statistic, 1) + test.p_chi2))
    assert test.distribution == "equal mixture of chi2(1) and chi2(2)"
    assert "p_chi2 is too large" in test.note
    outer = fit("y ~ week + (1 | unique) + (1 | outer)", frame, reml=True).lrt(small)
    assert outer.df == 1
    assert outer.p == pytest.approx(0.5 * outer.p_chi2)
    assert outer.distribution == "equal mixture of 0 and chi2(1)"
    row = fit("y ~ week + (1 + week | unique)", frame, reml=True).variance_tests("mixture").iloc[0]
    assert (row["statistic"], row["p"]) == pytest.approx((test.statistic, test.p), abs=1e-6)


def test_likelihood_ratio_of_a_covariance_alone_is_chi_squared(frame):
    free = fit("y ~ week + (1 + week | unique)", frame, reml=True)
    test = free.lrt(fit("y ~ week + (1 + week || unique)", frame, reml=True))
    assert (test.df, test.distribution, test.note) == (1, "chi2(1)", "")
    assert test.p == test.p_chi2
    both = fit("y ~ week + (1 + week | outer/inner)", frame, reml=True)
    two = both.lrt(fit("y ~ week + (1 | outer/inner)", frame, reml=True))
    assert (two.df, two.distribution) == (4, "chi2(4)")
    assert two.note.startswith("A variance cannot be negative, so p is too large, and no mixture is known")


@pytest.mark.parametrize(
    ("one", "two", "options", "message"),
    [
        (
            "y ~ week + (1 | outer)",
            "y ~ week + rating + (1 | outer)",
            {"reml": True},
            "different fixed parts",
        ),
        ("y ~ week + (1 | outer)", "y ~ rating + (1 | outer)", {}, "same number of parameters"),
        ("y ~ week + (1 | outer)", "y ~ rating + arm + (1 | outer)", {}, "not nested"),
        ("y ~ week + (1 | outer)", "y ~ week + (1 + week | unique)", {}, "not nested"),
        (
            "y ~ week + (1 | outer)",
            "y ~ week + holes + (1 | outer)",
            {},
            r"not fitted to the same rows \(\d+ and \d+\)",
        ),
    ],
)
def test_comparisons_that_mean_nothing_are_refused(frame, one, two, options, message):
    frame = frame.assign(holes=frame["rating"].where(frame.index > 3))
    with pytest.raises(al.FitError, match=message):
        fit(one, frame, **options).lrt(fit(two, frame, **options))


def test_reml_and_ml_are_not_compared(frame):
    with pytest.raises(al.FitError, match="One model is fitted by REML and the other by maximum likelihood"):
        fit("y ~ week + (1 | outer)", frame, reml=True).lrt(fit("y ~ week + (1 | outer/inner)", frame))


def test_shares_of_variance(frame):
    null = fit("y ~ 1 + (1 | outer/inner)", frame, reml=True)
    table = null.icc()
    vcov = null.varcorr["vcov"].to_numpy()
    np.testing.assert_allclose(table["icc"], vcov / vcov.sum())
    assert table["icc"].sum() == pytest.approx(1)
    with_limits = null.icc(n_boot=60, seed=1)
    assert (with_limits["lower"] <= with_limits["icc"]).all()
    assert (with_limits["upper"] >= with_limits["icc"]).all()


def test_shares_with_slopes_are_mean_variances(growth):
    z = growth.fit.design.terms[0].z
    expected = [np.einsum("ni,ij,nj->n", z, psi, z).mean() for psi in growth.fit.psi]
    np.testing.assert_allclose(growth.icc()["variance"], [*expected, growth.scale])
    r2 = growth.r2()
    fixed = np.var(growth.predict(groups=False), ddof=1)
    assert r2["marginal"] == pytest.approx(fixed / (fixed + sum(expected) + growth.scale))
    assert r2["conditional"] == pytest.approx(1 - growth.scale / (fixed + sum(expected) + growth.scale))


def test_the_model_is_not_changed_by_fitting(frame):
    before = frame.copy()
    model = al.MixedModel.from_formula(GROWTH, frame)
    first, second = model.fit(), model.fit(reml=False)
    pd.testing.assert_frame_equal(frame, before)
    assert first.deviance != second.deviance
    assert model.fit().deviance == first.deviance


def test_a_kind_of_results_that_lacks_a_part_cannot_be_made():
    of_one_fit, any_results = [
        kind for kind in al.MixedModelResults.__mro__ if kind.__name__ in ("FitResults", "Results")
    ]
    with pytest.raises(TypeError, match="abstract method"):
        any_results()
    for part in ("summary", "glance", "to_dict"):
        have = {name: str for name in ("summary", "glance", "to_dict") if name != part}
        with pytest.raises(TypeError, match=f"abstract method '?{part}"):
            type("Own", (of_one_fit,), have)()
