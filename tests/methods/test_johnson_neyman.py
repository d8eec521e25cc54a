"""`methods.johnson_neyman` against the published example, lmerTest with its own root finding, and plain evaluation."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from reference.catalogue import HERE as REFERENCE

PARAMS = pd.Series({"Intercept": 12.0, "ses": 2.197762, "mean": 5.9, "ses:mean": 0.2854407})
COV = pd.DataFrame(np.diag([1.0, 0.016409143, 2.0, 0.101632983]), PARAMS.index, PARAMS.index)
COV.loc["ses", "ses:mean"] = COV.loc["ses:mean", "ses"] = 0.002314268


def test_the_published_roots():
    found = methods.johnson_neyman(PARAMS, COV, "ses", "ses:mean", np.inf)
    # Printed for z = 1.96, which is 4e-5 more than the quantile.
    np.testing.assert_allclose(found.roots, [-2.406986, 6.410394], rtol=2e-4)
    assert (found.outside, found.where) == (False, "between")
    assert list(found.params.index) == ["ses", "ses:mean"]
    np.testing.assert_allclose(found.bse, np.sqrt([0.016409143, 0.101632983]), rtol=1e-15)
    shuffled = COV.iloc[[3, 0, 1, 2], [3, 0, 1, 2]]
    assert methods.johnson_neyman(PARAMS, shuffled, "ses", "ses:mean", np.inf).roots == found.roots
    by_place = methods.johnson_neyman(PARAMS.to_numpy(), COV.to_numpy(), 1, 3, np.inf)
    assert by_place.roots == found.roots


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_significance_changes_at_the_roots_and_nowhere_else(alpha):
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(200):
        b = rng.normal(size=2) * rng.choice([0.1, 1, 5])
        half = rng.normal(size=(2, 2))
        v = half @ half.T
        df = rng.choice([3.0, 20.0, np.inf])
        found = methods.johnson_neyman(b, v, 0, 1, df, alpha)
        seen.add(found.where)
        at = np.sort(np.r_[rng.normal(size=200) * 5, np.array(found.roots), -1e7, 1e7])
        t = (b[0] + b[1] * at) / np.sqrt(v[0, 0] + 2 * at * v[0, 1] + at**2 * v[1, 1])
        significant = np.abs(t) > stats.t.ppf(1 - alpha / 2, df)
        near = np.array([np.min(np.abs(np.append(found.roots, np.inf) - m)) < 1e-9 for m in at])
        inside = np.array([len(found.roots) == 2 and found.roots[0] < m < found.roots[1] for m in at])
        np.testing.assert_array_equal(significant[~near], (inside != found.outside)[~near])
        assert list(found.roots) == sorted(found.roots)
    assert seen == {"outside", "between", "nowhere"}


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_degrees_of_freedom_of_the_slope_at_each_value_as_lmertest_has_them(ddf):
    wanted = json.loads((REFERENCE / "johnson_neyman.json").read_text())
    data = pd.read_csv(REFERENCE / "small" / "moderated.csv")
    result = al.MixedModel.from_formula("y ~ x * m + (x | g)", data).fit(df=ddf)
    found = methods.johnson_neyman(result, focal="x", moderator="m")
    here = wanted[ddf.replace("-", "_")]
    # lmer stops within 1e-5 of the optimum in the variances, which its degrees of freedom show.
    np.testing.assert_allclose(found.roots, here["roots"], rtol=2e-5)
    assert found.outside == here["outside"]
    table = found.slopes(wanted["at"])
    np.testing.assert_allclose(table["estimate"], here["estimate"], rtol=1e-5)
    np.testing.assert_allclose(table["se"], here["se"], rtol=1e-5)
    np.testing.assert_allclose(table["df"], here["df"], rtol=1e-4)
    at_roots = found.slopes(found.roots)
    np.testing.assert_allclose(at_roots["df"], here["df_at_roots"], rtol=1e-4)
    np.testing.assert_allclose(at_roots["p"], 0.05, rtol=1e-9)
    assert table["df"].nunique() == 5
    np.testing.assert_allclose(found.bse, result.bse[["x", "x:m"]], rtol=1e-12)
    fixed = methods.johnson_neyman(result.params, result.cov_params(), "x", "x:m", float(result.df["x:m"]))
    assert abs(fixed.roots[0] - found.roots[0]) > 1e-4  # one df for all values is an approximation


def test_values_together_are_adjusted_for_the_rate_of_false_discoveries():
    found = methods.johnson_neyman([0.5, 0.4], np.diag([0.04, 0.01]), 0, 1, 30)
    at = np.linspace(-3, 3, 13)
    table = found.fdr(at)
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]), rtol=1e-12)
    np.testing.assert_array_equal(table["significant"], table["q"] <= 0.05)
    assert 0 < table["significant"].sum() < (table["p"] < 0.05).sum() + 1
    np.testing.assert_array_equal(table[["estimate", "p"]], found.slopes(at)[["estimate", "p"]])


def test_a_slope_that_is_significant_nowhere_and_the_words_of_the_summary():
    nowhere = methods.johnson_neyman([0.1, 0.1], np.eye(2), 0, 1, 10)
    assert nowhere.roots == ()
    assert nowhere.where == "nowhere"
    assert "The slope is significant nowhere (alpha 0.05)." in nowhere.summary()
    text = methods.johnson_neyman(PARAMS, COV, "ses", "ses:mean", np.inf).summary()
    assert text.startswith("Johnson-Neyman: slope of ses along the moderator of ses:mean\n")
    assert "The slope is significant between the values -2.407 and 6.411 (alpha 0.05)." in text


MODEL_DATA = pd.DataFrame(
    {"y": [1.0, 2, 4, 3, 5, 7, 6, 9], "x": [1.0, 2, 3, 4] * 2, "m": [0.0] * 4 + [1.0] * 4, "g": list("aabbccdd")}
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"focal": "x"},
            "With a fitted model, johnson_neyman needs focal= and moderator=, the names of two terms.",
        ),
        (
            {"focal": "z", "moderator": "m"},
            "The model has no coefficient 'z'. There are: Intercept, x, m.",
        ),
        (
            {"focal": "x", "moderator": "m"},
            "The model has no product of 'x' and 'm'; write x * m in its formula. Coefficients: Intercept, x, m.",
        ),
    ],
)
def test_a_model_without_the_product_is_refused(given, message):
    result = al.MixedModel.from_formula("y ~ x + m + (1 | g)", MODEL_DATA).fit()
    with pytest.raises(DataError) as error:
        methods.johnson_neyman(result, **given)
    assert str(error.value) == message


NUMBERS = {"params": [1.0, 2.0], "cov": np.eye(2), "focal": 0, "interaction": 1, "df": 10}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"focal": "x"}, "focal is 'x'; there is no such coefficient. There are: 0, 1."),
        ({"interaction": 2}, "interaction is 2; there is no such coefficient. There are: 0, 1."),
        ({"df": None}, "With params, johnson_neyman needs cov, focal, interaction and df; df=inf is the normal."),
        ({"cov": None}, "With params, johnson_neyman needs cov, focal, interaction and df; df=inf is the normal."),
        (
            {"df": -1},
            "df is -1; degrees of freedom are above 0, and infinite for the normal distribution.",
        ),
        ({"cov": np.eye(3)}, "cov has the shape (3, 3); for 2 params it needs (2, 2)."),
        (
            {"cov": [[1, 2], [2, 1]]},
            "cov is not a covariance of these two coefficients. Check its order and that nothing is missing.",
        ),
        ({"params": ["a", "b"]}, "params has to hold numbers: the coefficients of a model."),
        ({"params": pd.Series([1.0, 2.0], [0, 0])}, "params holds two coefficients of one name. Names have to differ."),
        ({"cov": [["a", "b"], ["b", "a"]]}, "cov has to hold numbers: the covariance of params."),
        ({"alpha": 5}, "alpha is 5; it lies between 0 and 1, and 0.05 gives 95 % intervals."),
        (
            {"moderator": "m"},
            "moderator goes with a fitted model. With params and cov, name the interaction instead.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(given, message):
    with pytest.raises(DataError) as error:
        methods.johnson_neyman(**(NUMBERS | given))
    assert str(error.value) == message


def test_values_of_the_moderator_are_numbers():
    found = methods.johnson_neyman(**NUMBERS)
    for values in ([np.nan], [], [[1.0]], "high", None):
        with pytest.raises(
            DataError, match=r"^Values of the moderator are one or several numbers, none of them"
        ):
            found.slopes(values)
