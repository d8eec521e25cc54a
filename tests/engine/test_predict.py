"""Fitted values and predictions for known and new groups."""

import formulaic
import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError, FormulaError
from engine.designs import GROWTH
from inside.engine_design import match


def test_predictions_for_the_data_are_the_fitted_values(growth, frame):
    np.testing.assert_allclose(growth.predict(frame), growth.fittedvalues, atol=1e-12)
    np.testing.assert_allclose(growth.predict(), growth.fittedvalues)
    np.testing.assert_allclose(growth.fittedvalues + growth.resid, frame["y"])
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_series_equal(growth.predict(shuffled)[frame.index], growth.predict(frame))


def test_a_new_group_has_its_expected_value(growth, frame):
    new = frame.head(3).assign(outer=[0, 99, 99], inner=[np.nan, 0, 0])
    fixed = growth.predict(new, groups=False)
    known = growth.random_effects["outer"].loc[0]
    expected = fixed + np.array([known["Intercept"] + known["week"] * new["week"].iloc[0], 0, 0])
    np.testing.assert_allclose(growth.predict(new), expected)
    assert not np.allclose(growth.predict(frame.head(3)), expected)


@pytest.mark.parametrize("as_given", [str, float, "{} ".format, " {}.".format, lambda label: f"0{label}"])
def test_labels_are_matched_by_their_text(growth, frame, as_given):
    """Whole numbers, decimals and texts with blanks are one label; other spellings are new groups."""
    same = as_given(7) not in (" 7.", "07")
    new = frame.head(12).assign(outer=frame["outer"].head(12).map(as_given).astype(object))
    if same:
        np.testing.assert_array_equal(growth.predict(new), growth.predict(frame.head(12)))
    else:
        with pytest.raises(
            FitError, match=r"The fit knows no 'outer' of the new data; the first is .*, the fit's first is 0"
        ):
            growth.predict(new)


def test_labels_that_differ_in_blanks_only_stay_apart():
    levels = pd.Index(["a", "a ", "b"], name="g")
    found = match(levels, pd.DataFrame({"g": ["a", "a ", " a", "b ", None]}), ("g",))
    np.testing.assert_array_equal(found, [0, 1, -1, 2, -1])


def test_what_the_data_say_nothing_of_has_no_prediction(frame):
    """Columns were left out as combinations of others: the same cells are missing in means and in predict."""
    frame = frame.assign(arm=frame["arm"].map("arm {}".format))
    some = frame[~((frame["arm"] == frame["arm"].iloc[-1]) & (frame["week"] > 2))].assign(
        twice=lambda d: 2 * d["week"]
    )
    res = al.MixedModel.from_formula("y ~ C(week) * arm + (1 | outer)", some).fit()
    means = res.means(["arm", "week"]).frame
    cells = means[["arm", "week"]].assign(outer=0)
    predicted = res.predict(cells, groups=False)
    assert 0 < means["estimate"].isna().sum() < len(means)
    np.testing.assert_allclose(predicted, means["estimate"])
    both = res.predict(cells, interval="confidence")
    np.testing.assert_array_equal(both.isna().all(axis=1), means["estimate"].isna())
    pair = al.MixedModel.from_formula("y ~ week + twice + (1 | outer)", some).fit()
    assert pair.predict(some.head(2).assign(twice=[100, 2 * some["week"].iloc[1]])).isna().tolist() == [
        True,
        False,
    ]


DEPENDENT = [
    "y ~ C(week) * arm + (1 | group)",
    "y ~ 0 + arm + kind + arm:kind + (1 | group)",
    "y ~ C(week) * arm * kind + (1 | group)",
    "y ~ week + twice + constant + (1 | group)",
    "y ~ week + x + sum_of_both + (1 | group)",
    "y ~ week + kind + maker + (1 | group)",
    "y ~ week + I(week**2) + I(week**3) + C(week) + x + (1 | group)",
    "seen ~ C(week) * arm + (1 | group)",
]


