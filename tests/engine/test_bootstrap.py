"""Simulation and the parametric bootstrap."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from engine.designs import GROWTH, three_levels
from inside.engine_resampling import bootstrap, draws, refits, regroup
from inside.engine_search import criterion, optimize


def test_simulated_responses_have_the_model_s_mean_and_covariance(growth):
    draws = growth.simulate(4000, seed=1)
    assert draws.index.equals(growth.fittedvalues.index)
    mean = growth.predict(groups=False)
    sd = draws.std(axis=1)
    # Monte Carlo: 5 standard errors of a mean and of a variance from 4000 draws.
    assert (np.abs(draws.mean(axis=1) - mean) < 5 * sd / np.sqrt(4000)).all()
    z = np.column_stack([np.ones(growth.nobs), growth.fit.design.x[:, 1]])
    expected = growth.scale + sum(np.einsum("ni,ij,nj->n", z, psi, z) for psi in growth.fit.psi)
    assert (np.abs(draws.var(axis=1) / expected - 1) < 5 * np.sqrt(2 / 4000)).all()


def test_a_seed_gives_the_same_draws_again(growth):
    pd.testing.assert_frame_equal(growth.simulate(2, seed=3), growth.simulate(2, seed=3))
    pd.testing.assert_frame_equal(growth.bootstrap(3, seed=3).varcorr, growth.bootstrap(3, seed=3).varcorr)


@pytest.mark.parametrize("part", ["(1 + week | outer/inner)", "(1 + week || unique)"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_a_refit_equals_a_fit_to_the_same_response(frame, part, weights, monkeypatch):
    formula = f"y ~ week + {part}"
    res = al.MixedModel.from_formula(formula, frame, weights=weights).fit()
    source = draws.row_draws(res.fit)
    rng = np.random.default_rng(5)
    drawn = [source.noise.draw(rng) for _ in range(3)]
    again = iter(drawn)
    monkeypatch.setattr(draws.Noise, "draw", lambda *_: next(again))
    monkeypatch.setattr(bootstrap, "draws_of", draws.row_draws)
    boot = res.bootstrap(3, seed=5)
    assert boot.n_failed == 0
    weight = np.ones(len(frame)) if weights is None else frame[weights].to_numpy()
    for i, noise in enumerate(drawn):
        y = np.empty(len(frame))
        y[res.fit.blocks.order] = noise
        y = res.predict(groups=False) + res.fit.basis.y_scale * y / np.sqrt(weight)
        refit = al.MixedModel.from_formula(formula, frame.assign(y=y), weights=weights).fit()
        # A refit stops at a decrement of 1e-10 deviance units: 1e-5 of a standard error.
        np.testing.assert_allclose(boot.params.iloc[i], refit.params, atol=1e-5)
        np.testing.assert_allclose(boot.varcorr.iloc[i], refit.varcorr["vcov"], atol=1e-3)


def moments(source, count, seed):
    """Mean and standard deviation of every cross-product with the response, and of the products of neighbours."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        made = source.draw(rng)
        flat = np.concatenate([made.w[:, :, -1].ravel(), made.s[:, :, -1].ravel()])
        out.append(np.concatenate([flat, flat[1:] * flat[:-1], flat**2]))
    return np.mean(out, axis=0), np.std(out, axis=0)


@pytest.mark.parametrize(
    ("formula", "weights"),
    [
        ("y ~ week + arm + (1 + week | outer/inner)", None),
        ("y ~ week + arm + (1 + week | outer/inner)", "w"),
        ("y ~ week + (1 + week || unique)", None),
    ],
)
def test_products_are_drawn_as_if_from_rows(formula, weights):
    frame = three_levels(4, outer=5, inner=4, rows=7)
    fit = al.MixedModel.from_formula(formula, frame, weights=weights, crossed=True).fit().fit
    count = 3000
    mean, sd = moments(draws.product_draws(fit), count, 1)
    expected, spread = moments(draws.row_draws(fit), count, 2)
    np.testing.assert_array_equal(sd == 0, spread == 0)  # an item that does not occur in a group
    mean, sd, expected, spread = (part[spread > 0] for part in (mean, sd, expected, spread))
    z = (mean - expected) / np.sqrt((sd**2 + spread**2) / count)
    # Some hundred correlated statistics from heavy-tailed products: none beyond 5 standard errors.
    assert np.abs(z).max() < 5
    assert np.sqrt(np.mean(z**2)) < 1.5
    assert 0.85 < np.median(sd / spread) < 1.15


