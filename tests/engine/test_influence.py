"""Leaving out groups: against refits of lme4, against our own refits, and what must hold."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine import after_reference
from engine.designs import GROWTH, three_levels
from inside.engine_diagnostics import influence, tree_of, without_each, without_rows
from inside.engine_linalg import dense

INFLUENCE = after_reference.FIGURES["influence"]
FIRST = ["o1", "o2", "o3", "o4", "o5"]


@pytest.mark.parametrize("group", ["outer", "unit"])
def test_as_refits_of_lme4(group):
    """The units' data have a boundary optimum; lme4's polished optima are good to about 1e-6 in the coefficients."""
    data = after_reference.rows("three_level")
    data = data if group == "outer" else data[data["outer"].isin(FIRST)]
    res = after_reference.fit(INFLUENCE["formula"], data)
    found = res.influence(group, "refit")
    expected = [INFLUENCE[group][level] for level in found.frame.index]
    np.testing.assert_allclose(found.params, [e["params"] for e in expected], atol=1e-6)
    np.testing.assert_allclose(found.frame["cook"], [e["cook"] for e in expected], rtol=1e-4)
    np.testing.assert_allclose(found.dfbetas, [e["dfbetas"] for e in expected], atol=1e-5)
    np.testing.assert_allclose(found.frame["covratio"], [e["covratio"] for e in expected], rtol=1e-4)
    ours = np.sort(found.varcorr.to_numpy(), axis=1)  # lme4 orders the terms by their number of levels
    np.testing.assert_allclose(ours, np.sort([e["vcov"] for e in expected], axis=1), atol=5e-5)
    assert found.frame["refitted"].all()
    assert found.findings == ()


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("group", ["outer", "inner:outer"])
def test_variances_held_is_exact(frame, group, reml):
    """Against n by n matrices on the remaining rows, with weights."""
    model = al.MixedModel.from_formula("y ~ week + arm + (1 + week | outer/inner)", frame, weights="w")
    res = model.fit(reml=reml)
    found = res.influence(group, "fixed")
    factor = next(f for f in res.fit.design.factors if f.name == group)
    for level in range(0, factor.size, 5):
        design = without_rows(res.fit.design, factor.codes == level)
        terms = [
            (t.z, design.factors[t.factor].codes, d) for t, d in zip(design.terms, res.fit.psi, strict=True)
        ]
        v = dense.marginal_covariance(terms, res.scale, design.weights, len(design.y))
        beta, precision = dense.gls(design.y, design.x, v)
        np.testing.assert_allclose(found.params.iloc[level], beta, rtol=1e-8)
        r = design.y - design.x @ beta
        scale = r @ np.linalg.solve(v, r) / (len(r) - (len(beta) if reml else 0))
        change = res.params - beta
        np.testing.assert_allclose(
            found.dfbetas.iloc[level], change / np.sqrt(np.diag(np.linalg.inv(precision)) * scale), rtol=1e-7
        )
        cook = change @ np.linalg.solve(res.fit.cov, change) / len(beta)
        np.testing.assert_allclose(found.frame["cook"].iloc[level], cook, rtol=1e-7)


def test_derivatives_of_what_is_left(growth):
    """By finite differences, at every level of the tree."""
    tree = tree_of(growth.fit)
    relative = [d.copy() for d in growth.fit.record.best.relative]
    order = [t for step in tree.steps for t in step.terms]
    for level in range(2):
        left, whole = without_each(tree, relative, level)
        column, step = 0, 1e-6
        for t in order:
            for i, j in zip(*np.tril_indices(2), strict=True):
                ends = []
                for sign in (1, -1):
                    moved = [d.copy() for d in relative]
                    moved[t][i, j] += sign * step
                    moved[t][j, i] = moved[t][i, j]
                    ends.append(without_each(tree, moved, level)[0])
                slope = (ends[0].s - ends[1].s) / (2 * step)
                np.testing.assert_allclose(left.ds[:, column], slope, atol=1e-4, rtol=1e-5)
                slope = (ends[0].logdet - ends[1].logdet) / (2 * step)
                np.testing.assert_allclose(left.dlogdet[:, column], slope, atol=1e-6, rtol=1e-5)
                column += 1
        assert whole.s.shape[0] == 1


def test_one_step_is_near_a_refit():
    frame = three_levels(8, outer=45, inner=5, rows=6)
    res = al.MixedModel.from_formula(GROWTH, frame).fit()
    exact = res.influence("outer", "refit")
    step = res.influence("outer", "one-step")
    held = res.influence("outer", "fixed")
    mixed = res.influence("outer")

    def error(found):
        return np.abs(found.dfbetas - exact.dfbetas).to_numpy().max()

    assert error(step) < error(held) / 3
    assert error(mixed) < 0.01  # of a standard error
    assert 0 < mixed.frame["refitted"].sum() < 25
    change = exact.varcorr - res.varcorr["vcov"].to_numpy()
    short = ~mixed.frame["refitted"]
    missed = (mixed.varcorr - exact.varcorr)[short].abs().to_numpy().max()
    assert missed < 0.05 * change[short].abs().to_numpy().max()


def test_a_variance_that_leaves_its_boundary_is_refitted(frame):
    """Noise whose variance between groups is estimated as zero; without some of the groups it is not."""
    y = np.random.default_rng(8).normal(size=len(frame))
    res = al.MixedModel.from_formula("y ~ 1 + (1 | outer)", frame.assign(y=y)).fit()
    assert res.singular
    exact, auto = res.influence("outer", "refit"), res.influence("outer")
    inside = exact.varcorr[("outer", "Intercept", "")] > 0
    assert 0 < inside.sum() < 12
    assert auto.frame["refitted"].tolist() == inside.tolist()
    np.testing.assert_allclose(auto.params, exact.params, atol=1e-8)
    np.testing.assert_allclose(auto.varcorr, exact.varcorr, atol=1e-6)


def test_a_planted_group_stands_out(frame):
    data = frame.copy()
    data.loc[data["outer"] == 5, "y"] += 40.0
    found = al.MixedModel.from_formula("y ~ week + (1 | outer/inner)", data).fit().influence("outer")
    assert found.dfbetas["Intercept"].idxmax() == 5
    assert found.varcorr[("outer", "Intercept", "")].idxmin() == 5


def test_a_group_that_carries_a_coefficient_alone(frame):
    data = frame.assign(only=(frame["outer"] == 3) * 1.0)
    res = al.MixedModel.from_formula("y ~ week + only + (1 | outer) + (1 | inner:outer)", data).fit()
    for method in ("auto", "fixed", "refit"):
        found = res.influence("outer", method)
        assert found.frame["cook"].isna().sum() == 1
        assert np.isnan(found.frame.loc[3, "cook"])
        (finding,) = found.findings
        assert finding.message == (
            "Without 3 of outer the model cannot be estimated: it rests on this group alone for some coefficient or variance."
        )


def test_crossed_groups_need_refits(frame, monkeypatch):
    res = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 | item)", frame, crossed=True).fit()
    with pytest.raises(al.FitError, match=r"Groups of 'item' can be left out .* Use\s+method='refit'"):
        res.influence("item", "one-step")
    auto, refit = res.influence("item"), res.influence("item", "refit")
    assert auto.frame["refitted"].all()
    pd.testing.assert_frame_equal(auto.params, refit.params)
    monkeypatch.setattr(influence, "MOST_REFITS", 2)
    with pytest.raises(al.FitError, match=r"Use method='refit', a refit for each of its \d+ groups"):
        res.influence("item")
    with pytest.raises(al.FitError, match=r"There is no grouping 'unit'\. There are: outer, item"):
        res.influence("unit")
    with pytest.raises(al.FitError, match="method='loo' is not available"):
        res.influence("item", "loo")


@pytest.mark.parametrize("size", [200, 201])
def test_up_to_two_hundred_crossed_groups_are_refitted_without_being_asked(size, monkeypatch):
    class RefittedError(Exception):
        pass

    def begun(_fit, factor, which):
        raise RefittedError(f"{len(which)} of {factor.name}")

    code = np.arange(2 * size)
    data = pd.DataFrame({"y": np.sin(code**2.0), "person": code // 2, "item": code % 2})
    res = al.MixedModel.from_formula("y ~ 1 + (1 | person) + (1 | item)", data, crossed=True).fit()
    monkeypatch.setattr(influence, "refits_without", begun)
    if size == 200:
        with pytest.raises(RefittedError, match="200 of person"):
            res.influence("person")
    else:
        with pytest.raises(al.FitError, match="Use method='refit', a refit for each of its 201 groups"):
            res.influence("person")


def test_a_residual_structure_is_estimated_anew_without_each_group(frame):
    model = {"formula": "y ~ week + (1 | unique)", "residual": al.AR1("week")}
    found = al.MixedModel.from_formula(data=frame, **model).fit().influence("unique")
    one = frame["unique"].iloc[0]
    without = al.MixedModel.from_formula(data=frame[frame["unique"] != one], **model).fit()
    np.testing.assert_allclose(found.params.loc[one], without.params, rtol=1e-6)
