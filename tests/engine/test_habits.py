"""Habits from other programs, and options of the wrong kind: each says what is wrong, where, and what to write."""

import re

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError, FormulaError


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    n = 200
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "t": np.tile(np.arange(10.0), 20),
            "one": "a",
            "flat": 3,
            "a": np.repeat(["u", "v"], 100),
            "count": rng.poisson(3, n),
            "g": np.repeat(np.arange(20), 10),
        }
    )


def model(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame, **options)


def says(formula, rows, caret=None):
    """What is said of a formula; the caret is under the first ``caret``."""
    with pytest.raises(FormulaError) as error:
        model(formula, rows)
    message, *rest = str(error.value).split("\n")
    if caret is not None:
        assert rest[0].strip() == formula
        assert rest[1].index("^") - 4 == formula.index(caret)
    return message


@pytest.mark.parametrize(
    ("formula", "caret", "said"),
    [
        ("y ~ I(x^2) + (1 | g)", "^", "Inside I(...) a power is written with two stars: I(x**2) is the square of x."),
        ("y ~ x + (I(t^2) | g)", "^", "Inside I(...) a power is written with two stars: I(x**2) is the square of x."),
        ("y ~ x + I((x + t)^2) + (1 | g)", "^", "Inside I(...) a power is written with two stars"),
        ("y ~ {x^2} + (1 | g)", "^", "Inside {...} a power is written with two stars: {x**2} is the square of x."),
        ("y ~ x^2 + (1 | g)", "x^2", "x^2 means x itself in a formula"),
        ("y ~ t + x**3 + (1 | g)", "x**3", "For a power of its values write I(x**3)."),
        ("y ~ ns(x, 3) + (1 | g)", "ns", "A natural spline is written cr() here: ns(x, df=3) is cr(x, df=4)"),
        ("y ~ x + (ns(t, 2) | g)", "ns", "A natural spline is written cr() here"),
        ("y ~ s(x) + (1 | g)", "s(", "s() is not available. For a smooth curve write cr(x, df=5)"),
        ("y ~ rcs(x, 4) + (1 | g)", "rcs", "rcs() is not available. For a smooth curve write cr(x, df=5)"),
        ("y ~ factor(a) + (1 | g)", "factor", "factor() is written C(x) here. A text column is a category in any case."),
        ("y ~ as.factor(a) + (1 | g)", "as.", "as.factor() is written C(x) here."),
        ("y ~ as.numeric(t) + (1 | g)", "as.", "as.numeric() is not available. Make the column in the data before the fit"),
        ("y ~ cut(x, 3) + (1 | g)", "cut", "cut() is not available. Make the column in the data before the fit."),
        ("y ~ relevel(a, ref='v') + (1 | g)", "relevel", "relevel() is not available. Write C(x, Treatment('reference'))"),
        ("y ~ sqrt(t) + (1 | g)", "sqrt", "sqrt() is written with NumPy's name here: np.sqrt(x)."),
        ("y ~ round(t) + (1 | g)", "round", "round() is written with NumPy's name here: np.round(x)."),
        ("y ~ lag(x) + (1 | g)", "lag", "lag() would take values across the groups."),
        ("y ~ offset(t) + (1 | g)", "offset", "An offset is not a part of the formula. Give its column to from_formula: offset='x'."),
        ("cbind(count, 9) ~ x + (1 | g)", "cbind", "take the share as the response and weights='trials'"),
        ("y ~ x + AR(1) + (1 | g)", "AR", "Give residual=AR1(order='...') to from_formula."),
        ("y ~ data$x + (1 | g)", "$", "A column is named alone, without the data before '$'"),
        ("y ~ x %*% t + (1 | g)", "%", "Only %in% is read between percent signs"),
        ("y ~ x[1] + (1 | g)", "[", "x[...] cannot be a part of a formula. Make the column in the data before the fit."),
        ("y ~ TRUE + x + (1 | g)", "TRUE", "TRUE is R's. Leave it out, or write 1 for an intercept and 0 for none."),
        ("y ~ mine(x) + (1 | g)", "mine", "mine() is not a function that formulas know. There are C, Diff"),
        ("y ~ x + (1 | factor(g))", "(g)", "A grouping is a column as it is. Make the column in the data before the fit."),
        ("y ~ x > 0 + (1 | g)", None, "Write conditions and calculations inside I(...), as in I(x > 0)."),
    ],
)  # fmt: skip
def test_another_program_s_formula_says_what_to_write(rows, formula, caret, said):
    assert said in says(formula, rows, caret)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ I(x**2) + (1 | g)",
        "y ~ (x + t)^2 + (1 | g)",
        "y ~ np.sqrt(t) + poly(x, 2) + (1 | g)",
        "y ~ x.abs() + (1 | g)",
        "y ~ C(a, Treatment('v')) + (1 | g)",
        "y ~ x %in% a + (1 | g)",
        "y ~ I(t % 2) + (1 | g)",
        "y ~ `ns(x)` + (1 | g)",
        "y ~ s + (s | g)",
    ],
)
def test_what_is_ours_is_read(rows, formula):
    frame = rows.assign(s=rows["x"] + 1).assign(**{"ns(x)": rows["x"] ** 2})
    assert len(model(formula, frame).design.names) > 1


