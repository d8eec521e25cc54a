"""Residuals of every kind, simulation envelopes, caterpillar data."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from engine.designs import GROWTH, three_levels
from inside.engine_diagnostics import comparison_factor, expected_rank, standing
from inside.engine_linalg import dense


@pytest.fixture(scope="module")
def weighted(frame):
    return al.MixedModel.from_formula(
        "y ~ week + (1 + week | outer) + (1 | item)", frame, weights="w", offset="rating", crossed=True
    ).fit()


def marginal(res):
    design = res.fit.design
    terms = [(t.z, design.factors[t.factor].codes, d) for t, d in zip(design.terms, res.fit.psi, strict=True)]
    return dense.marginal_covariance(terms, res.scale, design.weights, res.nobs)


@pytest.mark.parametrize("which", ["growth", "weighted"])
def test_kinds(which, request):
    """Against their definitions, the whitened ones with n by n matrices; nested, and crossed with weights and offset."""
    res = request.getfixturevalue(which)
    design = res.fit.design
    fixed = design.centred - design.x @ res.params.to_numpy()
    weights = 1.0 if design.weights is None else design.weights
    np.testing.assert_allclose(res.residuals(), res.resid, atol=1e-9)
    np.testing.assert_allclose(res.residuals("marginal"), fixed, atol=1e-9)
    np.testing.assert_allclose(res.residuals("pearson"), res.resid * np.sqrt(weights / res.scale), atol=1e-9)
    root = np.sqrt(weights) * np.ones(res.nobs)
    values, vectors = np.linalg.eigh(root[:, None] * marginal(res) * root)
    expected = vectors @ ((vectors.T @ (root * fixed)) / np.sqrt(values))
    white = res.residuals("whitened")
    np.testing.assert_allclose(white, expected, atol=1e-8)
    assert white.index.equals(res.resid.index)
    assert white @ white == pytest.approx(res.nobs - len(res.params))  # X'V^-1 r = 0 and r'V^-1 r = n - p


def test_residuals_of_other_responses(weighted):
    """At the fit's variances, coefficients and modes are those of each response."""
    ready = standing(weighted.fit)
    y = weighted.simulate(2, seed=1).to_numpy() - weighted.fit.design.offset[:, None]
    v, x = marginal(weighted), weighted.fit.design.x
    for column, got in zip(y.T, ready.residuals("marginal", y).T, strict=True):
        np.testing.assert_allclose(got, column - x @ dense.gls(column, x, v)[0], atol=1e-8)
    term = weighted.fit.design.terms[0]
    factor = weighted.fit.design.factors[term.factor]
    expected = dense.conditional_modes(
        y[:, 1], x, v, (term.z, factor.codes, weighted.fit.psi[0]), factor.size
    )
    np.testing.assert_allclose(ready.modes(0, 1, y)[:, 1], expected[:, 1], atol=1e-8)


@pytest.mark.parametrize("kind", ["conditional", "marginal", "pearson", "whitened", "quantile"])
def test_envelope(growth, kind):
    found = growth.envelope(kind, n=39, seed=4)
    assert len(found.frame) == growth.nobs
    assert (found.frame["lower"] <= found.frame["median"]).all()
    assert found.frame["observed"].is_monotonic_increasing
    assert 1 / 40 <= found.p <= 1
    assert found.outside < 0.6
    pd.testing.assert_frame_equal(found.frame, growth.envelope(kind, n=39, seed=4).frame)
    if kind != "quantile":
        np.testing.assert_allclose(found.frame["observed"], np.sort(growth.residuals(kind)), atol=1e-9)
        np.testing.assert_allclose(stats.norm.cdf(found.frame["theoretical"]).mean(), 0.5)