def test_drawn_products_are_those_of_some_rows(growth):
    source = draws.product_draws(growth.fit)
    made = source.draw(np.random.default_rng(3))
    assert np.linalg.eigvalsh(made.s).min() > -1e-9 * made.s.max()
    np.testing.assert_array_equal(made.s[:, :-1, :-1], growth.fit.blocks.s[:, :-1, :-1])
    root = draws.root_of(source.products)
    np.testing.assert_allclose(root @ root.transpose(0, 2, 1), source.products, atol=1e-9)


def test_the_cheaper_way_is_taken(growth, frame):
    assert isinstance(draws.draws_of(growth.fit), draws.RowDraws)  # short groups: rows are cheaper
    long = three_levels(4, outer=6, inner=3, rows=30)
    assert isinstance(
        draws.draws_of(al.MixedModel.from_formula(growth.formula, long).fit().fit), draws.ProductDraws
    )
    crossed = al.MixedModel.from_formula(
        "y ~ week + (1 | unique) + (1 | outer) + (1 | item)", frame, crossed=True
    )
    crossed = crossed.fit()
    assert isinstance(draws.draws_of(crossed.fit), draws.CrossedDraws)


def test_bootstrap_spread_equals_model_spread():
    frame = three_levels(21, outer=25, inner=6, rows=7)
    res = al.MixedModel.from_formula("y ~ week + arm + (1 + week | outer/inner)", frame).fit()
    boot = res.bootstrap(120, seed=1)
    assert boot.n_failed == 0
    assert boot.params.shape == (120, 3)
    # The standard deviation of 120 draws has a relative standard error of 1/sqrt(240) = 6.5 %; four of them.
    np.testing.assert_allclose(boot.params.std() / res.bse, 1, atol=0.26)
    np.testing.assert_allclose(boot.params.mean(), res.params, atol=5 * float(res.bse.max()) / np.sqrt(120))
    assert boot.varcorr[("Residual", "", "")].mean() == pytest.approx(res.scale, rel=0.05)


def test_a_boundary_fit_can_leave_its_boundary():
    frame = three_levels(3, outer=10, truth=(0.0, 1.0))
    res = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 + week | unique)", frame).fit()
    boot = res.bootstrap(40, seed=2)
    variance = boot.varcorr[("outer", "Intercept", "")]
    assert boot.n_failed == 0
    assert (variance == 0).any()
    assert (variance > 0).any()


def test_percentile_intervals_cover_all_parameters(growth):
    limits = growth.conf_int(method="bootstrap", n_boot=40, seed=4)[["lower", "upper"]]
    assert list(limits.index) == [
        *growth.params.index,
        "sd(Intercept)|inner:outer",
        "sd(week)|inner:outer",
        "cor(Intercept,week)|inner:outer",
        "sd(Intercept)|outer",
        "sd(week)|outer",
        "cor(Intercept,week)|outer",
        "sigma",
    ]
    estimates = [*growth.params, *growth.varcorr["sdcor"]]
    assert (limits["lower"] <= limits["upper"]).all()
    assert (limits["lower"] < estimates).all()
    assert (limits["upper"] > estimates).all()
    assert limits.filter(like="cor(", axis=0).abs().max(axis=None) <= 1


def test_the_truth_is_recovered():
    frame = three_levels(5, outer=120, inner=9, rows=9)
    res = al.MixedModel.from_formula(GROWTH, frame).fit()
    truth = pd.Series({"Intercept": 15, "week": -0.8, "rating": 0, "arm": 0, "week:rating": 0.2})
    assert (np.abs(res.params - truth[res.params.index]) < 4 * res.bse).all()
    sd = res.varcorr.set_index(["group", "term1"])[res.varcorr["term2"].isna().to_numpy()]["sdcor"]
    np.testing.assert_allclose(sd, [2.5, 0.5, 2.0, 0.5, 2.0], rtol=0.25)