@pytest.mark.parametrize("formula", DEPENDENT)
def test_every_row_that_the_data_speak_of_has_a_prediction(formula):
    """Case 02: a row can be predicted if its columns are a combination of the data's rows, by the rank of all columns."""
    rng = np.random.default_rng(2)
    n = 400
    frame = pd.DataFrame(
        {"group": np.arange(n) // 8, "week": np.arange(n) % 8 % 6, "x": rng.normal(40, 6, n)}
    )
    frame["arm"], frame["maker"] = rng.choice(["CBT", "IPT", "PDT"], n), rng.choice(list("abcdef"), n)
    frame["kind"] = frame["maker"].map(dict(zip("abcdef", "pppqqq", strict=True)))
    frame = frame.assign(twice=2 * frame["week"], constant=5.0, sum_of_both=frame["week"] + frame["x"])
    frame["y"] = 18 - frame["week"] + rng.normal(0, 1.5, 50)[frame["group"]] + rng.normal(0, 2, n)
    frame["seen"] = (frame["y"] > 16).astype(float)
    data = frame[~((frame["arm"] == "IPT") & ((frame["week"] > 2) | (frame["kind"] == "q")))]
    options = {"family": "binomial"} if formula.startswith("seen") else {}
    result = al.MixedModel.from_formula(formula, data, **options).fit()
    strange = frame.head(40).assign(twice=3.0, sum_of_both=1.0, maker="f", constant=4.0, kind="p")
    asked = pd.concat([frame.head(120), strange], ignore_index=True)
    fixed = formulaic.Formula(formula.split("~")[1].split("+ (")[0])
    columns = fixed.get_model_matrix(data)
    rows = columns.model_spec.get_model_matrix(asked).to_numpy(float)
    size = np.linalg.norm(columns, axis=0) + (np.linalg.norm(columns, axis=0) == 0)
    _, values, directions = np.linalg.svd(columns.to_numpy(float) / size)
    empty = directions[np.sum(values > 1e-9 * values[0]) :]
    known = np.linalg.norm(rows / size @ empty.T, axis=1) < 1e-9
    assert len(empty)
    assert known.any()
    np.testing.assert_array_equal(result.predict(asked, groups=False).notna(), known)
    assert result.predict(data).notna().all()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("Intercept", "y ~ Intercept + (1 | outer)"),
        ("Intercept", "y ~ 1 + (1 + Intercept | outer)"),
        ("1", "y ~ `1` + (1 | outer)"),
        ("1", "y ~ 1 + (`1` | outer)"),
        ("Residual", "y ~ 1 + (1 | Residual)"),
    ],
)
def test_names_of_a_model_s_own_parts_are_refused(frame, name, formula):
    column = "outer" if name == "Residual" else "week"
    with pytest.raises(FormulaError, match=f"cannot be called '{name}'.* Rename it in the data"):
        al.MixedModel.from_formula(formula, frame.rename(columns={column: name}))


def test_missing_values_give_missing_predictions(growth, frame):
    new = frame.head(4).copy()
    new.loc[new.index[1], "rating"] = np.nan
    before = new.copy()
    out = growth.predict(new)
    assert out.isna().tolist() == [False, True, False, False]
    pd.testing.assert_frame_equal(new, before)
    assert growth.predict(new.iloc[:0]).empty


def test_a_missing_group_has_its_expected_value(growth, frame):
    new = frame.head(2).assign(outer=[np.nan, 0.0])
    assert growth.predict(new).iloc[0] == pytest.approx(growth.predict(new, groups=False).iloc[0])


def test_only_the_columns_of_the_right_hand_side_are_needed(growth, frame):
    fixed_only = frame[["week", "rating", "arm"]].head()
    np.testing.assert_allclose(
        growth.predict(fixed_only, groups=False), growth.predict(frame.head(), groups=False)
    )
    with pytest.raises(
        al.FormulaError,
        match="The new data have no column 'inner' and no column 'outer'; the model needs them",
    ):
        growth.predict(fixed_only)


