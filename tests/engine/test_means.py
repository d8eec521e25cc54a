"""Estimated marginal means and slopes: against emmeans, by hand, and what must hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from engine import after_reference
from engine.designs import three_levels
from inside.engine_inference import adjusted, holm

MARGINAL = after_reference.FIGURES["marginal"]
#: What each figure of emmeans is here: specs, by, at, weights; a slope's variable.
ASKED = {
    ("machines", "machine"): ({"specs": "machine"}, None),
    ("orthodont", "sex"): ({"specs": "sex"}, None),
    ("orthodont", "at"): ({"specs": "sex", "by": "age", "at": {"age": [8, 14]}}, None),
    ("orthodont", "slopes"): ({"specs": "sex"}, "age"),
    ("arms", "arm"): ({"specs": "arm"}, None),
    ("arms", "proportional"): ({"specs": "arm", "weights": "proportional"}, None),
    ("arms", "slopes"): ({"specs": "arm"}, "x"),
    ("arms", "by"): ({"specs": "arm", "by": "sex"}, None),
    ("arms", "sex"): ({"specs": "sex"}, None),
    ("arms", "weighted"): ({"specs": "arm", "weights": "proportional"}, None),
}
CASES = [(m, name) for m in MARGINAL for name in m["figures"]["kr"]]


def ask(res, asked, variable):
    return res.slopes(variable, **asked) if variable else res.means(**asked)


@pytest.mark.parametrize("method", ["kr", "satterthwaite"])
@pytest.mark.parametrize(("model", "name"), CASES, ids=[f"{m['data']} {name}" for m, name in CASES])
def test_as_emmeans(model, name, method):
    """lme4's optimum is polished to about 1e-6; lmerTest's degrees of freedom are by finite differences."""
    data = after_reference.rows(model["data"])
    res = after_reference.fit(
        model["formula"], data, df="kenward-roger" if method == "kr" else "satterthwaite"
    )
    asked, variable = ASKED[model["data"], name]
    means = ask(res, asked, variable)
    figures = model["figures"][method][name]
    ours, theirs = means.frame, pd.DataFrame(figures["means"])
    keys = [*means.specs, *means.by]
    labels = ours[keys].astype(str).agg(", ".join, axis=1)
    assert labels.tolist() == theirs["label"].tolist()
    columns = {"estimate": "estimate", "se": "SE", "df": "df", "lower": "lower.CL", "upper": "upper.CL"}
    for mine, column in columns.items():
        np.testing.assert_allclose(ours[mine], theirs[column], rtol=1e-5, err_msg=mine)
    theirs = pd.DataFrame(figures["pairs"])
    pairs = means.pairs("none")
    for mine, column in (columns | {"p": "p.value"}).items():
        np.testing.assert_allclose(pairs[mine], theirs[column], rtol=2e-5, atol=1e-7, err_msg=mine)
    for adjust, p in figures["p"].items():
        np.testing.assert_allclose(means.pairs(adjust)["p"], p, rtol=1e-4, atol=1e-7, err_msg=adjust)


def test_the_method_of_the_fit_is_used():
    data = after_reference.rows("arms")
    model = al.MixedModel.from_formula("y ~ arm * x + (1 | group)", data)
    res = model.fit(cov_type="CR2", cov_groups="group")
    means = res.means("arm", at={"x": 2})
    expected = res.contrast(means.rows, ["a", "b", "c"])
    np.testing.assert_allclose(means.frame[["se", "df", "t", "p"]], expected[["se", "df", "t", "p"]])
    by_hand = np.array([[1, 0, 0, 2, 0, 0], [1, 1, 0, 2, 2, 0], [1, 0, 1, 2, 0, 2.0]])
    np.testing.assert_allclose(means.rows, by_hand)


def test_transformed_variables_are_differentiated():
    data = after_reference.rows("arms")
    res = al.MixedModel.from_formula("y ~ center(x) + I(x**2) + arm + (1 | group)", data).fit()
    slope = res.slopes("x", at={"x": [1.0, 4.0]}, by="x").frame
    expected = res.params["center(x)"] + 2 * np.array([1.0, 4.0]) * res.params["I(x ** 2)"]
    np.testing.assert_allclose(slope["estimate"], expected, rtol=1e-8)
    assert slope["x"].tolist() == [1.0, 4.0]


def test_means_of_categories_by_type_and_by_call(frame):
    data = frame.assign(
        kind=pd.Categorical(np.where(frame["arm"] == 1, "b", "a"), categories=["b", "a", "never"])
    )
    text = al.MixedModel.from_formula("y ~ kind + week + (1 | outer)", data).fit().means("kind")
    coded = al.MixedModel.from_formula("y ~ C(arm) + week + (1 | outer)", data).fit().means("arm")
    logical = al.MixedModel.from_formula(
        "y ~ arm + week + (1 | outer)", data.assign(arm=data["arm"] == 1)
    ).fit()
    assert text.frame["kind"].tolist() == ["b", "a"]
    assert coded.frame["arm"].tolist() == [0, 1]
    np.testing.assert_allclose(text.frame["estimate"][::-1], coded.frame["estimate"])
    np.testing.assert_allclose(logical.means("arm").frame["estimate"], coded.frame["estimate"])


def test_an_offset_is_at_its_mean(frame):
    res = al.MixedModel.from_formula("y ~ C(arm) + (1 | outer)", frame, offset="week").fit()
    plain = al.MixedModel.from_formula(
        "d ~ C(arm) + (1 | outer)", frame.assign(d=frame["y"] - frame["week"])
    ).fit()
    np.testing.assert_allclose(
        res.means("arm").frame["estimate"], plain.means("arm").frame["estimate"] + frame["week"].mean()
    )
    assert res.means("arm").frame["p"].isna().all()
    np.testing.assert_allclose(res.means("arm").pairs("none")["p"], plain.means("arm").pairs("none")["p"])


def test_empty_cells_are_missing():
    data = after_reference.rows("arms")
    data = data[~((data["arm"] == "long") & (data["sex"] == "m"))]
    res = al.MixedModel.from_formula("y ~ arm * sex + (1 | group)", data).fit()
    cells = res.means("arm", by="sex")
    assert cells.frame["estimate"].isna().tolist() == [False, False, False, False, True, False]
    assert cells.findings[0].message.startswith("1 of 6 values cannot be estimated: the data have no rows")
    assert res.means("arm").frame["estimate"].isna().tolist() == [False, True, False]
    pairs = cells.pairs("holm")
    assert pairs["p"].isna().tolist() == [False, False, False, True, False, True]


def test_weights_of_categories_never_seen_together():
    data = after_reference.rows("arms")
    data = data[~((data["arm"] == "long") & (data["sex"] == "m"))].assign(half=data["x"] > 3)
    res = al.MixedModel.from_formula("y ~ arm + sex + half + (1 | group)", data).fit()
    asked = {"arm": ["long"], "sex": ["m"]}
    assert res.means("half", at=asked, weights="proportional").frame["estimate"].isna().all()
    assert res.means("half", at=asked).frame["estimate"].notna().all()


def test_an_average_over_an_interaction_is_said():
    data = after_reference.rows("arms")
    res = al.MixedModel.from_formula("y ~ arm * sex + x + (1 | group)", data).fit()
    (finding,) = res.means("arm").findings
    assert finding.message == (
        "arm interacts with sex, so an average over it may not apply to anybody. Ask for each value with by= or at=."
    )
    assert res.means("arm", by="sex").findings == ()
    assert res.slopes("x").findings == ()


def test_adjustments_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, np.nan])), [0.03, 0.06, 0.06, np.nan])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1.0, 1.0])
    t, df = np.array([2.0]), np.array([10.0])
    np.testing.assert_allclose(adjusted(t, df, "tukey", 2), 2 * stats.t.sf(2, 10))
    # Tukey's table: the 5 % point of the range of three means with 10 degrees of freedom is 3.877
    np.testing.assert_allclose(adjusted(np.array([3.877 / np.sqrt(2)]), df, "tukey", 3), 0.05, atol=2e-5)
    means = after_reference.fit("score ~ machine + (1 | worker)", after_reference.rows("machines")).means(
        "machine"
    )
    for adjust in ("tukey", "holm", "none"):
        table = means.pairs(adjust, alpha=0.01)
        out = (table["lower"] > 0) | (table["upper"] < 0)
        if adjust != "holm":  # Holm's test is sharper than Bonferroni's limits
            assert (out == (table["p"] < 0.01)).all()
    assert means.pairs()["contrast"].tolist() == ["A - B", "A - C", "B - C"]


def test_limits_of_pairs_are_simultaneous():
    """Tukey's by the studentized range, Holm's by Bonferroni, each pair with its own degrees of freedom."""
    means = after_reference.fit("y ~ arm + (1 | group)", after_reference.rows("arms")).means("arm")
    for alpha in (0.05, 0.01):
        plain = means.pairs("none", alpha=alpha)
        df = plain["df"].to_numpy()
        wide = {
            "none": stats.t.ppf(1 - alpha / 2, df),
            "holm": stats.t.ppf(1 - alpha / 6, df),
            "tukey": stats.studentized_range.ppf(1 - alpha, 3, df) / np.sqrt(2),
        }
        for adjust, errors in wide.items():
            table = means.pairs(adjust, alpha=alpha)
            np.testing.assert_allclose(table["se"], plain["se"])
            half = errors * plain["se"]
            np.testing.assert_allclose(table["lower"], plain["estimate"] - half, rtol=1e-6, err_msg=adjust)
            np.testing.assert_allclose(table["upper"], plain["estimate"] + half, rtol=1e-6, err_msg=adjust)


def test_a_print_shows_the_table(growth):
    means = growth.means("week", at={"week": [0, 5]})
    assert "estimate" in repr(means)
    assert "<table" in means._repr_html_()
    np.testing.assert_allclose(means.pairs()["estimate"], -5 * growth.slopes("week").frame["estimate"])


def test_refusals(frame):
    res = al.MixedModel.from_formula("y ~ C(arm) * week + (1 | outer)", frame).fit()
    cases = [
        (lambda: res.means("wek"), "'wek' is not a variable of the fixed part. There are: arm, week"),
        (
            lambda: res.means("week"),
            r"'week' is numeric: give the values to compare, as in at=\{'week': \[0, 10\]\}",
        ),
        (lambda: res.means("arm", at={"x": 1}), "at= names 'x', not in the fixed part. There are: arm, week"),
        (lambda: res.means("arm", at={"arm": [3]}), "'arm' has no category 3. There are: 0, 1"),
        (lambda: res.means("arm", at={"week": []}), "at= gives no value for 'week'"),
        (lambda: res.means("arm", weights="cells"), "weights='cells' is not available"),
        (lambda: res.means([]), "Name the variables whose means are wanted"),
        (lambda: res.means("arm").pairs("scheffe"), "adjust='scheffe' is not available"),
        (lambda: res.slopes("week").pairs(), "Differences need at least two means; there is one"),
        (lambda: res.slopes("arm"), "'arm' is not a numeric variable of the fixed part. There are: week"),
    ]
    for call, message in cases:
        with pytest.raises(al.FitError, match=message):
            call()
    from dataclasses import replace

    with pytest.raises(al.FitError, match="need the data of the fit, which these results do not hold"):
        replace(res, data=None).means("arm")


@pytest.mark.parametrize(
    ("adjust", "words"),
    [("tukey", "Tukey, 3 means"), ("holm", "p: Holm, limits: Bonferroni, 3 pairs"), ("none", "none")],
)
def test_pairs_say_which_adjustment_they_made(adjust, words):
    frame = three_levels(2, outer=8, inner=3, rows=5)
    frame = frame.assign(kind=np.array(["a", "b", "c"])[frame["inner"] % 3])
    res = al.MixedModel.from_formula("y ~ kind * week + (1 | outer)", frame).fit()
    assert res.means("kind").pairs(adjust)["adjustment"].tolist() == [words] * 3
    two = res.means("kind", at={"kind": ["a", "b"]}).pairs("tukey")
    assert two["adjustment"].tolist() == ["none: one pair only"]