def two_levels(seed=1):
    return three_levels(seed, outer=14, inner=4, rows=6)


@pytest.mark.parametrize("part", ["(1 + week | outer/inner)", "(1 + week | unique)"])
def test_resampled_groups_are_the_fit_to_repeated_rows(part):
    frame = two_levels()
    formula = f"y ~ week + {part}"
    fit = al.MixedModel.from_formula(formula, frame, weights="w").fit().fit
    top = "outer" if "outer" in part else "unique"
    groups = regroup.Groups.of(fit.blocks)
    chosen = np.sort(np.random.default_rng(3).integers(0, groups.top, groups.top))
    labels = fit.design.factors[-1].levels if top == "outer" else fit.design.factors[0].levels
    parts = []
    for copy, g in enumerate(chosen):
        rows = frame[frame[top] == labels[groups.blocks.levels[-1].labels[g]]]
        parts.append(rows.assign(outer=copy, unique=[f"{copy}-{u}" for u in rows["unique"]]))
    again = al.MixedModel.from_formula(formula, pd.concat(parts), weights="w").fit()
    refit = refits.Refitter(fit, refits.start_of(fit), fit.basis.beta_ols)(groups.take(chosen))
    # A refit stops at a decrement of 1e-10 deviance units: 1e-5 of a standard error.
    np.testing.assert_allclose(refit.beta, again.params, atol=1e-5)
    np.testing.assert_allclose(refit.vcov, again.varcorr["vcov"], atol=1e-3)
    assert refit.boundary == again.singular


def test_cases_are_drawn_within_their_parents():
    frame = two_levels()
    fit = al.MixedModel.from_formula("y ~ week + (1 | outer/inner)", frame).fit().fit
    groups = regroup.Groups.of(fit.blocks)
    drawn = groups.draw(np.random.default_rng(2), "case")
    np.testing.assert_array_equal(drawn.levels[0].starts, fit.blocks.levels[0].starts)
    for begin, end in zip(drawn.levels[0].starts[:-1], drawn.levels[0].starts[1:], strict=True):
        assert set(drawn.levels[0].labels[begin:end]) <= set(fit.blocks.levels[0].labels[begin:end])
    assert not np.array_equal(drawn.levels[0].labels, fit.blocks.levels[0].labels)
    both = groups.draw(np.random.default_rng(2), "two-stage")
    assert len(set(both.levels[1].labels)) < groups.top
    np.testing.assert_allclose(
        both.s.sum(axis=0)[-1, -1], groups.products[:, -1, -1][_position(fit, both)].sum()
    )


def _position(fit, drawn):
    where = {label: i for i, label in enumerate(fit.blocks.levels[0].labels)}
    return [where[label] for label in drawn.levels[0].labels]


def test_cluster_bootstrap_spread_equals_that_of_the_robust_standard_errors():
    frame = three_levels(21, outer=40, inner=4, rows=6)
    model = al.MixedModel.from_formula("y ~ week + (1 + week | outer) + (1 | unique)", frame)
    robust = model.fit(cov_type="CR2", cov_groups="outer")
    boot = robust.bootstrap(150, seed=1, kind="cluster")
    assert boot.kind == "cluster"
    # 150 draws: a relative standard error of 6 %; four of them, and a small-sample difference of the two methods.
    np.testing.assert_allclose(boot.params.std() / robust.bse, 1, atol=0.3)


def test_intervals_of_three_kinds_follow_their_formulas():
    frame = three_levels(21, outer=20, inner=4, rows=6)
    res = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 | unique)", frame).fit()
    asked = {"method": "bootstrap", "n_boot": 60, "seed": 2, "kind": "cluster"}
    percentile, basic, bca = (
        res.conf_int(**asked, interval=kind)[["lower", "upper"]] for kind in ("percentile", "basic", "bca")
    )
    estimate = pd.Series([*res.params, *res.varcorr["sdcor"]], index=percentile.index)
    np.testing.assert_allclose(
        basic["lower"], np.maximum(2 * estimate - percentile["upper"], [-np.inf] * 2 + [0] * 3)
    )
    np.testing.assert_allclose(basic["upper"], 2 * estimate - percentile["lower"])
    draws = res.bootstrap(60, seed=2, kind="cluster").params["week"]
    tops = sorted(frame["outer"].unique())
    left = np.array(
        [
            al.MixedModel.from_formula(res.formula, frame[frame["outer"] != top]).fit().params["week"]
            for top in tops
        ]
    )
    gap = left.mean() - left
    a = np.sum(gap**3) / (6 * np.sum(gap**2) ** 1.5)
    z0 = stats.norm.ppf(np.mean(draws < res.params["week"]))
    z = z0 + stats.norm.ppf([0.025, 0.975])
    expected = np.quantile(draws, stats.norm.cdf(z0 + z / (1 - a * z)))
    np.testing.assert_allclose(bca.loc["week"], expected, atol=1e-4)