def test_transformations_remember_the_data_of_the_fit(frame):
    text = frame.assign(kind=np.where(frame["arm"] == 1, "b", "a"))
    res = al.MixedModel.from_formula("y ~ center(week) * kind + (1 + center(week) | outer)", text).fit()
    np.testing.assert_allclose(res.predict(text.head(3)), res.fittedvalues.head(3), atol=1e-12)
    with pytest.raises(
        al.FormulaError, match="'kind' of the new data has the value 'z', which the fit does not know"
    ):
        res.predict(text.head(3).assign(kind="z"))


def test_uncorrelated_slopes_predict_too(frame):
    res = al.MixedModel.from_formula(
        "y ~ week + (1 + week || outer/inner) + (1 | item)", frame, crossed=True
    ).fit()
    np.testing.assert_allclose(res.predict(frame), res.fittedvalues, atol=1e-12)
    assert list(res.random_effects["outer"].columns) == ["Intercept", "week"]


def test_conditional_spread_is_the_textbook_one(frame):
    res = al.MixedModel.from_formula(GROWTH, frame).fit()
    from inside.engine_linalg import dense

    design = res.fit.design
    spreads = [
        (t.z, design.factors[t.factor].codes, psi) for t, psi in zip(design.terms, res.fit.psi, strict=True)
    ]
    v = dense.marginal_covariance(spreads, res.scale, None, res.nobs)
    for term, psi in zip(design.terms, res.fit.psi, strict=True):
        factor = design.factors[term.factor]
        z = dense.design_matrix(term.z, factor.codes, factor.size) @ np.kron(np.eye(factor.size), psi)
        variance = np.kron(np.eye(factor.size), psi) - z.T @ np.linalg.solve(v, z)
        expected = np.sqrt(np.diag(variance)).reshape(factor.size, -1)
        np.testing.assert_allclose(res.random_effects_sd[term.group], expected, atol=1e-9)


def test_a_refused_prediction_leaves_the_fit_as_it_was() -> None:
    # Formulaic writes new levels into the specification before it fails, and fits of one formula share a specification.
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=60),
            "x": rng.normal(size=60),
            "flag": rng.random(60) > 0.5,
            "arm": rng.choice(["CBT", "IPT"], 60),
            "dose": rng.choice([1, 2, 3], 60),
            "g": np.repeat(np.arange(6), 10),
        }
    )
    for formula in ("y ~ x + flag + arm + C(dose) + (1 | g)", "y ~ x + dose + (1 | g)"):
        fit = al.MixedModel.from_formula(formula, data).fit()
        before = fit.predict(data)
        for column, value, words in (
            ("x", "1.0", "Column 'x' of the new data holds '1.0'; in the data of the fit it held numbers"),
            (
                "flag",
                "yes",
                "Column 'flag' of the new data holds 'yes'; in the data of the fit it held numbers or truth",
            ),
            (
                "arm",
                "ACT",
                "'arm' of the new data has the value 'ACT', which the fit does not know. Known are: CBT, IPT.",
            ),
            (
                "dose",
                "1",
                "(Known are: 1, 2, 3. Text and numbers differ|'dose' of the new data holds '1'; in the data)",
            ),
        ):
            if column in formula:
                with pytest.raises(al.FormulaError, match=words):
                    fit.predict(data.assign(**{column: value}))
                pd.testing.assert_series_equal(fit.predict(data), before)
        again = al.MixedModel.from_formula(formula, data).fit()
        pd.testing.assert_series_equal(again.predict(data), before)


def test_a_reference_level_that_no_row_has_is_named() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 3.0, 4.5], "arm": ["a", "b", "a", "b"], "g": [1, 1, 2, 2]})
    with pytest.raises(al.FormulaError, match="the column has no value 'ZZ' to be the reference"):
        al.MixedModel.from_formula("y ~ C(arm, Treatment('ZZ')) + (1 | g)", data)