def test_a_natural_spline_is_the_one_that_the_message_names(rows):
    """By SciPy's natural cubic through the quantiles that R's ns() takes for its knots."""
    from scipy.interpolate import CubicSpline

    made = model("y ~ cr(x, df=4) + (1 | g)", rows).design.x
    knots = np.quantile(rows["x"], [0, 1 / 3, 2 / 3, 1])
    natural = np.column_stack([CubicSpline(knots, e, bc_type="natural")(rows["x"]) for e in np.eye(4)])
    assert np.linalg.matrix_rank(made) == 4
    assert np.linalg.matrix_rank(np.column_stack([made, natural]), tol=1e-8) == 4


@pytest.mark.parametrize(
    "formula", ["y ~ log(t) + (1 | g)", "y ~ x + (np.log(t) | g)", "log10(t) ~ x + (1 | g)"]
)
def test_a_logarithm_of_zero_says_so(rows, formula):
    said = (
        r"log(10)?\(t\)' has 20 values that are not finite; the first is -inf in row 0. Logarithms need values above zero: "
        r"add a constant that has a meaning, as in log\(x \+ 1\), or leave those values empty."
    )
    with pytest.raises(FitError, match=said):
        model(formula, rows)


def test_a_calculation_without_a_result_says_so(rows):
    with pytest.raises(
        FitError, match="The calculation has no result there: correct the values that it uses"
    ):
        model("y ~ I(1 / t) + (1 | g)", rows)
    res = model("y ~ np.sqrt(t) + (1 | g)", rows).fit()
    with pytest.raises(
        FormulaError,
        match=re.escape("'np.sqrt(t)' has no result for some rows of the new data. Correct their values"),
    ):
        res.predict(rows.assign(t=-1.0))


@pytest.mark.parametrize("formula", ["y ~ bs(x, df=4) + (1 | g)", "y ~ x + (bs(x, df=3) | g)"])
def test_new_values_beyond_a_spline_say_the_range(rows, formula):
    res = model(formula, rows).fit(require_certificate=False)
    low, high = rows["x"].min(), rows["x"].max()
    said = f"Column 'x' of the new data goes beyond the range of the fit, {low:g} to {high:g}, in 2 rows; the first value is -9."
    with pytest.raises(FormulaError, match=re.escape(said)) as error:
        res.predict(rows.head(3).assign(x=[0.0, -9.0, high + 1]))
    assert "or fit cr() in place of bs(): it goes on as a straight line." in str(error.value)
    assert np.isfinite(res.predict(rows.head(2).assign(x=[low, high]))).all()


def test_cr_goes_on_as_a_straight_line(rows):
    res = model("y ~ cr(x, df=4) + (1 | g)", rows).fit()
    far = res.predict(rows.head(5).assign(x=[5.0, 6, 7, 8, 9]), groups=False)
    np.testing.assert_allclose(np.diff(far, 2), 0, atol=1e-9)
    assert abs(np.diff(far)).min() > 1e-3


@pytest.mark.parametrize("given", ["no", "ML", "REML", None, 1, 0, 2, []])
def test_reml_is_true_or_false(rows, given):
    said = f"reml must be True or False, not {given!r}. reml=False is maximum likelihood."
    with pytest.raises(FitError, match=re.escape(said)):
        model("y ~ x + (1 | g)", rows).fit(reml=given)
    with pytest.raises(FitError, match=re.escape(said)):
        model("count ~ x + (1 | g)", rows, family="poisson").fit(reml=given)