def test_replicates_on_the_boundary_and_failed_ones_are_counted(monkeypatch):
    frame = three_levels(3, outer=10, truth=(0.0, 1.0))
    res = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 + week | unique)", frame).fit()
    boot = res.bootstrap(30, seed=2)
    zero = int((boot.varcorr[("outer", "Intercept", "")] == 0).sum())
    assert boot.n_boundary >= zero > 0
    assert boot.findings == ()
    limits = res.conf_int(method="bootstrap", n_boot=30, seed=2)
    assert limits.loc["sd(Intercept)|outer", "note"] == f"zero in {zero} of 30 refits"
    careful = refits.careful
    count = iter(range(100))
    monkeypatch.setattr(refits, "careful", lambda *a: None if next(count) % 5 == 0 else careful(*a))
    boot = res.bootstrap(10, seed=2)
    assert boot.n_failed == 2
    assert boot.params["week"].isna().sum() == 2
    (finding,) = boot.findings
    assert finding.message.startswith("2 of 10 refits of the parametric bootstrap have no verified optimum")
    assert "2 of 10 refits failed" in res.conf_int(method="bootstrap", n_boot=10, seed=2)["note"].iloc[0]
    monkeypatch.setattr(refits, "careful", lambda *_: None)
    with pytest.raises(FitError, match="Only 0 of 10 refits have a verified optimum, too few for interv"):
        res.conf_int(method="bootstrap", n_boot=10, seed=2)


def test_replicates_on_the_boundary_are_counted_with_a_residual_structure_too():
    frame = three_levels(3, outer=10, inner=2, truth=(0.0, 1.0))
    res = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame, residual=al.VarIdent("arm")).fit()
    boot = res.bootstrap(12, seed=2)
    zero = int((boot.varcorr[("outer", "Intercept", "")] == 0).sum())
    assert 0 < zero < 12
    assert boot.n_boundary == zero


def test_what_cannot_be_resampled_is_refused(frame):
    crossed = al.MixedModel.from_formula("y ~ week + (1 | unique) + (1 | item)", frame, crossed=True).fit()
    with pytest.raises(
        FitError, match="Groups can be resampled only where each grouping is nested in the next"
    ):
        crossed.bootstrap(10, kind="cluster")
    with pytest.raises(
        FitError, match="kind='groups' is not available; there is 'parametric', 'cluster', 'case' and"
    ):
        crossed.bootstrap(10, kind="groups")
    with pytest.raises(FitError, match="A bootstrap needs at least 2 replicates, not 1"):
        crossed.bootstrap(1)
    with pytest.raises(FitError, match="interval='normal' is not available"):
        crossed.conf_int(method="bootstrap", n_boot=5, interval="normal")


def test_refits_of_one_start_are_as_good_as_of_several():
    frame = three_levels(8, outer=8, inner=4, rows=5)
    fit = al.MixedModel.from_formula("y ~ week + (1 + week | outer/inner)", frame).fit().fit
    rng = np.random.default_rng(4)
    source = draws.draws_of(fit)
    face = fit.record.best.face.full()
    worse = 0
    for _ in range(25):
        made = source.draw(rng)

        def evaluate(relative, order, made=made):
            return criterion.profiled(made, relative, True, order)

        one = refits.careful(evaluate, face, refits.start_of(fit))
        best = optimize.search(evaluate, face, True).best
        worse += one.value > best.value + 1e-6
    assert worse <= 1
