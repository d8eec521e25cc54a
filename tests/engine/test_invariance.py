"""A fit does not depend on units, origin, row order, labels, or on how the same model is written."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH


def fit(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame, **options).fit()


@pytest.mark.parametrize(
    ("shift", "unit"), [(10, 1), (-10, 1), (2000, 1), (0, 30), (0, 1440), (100, 1 / 52), (738000, 1)]
)
def test_time_may_have_any_unit_and_origin(frame, growth, shift, unit):
    moved = fit(GROWTH, frame.assign(week=(frame["week"] + shift) * unit))
    # Columns in the REML determinant: log unit for week and for week:rating.
    assert moved.deviance == pytest.approx(growth.deviance + 4 * np.log(unit), abs=1e-7)
    assert moved.scale == pytest.approx(growth.scale, rel=1e-8)
    # The shifted column loses log10(shift) digits before the engine sees it.
    np.testing.assert_allclose(
        moved.bse[["week", "week:rating"]] * unit, growth.bse[["week", "week:rating"]], rtol=1e-6
    )
    np.testing.assert_allclose(
        moved.df[["week", "week:rating"]], growth.df[["week", "week:rating"]], rtol=1e-5
    )
    np.testing.assert_allclose(moved.fittedvalues, growth.fittedvalues, atol=1e-6)


def test_the_response_may_have_any_unit_and_origin(frame, growth):
    moved = fit(GROWTH, frame.assign(y=1e4 + 250 * frame["y"]))
    np.testing.assert_allclose(moved.bse, 250 * growth.bse, rtol=1e-8)
    np.testing.assert_allclose(moved.varcorr["vcov"], 250**2 * growth.varcorr["vcov"], rtol=1e-7)
    np.testing.assert_allclose(moved.df, growth.df, rtol=1e-8)


def test_rows_may_come_in_any_order_and_groups_have_any_label(frame, growth):
    other = frame.sample(frac=1, random_state=1).assign(
        outer=lambda d: "g" + (99 - d["outer"]).astype(str),
        inner=lambda d: d["inner"].map(lambda i: f"{7 - i}x"),
    )
    moved = fit(GROWTH, other)
    assert moved.deviance == pytest.approx(growth.deviance, abs=1e-9)
    np.testing.assert_allclose(moved.params, growth.params, rtol=1e-8)
    np.testing.assert_allclose(moved.df, growth.df, rtol=1e-8)
    np.testing.assert_allclose(moved.fittedvalues[frame.index], growth.fittedvalues, atol=1e-8)
    first = growth.random_effects["outer"].loc[3]
    np.testing.assert_allclose(moved.random_effects["outer"].loc["g96"], first, atol=1e-8)


@pytest.mark.parametrize(
    "same",
    [
        "y ~ week * rating + arm + (1 + week | unique) + (1 + week | outer)",
        "y ~ week * rating + arm + (week | outer) + (week | inner:outer)",
        "y ~ week * rating + arm + (week | outer) + (week | outer:inner)",
    ],
)
def test_the_same_model_written_otherwise(frame, growth, same):
    moved = fit(same, frame)
    assert moved.deviance == pytest.approx(growth.deviance, abs=1e-9)
    np.testing.assert_allclose(moved.bse, growth.bse, rtol=1e-8)
    np.testing.assert_allclose(moved.df, growth.df, rtol=1e-7)


def test_double_bar_is_two_terms(frame):
    double = fit("y ~ week + (1 + week || outer/inner)", frame)
    single = fit("y ~ week + (1 | outer/inner) + (0 + week | outer) + (0 + week | inner:outer)", frame)
    assert double.deviance == pytest.approx(single.deviance, abs=1e-9)
    np.testing.assert_allclose(double.params, single.params, rtol=1e-9)


def test_crossed_machinery_equals_nested_machinery(frame):
    # With unique labels and a spare crossed factor of variance near zero removed, both give one model: force the
    # dense block by adding the crossed term to both sides and comparing which factor is dense.
    one = fit("y ~ week + (1 | unique) + (1 | item)", frame)
    two = fit("y ~ week + (1 | item) + (1 | unique)", frame)
    assert one.deviance == pytest.approx(two.deviance, abs=1e-9)
    assert one.groups == ("unique", "item")
    assert two.groups == ("item", "unique")
    for group in ("unique", "item"):
        np.testing.assert_allclose(one.random_effects[group], two.random_effects[group], atol=1e-8)


def test_equal_weights_change_nothing_but_the_scale(frame, growth):
    weighted = fit(GROWTH, frame.assign(w=4.0), weights="w")
    np.testing.assert_allclose(weighted.params, growth.params, rtol=1e-8)
    assert weighted.deviance == pytest.approx(growth.deviance, abs=1e-8)
    assert weighted.scale == pytest.approx(4 * growth.scale, rel=1e-8)


def test_whole_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    base = pd.DataFrame(
        {"g": np.repeat(np.arange(8), 5), "x": rng.normal(size=40), "w": rng.integers(1, 4, 40)}
    )
    base["y"] = base["x"] + rng.normal(size=8)[base["g"]] + rng.normal(size=40)
    weighted = al.MixedModel.from_formula("y ~ x + (1 | g)", base, weights="w").fit(reml=False)
    ratio = weighted.varcorr["vcov"][0] / weighted.scale
    repeated = base.loc[base.index.repeat(base["w"])]
    again = al.MixedModel.from_formula("y ~ x + (1 | g)", repeated).fit(reml=False)
    # The coefficients agree where the variance ratio does; compare the generalised least squares at one ratio.
    from inside.engine_linalg import dense

    def beta(frame, weights):
        codes = frame["g"].to_numpy()
        x = np.column_stack([np.ones(len(frame)), frame["x"]])
        v = dense.marginal_covariance([(x[:, :1], codes, np.array([[ratio]]))], 1.0, weights, len(frame))
        return dense.gls(frame["y"].to_numpy(), x, v)[0]

    np.testing.assert_allclose(beta(base, base["w"].to_numpy()), beta(repeated, None), rtol=1e-9)
    np.testing.assert_allclose(weighted.params, beta(base, base["w"].to_numpy()), rtol=1e-9)
    assert again.nobs == base["w"].sum()
