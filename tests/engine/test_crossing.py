"""Crossed factors: sparse elimination against the dense likelihood, finite differences, and lme4's polished optima."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliance_longitudinal as al
from engine.crossing_designs import PARTS, crossing_frame, crossing_of, dense_deviance, dense_parts
from engine.designs import random_relative
from inside.engine_design import learn
from inside.engine_linalg import PLAIN
from inside.engine_resampling import draws
from inside.engine_search import Face, profiled, quick
from inside.engine_statistics import Blocks, Crossing, elimination, statistics_of
from inside.engine_statistics import basis as internal
from inside.engine_statistics import crossed_build as build

INST_EVAL = Path(__file__).parents[2] / "build" / "reference_data" / "InstEval.csv"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("zero", [False, True])
def test_value_modes_and_their_covariances_equal_the_dense_ones(part, zero):
    seed = PARTS.index(part)
    weights, reml = ("w", True) if seed % 2 else (None, False)
    design, basis, made = crossing_of(f"y ~ t + x + {part}", crossing_frame(seed), weights)
    relative = random_relative(basis, np.random.default_rng(seed), zero)
    criterion = profiled(made, relative, reml)
    oracle, ours, v, spread = dense_deviance(design, basis, criterion, relative, reml)
    assert ours == pytest.approx(oracle, abs=1e-9)  # sums of some hundred logarithms and squares
    scale = criterion.rss / criterion.nu
    beta = basis.beta_ols + basis.y_scale * np.linalg.solve(basis.r_x, criterion.beta)
    residual = design.y - design.x @ beta
    modes = made.modes(relative, criterion.beta, scale)
    for term_modes, b, (z, whole) in zip(modes, basis.b, spread, strict=True):
        back = np.linalg.inv(b)
        q = len(b)
        expected = whole @ z.T @ np.linalg.solve(v, residual)
        values = basis.y_scale * term_modes.values @ back.T
        np.testing.assert_allclose(values.ravel(), expected, atol=1e-8)
        cov = whole - whole @ z.T @ np.linalg.solve(v, z @ whole)
        blocks = cov.reshape(len(values), q, len(values), q)[
            np.arange(len(values)), :, np.arange(len(values))
        ]
        variances = basis.y_scale**2 * back @ term_modes.variances @ back.T
        np.testing.assert_allclose(variances, blocks, atol=1e-8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), part=st.sampled_from(PARTS), reml=st.booleans(), rank_lost=st.booleans())
def test_derivatives_equal_finite_differences(seed, part, reml, rank_lost):
    _, basis, made = crossing_of(f"y ~ t + {part}", crossing_frame(seed, units=10))
    relative = random_relative(basis, np.random.default_rng(seed), rank_lost)
    sizes = tuple(len(d) for d in relative)
    face = Face(sizes, tuple(q - rank_lost for q in sizes), made.entry_terms)
    theta = face.pack(relative)

    def at(parameters):
        found = profiled(made, face.covariances(parameters), reml)
        return found.value, *face.chain(parameters, found.gradient, found.hessian)

    _, gradient, hessian = at(theta)
    step = 1e-5 * np.eye(len(theta))
    size = 1 + np.abs(hessian).max(initial=0.0)
    for n in range(len(theta)):
        above, below = at(theta + step[n]), at(theta - step[n])
        # Central differences: error of order step^2 times a third derivative, plus rounding / step.
        assert (above[0] - below[0]) / 2e-5 == pytest.approx(gradient[n], abs=1e-6 * size)
        np.testing.assert_allclose((above[1] - below[1]) / 2e-5, hessian[n], atol=1e-5 * size)
    gammas = face.gammas(profiled(made, relative, reml, 1).gradient)
    for t, gamma in enumerate(gammas):  # off the face, where covariances grow from a boundary
        values = [
            profiled(
                made, [d + (h * np.eye(len(d)) if u == t else 0.0) for u, d in enumerate(relative)], reml, 0
            ).value
            for h in (0.0, 1e-5, 2e-5)
        ]
        slope = (-3 * values[0] + 4 * values[1] - values[2]) / 2e-5
        assert slope == pytest.approx(np.trace(gamma), abs=1e-5 * (1 + size + np.abs(gamma).max() ** 2))


def test_lower_orders_give_the_same_value_and_gradient():
    _, basis, made = crossing_of("y ~ t + (1 + t | outer/unit) + (1 | item)", crossing_frame(1))
    relative = random_relative(basis, np.random.default_rng(0))
    second = profiled(made, relative, True, 2)
    assert profiled(made, relative, True, 0).value == pytest.approx(second.value, abs=1e-10)
    np.testing.assert_allclose(profiled(made, relative, True, 1).gradient, second.gradient, atol=1e-9)
    assert profiled(made, [np.inf * d for d in relative], True).value == np.inf


def test_the_compiled_loops_equal_their_source(monkeypatch):
    _, basis, made = crossing_of(
        "y ~ t + (1 + t | outer/unit) + (1 | item) + (1 | leader)", crossing_frame(3)
    )
    relative = random_relative(basis, np.random.default_rng(0))
    compiled = made.sweep(relative, 2)
    monkeypatch.setattr(elimination, "loop", PLAIN.__getitem__)
    for fast, plain in zip(compiled, made.sweep(relative, 2), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-10, atol=1e-10)


def transferred(moved):
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(300), 5)
    frame = pd.DataFrame({"unit": unit + 1000, "outer": unit % 30, "t": np.tile(np.arange(5.0), 300)})
    frame.loc[frame["unit"].isin(1000 + np.arange(moved)) & (frame["t"] > 2), "outer"] = 17
    effects = rng.normal(size=30)[frame["outer"]] + rng.normal(size=300)[unit]
    return frame.assign(y=effects + 0.3 * frame["t"] + rng.normal(size=1500))


def test_only_touched_groups_stay_dense():
    formula = "y ~ t + (1 + t | unit) + (1 + t | outer)"
    design = learn(formula, transferred(0))[1]
    assert isinstance(statistics_of(design, internal.build(design)), Blocks)
    made = crossing_of(formula, transferred(1))[2]
    assert (
        made.describe()
        == "1500 rows, 660 random effects: 328 groups one by one, 4 effects in one dense block"
    )
    res = al.MixedModel.from_formula(formula, transferred(1)).fit()
    assert isinstance(res.fit.blocks, Crossing)
    assert res.converged
    assert [f.message for f in res.findings if f.code == "partly_crossed"] == [
        "1 of 300 levels of unit occurs in more than one level of outer. Each is treated as one unit."
    ]


def test_the_largest_crossed_factor_goes_first():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.integers(0, 300, 3000), "b": rng.integers(0, 40, 3000), "y": rng.normal(size=3000)}
    )
    made = crossing_of("y ~ 1 + (1 | a) + (1 | b)", frame)[2]
    assert made.describe().endswith("300 groups one by one, 40 effects in one dense block")


def test_a_block_that_does_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr(build, "MEMORY", 2**12)
    message = r"'item' and 'outer' cross so much that \d+ random effects hang together; .* at most 0 GiB are used. Drop"
    with pytest.raises(al.FitError, match=message):
        crossing_of("y ~ t + (1 + t | item) + (1 + t + x | outer)", crossing_frame(2, units=60))


def test_large_designs_start_with_average_information(monkeypatch):
    frame = crossing_frame(5, units=60, rows=6)
    model = al.MixedModel.from_formula("y ~ t + (1 | unit) + (1 | item) + (1 | outer)", frame)
    plain = model.fit()
    monkeypatch.setattr(quick, "LARGE", 1)
    started = model.fit()
    assert started.converged
    assert started.deviance == pytest.approx(plain.deviance, abs=1e-8)
    assert started.optimization.evaluations < plain.optimization.evaluations
    made, relative = started.fit.blocks, list(started.optimization.best.relative)
    average, exact = quick.averaged(made, relative, True, 2), profiled(made, relative, True, 2)
    np.testing.assert_allclose(average.gradient, exact.gradient, atol=1e-9)
    # Average information estimates the Hessian; for y drawn from a model like the fitted one it is near.
    assert np.linalg.eigvalsh(average.hessian)[0] > -1e-9
    assert 0.5 < np.trace(average.hessian) / np.trace(exact.hessian) < 2


def test_a_drawn_response_is_that_of_the_model():
    frame = crossing_frame(7, units=20)
    model = al.MixedModel.from_formula("y ~ t + (1 + t | unit) + (1 | item)", frame, weights="w")
    fit = model.fit().fit
    source = draws.draws_of(fit)
    rng = np.random.default_rng(1)
    count = 4000
    drawn = np.stack([source.draw(rng).zu[:, -1] for _ in range(count)])
    scale = fit.criterion.rss / fit.criterion.nu
    v, _ = dense_parts(fit.design, fit.basis, list(fit.record.best.relative), scale * fit.basis.y_scale**2)
    root = np.sqrt(fit.design.weights) / fit.basis.y_scale
    z = fit.blocks.z.toarray()
    expected = z.T @ (root[:, None] * v * root) @ z
    # Largest of some hundred relative errors of variances from 4000 draws: 5 sqrt(2/4000) = 11 %.
    np.testing.assert_allclose(drawn.var(axis=0), np.diag(expected), rtol=0.12)
    y = frame["y"].to_numpy() + np.arange(len(frame)) % 3
    again = model.from_formula(model.formula, frame.assign(y=y), weights="w")
    internal_y = (y - fit.design.x @ fit.basis.beta_ols) / fit.basis.y_scale * np.sqrt(fit.design.weights)
    refit = fit.blocks.with_response(internal_y)
    relative = list(fit.record.best.relative)
    ours = profiled(refit, relative, True)
    theirs = profiled(crossing_of(model.formula, frame.assign(y=y), "w")[2], relative, True)
    np.testing.assert_allclose(ours.drss / ours.rss, theirs.drss / theirs.rss, rtol=1e-8)
    assert again.fit().converged


def test_robust_errors_of_crossed_groups_inside_clusters():
    rng = np.random.default_rng(3)
    n = 240
    frame = pd.DataFrame(
        {"site": np.repeat(np.arange(12), 20), "person": np.tile(np.arange(5), 48), "t": rng.normal(size=n)}
    )
    frame["item"] = rng.integers(0, 4, n)
    frame["y"] = frame["t"] + rng.normal(size=12)[frame["site"]] + rng.normal(size=n)
    formula = "y ~ t + (1 | person:site) + (1 | item:site)"
    res = al.MixedModel.from_formula(formula, frame).fit(cov_type="CR0", cov_groups="site")
    fit = res.fit
    assert isinstance(fit.blocks, Crossing)
    v, _ = dense_parts(fit.design, fit.basis, list(fit.record.best.relative), fit.scale)
    x, weight = fit.design.x, np.linalg.inv(v)
    bread = np.linalg.inv(x.T @ weight @ x)
    residual = weight @ (fit.design.y - x @ fit.beta)
    scores = np.stack([x[frame["site"] == g].T @ residual[frame["site"] == g] for g in range(12)])
    np.testing.assert_allclose(res.cov_params(), bread @ scores.T @ scores @ bread, rtol=1e-7)


@pytest.mark.skipif(
    not INST_EVAL.exists(), reason="written by tests/reference/make_crossing.R; too large to commit"
)
def test_inst_eval_at_its_published_optimum():
    frame = pd.read_csv(INST_EVAL)
    _, basis, made = crossing_of("y ~ 1 + (1 | s) + (1 | d) + (1 | dept:service)", frame)
    # lme4's variances over the residual variance, see the fit in make_crossing.R's head; b is 1 for intercepts.
    variances = np.array([0.105407, 0.262563, 0.012130]) / 1.384952
    relative = [v * b @ b.T for v, b in zip(variances, basis.b, strict=True)]
    criterion = profiled(made, relative, False, 1)
    deviance = criterion.value + 2 * criterion.nu * np.log(basis.y_scale)
    assert deviance == pytest.approx(237653.29179, abs=1e-4)
    # Six digits of the variances leave a slope; of 1e4 curvature units it is 1e-6 deviance units.
    assert np.abs(criterion.gradient * variances).max() < 0.1