def test_envelope_of_modes_and_refits(growth):
    found = growth.envelope("modes", n=19, seed=1, group="outer", effect="week", refit=True)
    np.testing.assert_allclose(
        found.frame["observed"], np.sort(growth.random_effects["outer"]["week"]), atol=1e-9
    )
    assert found.refitted
    assert found.n + found.n_failed == 19
    held = growth.envelope("modes", n=19, seed=1, group="outer", effect="week")
    assert held.n == 19
    assert not held.refitted
    assert not np.allclose(held.frame["median"], found.frame["median"])


def test_an_envelope_sees_a_wrong_shape_and_accepts_a_right_one():
    """Residuals from an exponential distribution; under the model p is uniform."""
    rng = np.random.default_rng(2)
    frame = three_levels(5, outer=20, inner=5, rows=6)
    mean = frame["week"] * 0.5 + rng.normal(size=20)[frame["outer"]]
    model = "y ~ week + (1 | outer)"
    skewed = al.MixedModel.from_formula(model, frame.assign(y=mean + rng.exponential(size=len(frame)))).fit()
    assert skewed.envelope("conditional", n=99, seed=1).p == 0.01
    assert skewed.envelope("whitened", n=99, seed=1).outside > 0.2
    ranks = skewed.envelope("quantile", n=399, seed=1)
    sd = np.sqrt(skewed.varcorr["vcov"].sum())
    expected = np.sort(
        stats.norm.cdf(skewed.residuals("marginal") / sd)
    )  # where all draws there are would put it
    np.testing.assert_allclose(ranks.frame["observed"], expected, atol=0.03)
    p = []
    for y in skewed.simulate(40, seed=3).to_numpy().T:
        p.append(skewed.refit(y).envelope("whitened", n=19, seed=int(rng.integers(1000))).p)
    assert np.mean(p) == pytest.approx(0.525, abs=4 * 0.29 / np.sqrt(40))
    assert min(p) < 0.4


def test_caterpillar(growth):
    found = growth.caterpillar("outer")
    rows = found.frame[found.frame["effect"] == "week"].set_index("level")
    modes, sd = growth.random_effects["outer"]["week"], growth.random_effects_sd["outer"]["week"]
    np.testing.assert_allclose(rows["mode"], modes[rows.index])
    np.testing.assert_allclose(rows["sd"], sd[rows.index])
    np.testing.assert_allclose(rows["upper"], rows["mode"] + stats.norm.ppf(0.975) * rows["sd"])
    np.testing.assert_allclose(rows["compare_upper"], rows["mode"] + found.factor["week"] * rows["sd"])
    assert rows["mode"].is_monotonic_increasing
    assert rows["rank"].sum() == pytest.approx(12 * 13 / 2)
    assert ((rows["rank_lower"] <= rows["rank"]) & (rows["rank"] <= rows["rank_upper"])).all()
    assert found.frame["effect"].unique().tolist() == ["Intercept", "week"]
    assert found.findings == ()
    pd.testing.assert_frame_equal(found.frame, growth.caterpillar("outer").frame)


def test_the_spread_of_modes_with_the_coefficients_uncertainty(growth):
    """Against n by n matrices: Var(mode - effect) = Psi - C'P C, P = V^-1 less what the coefficients take."""
    design, fit = growth.fit.design, growth.fit
    v = marginal(growth)
    vx = np.linalg.solve(v, design.x)
    p = np.linalg.inv(v) - vx @ np.linalg.solve(design.x.T @ vx, vx.T)
    for term, psi in zip(design.terms, fit.psi, strict=True):
        factor = design.factors[term.factor]
        c = dense.design_matrix(term.z, factor.codes, factor.size) @ np.kron(np.eye(factor.size), psi)
        variance = np.kron(np.eye(factor.size), psi) - c.T @ p @ c
        expected = np.sqrt(np.diag(variance)).reshape(factor.size, -1)
        frame = growth.caterpillar(term.group, fixed_uncertainty=True).frame
        for j, effect in enumerate(term.names):
            rows = frame[frame["effect"] == effect].set_index("level")["sd"]
            np.testing.assert_allclose(rows[factor.levels], expected[:, j], rtol=1e-8)