def test_numpy_s_truth_values_are_truth_values(rows):
    made = model("y ~ x + (1 | g)", rows)
    assert made.fit(reml=np.False_).deviance == made.fit(reml=False).deviance
    assert made.fit(reml=np.True_).deviance == made.fit().deviance != made.fit(reml=False).deviance


def test_every_switch_is_true_or_false(rows):
    linear = model("y ~ x + (1 | g)", rows)
    counts = model("count ~ x + (1 | g)", rows, family="poisson")
    res, found = linear.fit(), counts.fit()
    asked = {
        "require_certificate": [
            lambda: linear.fit(require_certificate="no"),
            lambda: counts.fit(require_certificate="no"),
        ],
        "crossed": [
            lambda: model("y ~ x + (1 | g)", rows, crossed="no"),
            lambda: model("count ~ x + (1 | g)", rows, family="poisson", crossed="no"),
        ],
        "groups": [lambda: res.predict(groups="no"), lambda: found.predict(groups="no")],
        "refit": [lambda: res.envelope(refit="no")],
        "fixed_uncertainty": [lambda: res.caterpillar("g", fixed_uncertainty="no")],
    }
    for name, calls in asked.items():
        for call in calls:
            with pytest.raises(FitError, match=f"^{name} must be True or False, not 'no'.$"):
                call()


@pytest.mark.parametrize(
    ("formula", "left_out"),
    [
        ("y ~ one + x + (1 | g)", "one"),
        ("y ~ one * x + (1 | g)", "one, one:x"),
        ("y ~ C(flat) + x + (1 | g)", "C(flat)"),
        ("y ~ flat + x + (1 | g)", "flat"),
        ("y ~ x + one + flat + (1 | g)", "flat, one"),
    ],
)
def test_a_category_of_one_level_is_said_to_be_left_out(rows, formula, left_out):
    for family in ("gaussian", "poisson"):
        res = model(formula.replace("y", "count", 1), rows, family=family).fit()
        assert list(res.params.index) == ["Intercept", "x"]
        (said,) = [f.message for f in res.findings if f.code == "rank_deficient"]
        assert (
            said
            == f"These columns of the fixed part are combinations of others and are left out: {left_out}."
        )


def test_a_category_of_one_level_has_no_test_and_knows_its_level(rows):
    res = model("y ~ one + x + (1 | g)", rows).fit()
    table = res.anova()
    assert list(table["term"]) == ["x"]
    assert table["p"].iloc[0] == pytest.approx(res.pvalues["x"], rel=1e-10)
    plain = model("y ~ x + (1 | g)", rows).fit()
    pd.testing.assert_series_equal(res.predict(rows), plain.predict(rows))
    with pytest.raises(
        FormulaError, match="Column 'one' of the new data has the value 'b', which the fit does not know"
    ):
        res.predict(rows.assign(one="b"))


def test_a_random_category_of_one_level_is_refused(rows):
    with pytest.raises(
        FormulaError, match="'one' has one category only in the rows used, so that it has no random effect"
    ):
        model("y ~ x + (one | g)", rows)


def test_a_category_of_one_level_in_batches(rows, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    res = al.MixedModel.from_parquet("y ~ one + x + (1 | g)", tmp_path / "rows.parquet").fit()
    (said,) = [f.message for f in res.findings if f.code == "rank_deficient"]
    assert said == "These columns of the fixed part are combinations of others and are left out: one."
    assert res.params["x"] == pytest.approx(model("y ~ x + (1 | g)", rows).fit().params["x"], rel=1e-9)


def test_weights_of_contrasts_are_numbers(rows):
    res = model("y ~ x + (1 | g)", rows).fit()
    with pytest.raises(FitError, match="Contrasts are weights of coefficients, by name or in order, not"):
        res.contrast({"x": "much"})
    with pytest.raises(FitError, match="A contrast with only zero weights tests nothing"):
        res.f_test(np.zeros((0, 2)))


@pytest.mark.parametrize("seed", ["a", -1, 1.5, {}])
def test_a_seed_is_a_whole_number(rows, seed):
    res = model("y ~ x + (1 | g)", rows).fit()
    for ask in (res.bootstrap, res.simulate):
        with pytest.raises(FitError, match=r"seed must be a whole number from 0 on, or None, not "):
            ask(10, seed=seed)