def test_the_factor_of_comparison_intervals():
    """Goldstein and Healy's 1.39 for equal spreads; in general the share of non-overlap is alpha on average."""
    assert comparison_factor(np.ones(9), 0.05) == pytest.approx(1.386, abs=5e-4)
    assert comparison_factor(np.array([0.0, 1.0]), 0.05) == pytest.approx(1.386, abs=5e-4)
    rng = np.random.default_rng(1)
    sd = rng.uniform(0.2, 2, 30)
    c = comparison_factor(sd, 0.05)
    draws = sd * rng.standard_normal((4000, 30))
    i, j = np.triu_indices(30, 1)
    apart = np.abs(draws[:, i] - draws[:, j]) > c * (sd[i] + sd[j])
    assert apart.mean() == pytest.approx(0.05, abs=0.003)
    many = rng.uniform(0.2, 2, 3000)
    assert comparison_factor(many, 0.05) == pytest.approx(comparison_factor(many[::3], 0.05), abs=0.01)


def test_expected_ranks_by_hand():
    np.testing.assert_allclose(expected_rank(np.array([3.0, 1.0, 2.0]), np.zeros(3)), [3, 1, 2])
    np.testing.assert_allclose(expected_rank(np.zeros(3), np.zeros(3)), [2, 2, 2])
    p = stats.norm.cdf(1 / np.sqrt(2))
    np.testing.assert_allclose(expected_rank(np.array([1.0, 0.0]), np.ones(2)), [1 + p, 2 - p])


def test_few_groups_and_no_variance_are_said(frame):
    rng = np.random.default_rng(0)
    flat = frame.assign(y=rng.normal(size=len(frame)))
    res = al.MixedModel.from_formula("y ~ 1 + (1 | item)", flat).fit()
    texts = [f.message for f in res.caterpillar("item").findings]
    assert any(
        t.startswith("4 levels of item are few. Their estimates are pulled towards the mean") for t in texts
    )
    if res.singular:
        assert any("so all estimates are equal and their order means nothing" in t for t in texts)
    flat = al.MixedModel.from_formula("y ~ 1 + (1 | outer)", frame.assign(y=np.tile([1.0, -1.0], 103))).fit()
    assert flat.singular
    (finding,) = flat.caterpillar("outer").findings
    assert finding.message.startswith("The estimated variance of Intercept over outer is zero")


def test_refusals(growth, monkeypatch):
    from inside.engine_diagnostics import residuals

    cases = [
        (lambda: growth.residuals("raw"), "kind='raw' is not available"),
        (lambda: growth.envelope("raw"), "kind='raw' is not available"),
        (lambda: growth.envelope(n=5), "An envelope needs at least 19 simulations, not 5"),
        (
            lambda: growth.envelope("modes", group="outer"),
            "Name one random effect for kind='modes': group='inner:outer', eff",
        ),
        (lambda: growth.envelope("marginal", group="outer"), "belong to kind='modes', not to 'marginal'"),
        (lambda: growth.caterpillar("unit"), "There is no grouping 'unit'. There are: inner:outer, outer"),
    ]
    for call, message in cases:
        with pytest.raises(al.FitError, match=message):
            call()
    monkeypatch.setattr(residuals, "LARGEST", 3)
    with pytest.raises(
        al.FitError, match="random effects hang together; residuals are whitened for at most 3"
    ):
        growth.residuals("whitened")


def test_whitening_does_not_depend_on_the_order_of_rows(frame):
    shuffled = frame.sample(frac=1, random_state=3)
    one = al.MixedModel.from_formula(GROWTH, frame).fit().residuals("whitened")
    other = al.MixedModel.from_formula(GROWTH, shuffled).fit().residuals("whitened")
    np.testing.assert_allclose(one, other[one.index], atol=1e-6)
