"""Residual structures against a covariance matrix written out row by row, and their derivatives against differences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance_longitudinal.engine import AR1, CAR1, VarIdent
from engine.designs import random_relative
from engine.series import dense_residual, dense_value, model_of, natural, series
from inside.engine_search import profiled
from inside.engine_statistics import GivenRows, build_model, innovations, relative_covariance
from inside.engine_statistics import model as residual_model
from inside.engine_statistics import nested as blocks
from inside.engine_statistics import structured_products as products

STRUCTURES = [
    AR1("order"),
    CAR1("time"),
    CAR1("order"),
    VarIdent("how"),
    AR1("order", strata="how"),
    CAR1("time", strata="how"),
]
PARTS = ["(1 | inner)", "(1 + order | outer/inner)", "(1 + order || inner) + (1 | outer)"]


def random_tau(model, rng):
    """Parameters well inside, AR1 of both signs."""
    return rng.normal(size=model.pattern.size) * 0.6 + (0.2 if model.pattern.correlated else 0.0)


def full_value(made_basis, criterion, reml):
    value = criterion.value + 2 * criterion.nu * np.log(made_basis.y_scale) - made_basis.log_weights
    return value + (2 * np.log(np.diag(made_basis.r_x)).sum() if reml else 0.0)


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("kept", [0, 1000])
def test_value_equals_the_dense_one(structure, reml, kept, monkeypatch):
    """By sums (kept) and row by row, with gaps, single-row groups and unequal strata."""
    monkeypatch.setattr(products, "KEPT_PER_ROW", kept)
    for seed, part in enumerate(PARTS):
        frame = series(seed, outer=4)
        made, made_basis, model = model_of(f"y ~ order * arm + {part}", frame, structure)
        assert (model.products.sums is None) == (kept == 0)
        rng = np.random.default_rng(seed)
        relative, tau = random_relative(made_basis, rng), random_tau(model, rng)
        criterion = profiled(model.at(tau), relative, reml)
        oracle, _ = dense_value(made, made_basis, model, tau, relative, reml, criterion, frame)
        # Sums of a few hundred logarithms and squares; neighbours a hundredth apart lose four digits.
        assert full_value(made_basis, criterion, reml) == pytest.approx(oracle, abs=1e-8)


def test_weights_go_with_unequal_variances():
    frame = series(3, outer=4).assign(w=lambda d: 0.5 + (d.order % 3))
    made, made_basis, model = model_of("y ~ order + (1 | outer/inner)", frame, VarIdent("how"), "w")
    relative, tau = random_relative(made_basis, np.random.default_rng(0)), np.array([0.4, -0.3])
    criterion = profiled(model.at(tau), relative, True)
    oracle, _ = dense_value(made, made_basis, model, tau, relative, True, criterion, frame)
    assert full_value(made_basis, criterion, True) == pytest.approx(oracle, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    structure=st.sampled_from(STRUCTURES),
    part=st.sampled_from(PARTS),
    reml=st.booleans(),
    by_rows=st.booleans(),
)
def test_derivatives_equal_finite_differences(seed, structure, part, reml, by_rows):
    frame = series(seed, outer=4)
    _made, made_basis, model = model_of(f"y ~ order + {part}", frame, structure)
    if by_rows:
        model = type(model)(
            products.Products(model.pattern, model.products.classes, model.products.u, None),
            model.levels,
            model.n,
            model.p,
            model.entry_terms,
        )
    rng = np.random.default_rng(seed)
    relative, tau = random_relative(made_basis, rng, bool(seed % 2)), random_tau(model, rng)
    criterion = profiled(model.at(tau), relative, reml)
    step = 1e-5
    size = 1 + np.abs(criterion.hessian).max()
    for n in range(len(tau)):
        move = step * np.eye(len(tau))[n]
        above, below = (profiled(model.at(tau + sign * move), relative, reml) for sign in (1, -1))
        # Central differences: error of order step^2 times a third derivative, plus rounding / step.
        assert (above.value - below.value) / (2 * step) == pytest.approx(
            criterion.gradient[n], abs=1e-6 * size
        )
        np.testing.assert_allclose(
            (above.gradient - below.gradient) / (2 * step), criterion.hessian[n], atol=1e-5 * size
        )
    low = profiled(model.at(tau), relative, reml, 1)
    np.testing.assert_allclose(low.gradient, criterion.gradient, atol=1e-9 * size)
    assert profiled(model.at(tau), relative, reml, 0).value == pytest.approx(criterion.value, abs=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_innovations_whiten_and_colour(structure):
    frame = series(1, outer=3)
    made, _, model = model_of("y ~ 1 + (1 | inner)", frame, structure)
    tau = random_tau(model, np.random.default_rng(2))
    phi, ratios = natural(model, tau)
    r = dense_residual(frame, "inner", structure, phi, ratios)
    rows, made_innovations = model.pattern.rows, innovations(model.pattern, tau)
    n = len(rows)
    at = np.arange(n)
    np.testing.assert_allclose(
        relative_covariance(model.pattern, tau, made.factors[0].codes, at), r, atol=1e-9
    )
    w = made_innovations.matrix().toarray()
    np.testing.assert_allclose(w @ r @ w.T, np.eye(n), atol=1e-9)
    white = made_innovations.whiten(np.eye(n))
    coloured = np.stack([made_innovations.colour(z) for z in np.eye(n)], axis=1)
    np.testing.assert_allclose(white @ coloured, np.eye(n), atol=1e-9)
    np.testing.assert_allclose(coloured @ coloured.T, r[np.ix_(rows, rows)], atol=1e-9)


def test_pieces_of_many_groups_give_the_same(monkeypatch):
    frame = series(5)
    _, made_basis, model = model_of("y ~ order + (1 + order | outer/inner)", frame, AR1("order"))
    relative, tau = random_relative(made_basis, np.random.default_rng(1)), np.array([0.4])
    whole = profiled(model.at(tau), relative, True)
    monkeypatch.setattr(residual_model, "_PIECE", 2000)
    pieces = profiled(model.at(tau), relative, True)
    np.testing.assert_allclose(pieces.hessian, whole.hessian, rtol=1e-9)
    assert pieces.value == pytest.approx(whole.value, abs=1e-10)


def test_a_new_response_needs_no_new_model(monkeypatch):
    monkeypatch.setattr(products, "KEPT_PER_ROW", 1000)
    frame = series(6, outer=4)
    made, made_basis, model = model_of("y ~ order + (1 | outer/inner)", frame, AR1("order", strata="how"))
    y = np.random.default_rng(0).normal(size=len(frame))
    renewed = model.with_response(y)
    at_design = np.empty(len(y))
    at_design[model.pattern.rows] = y
    afresh = build_model(
        model.pattern.structure,
        made,
        replace(made_basis, rows=GivenRows(made_basis.q, at_design), products=None),
        blocks.build(made, made_basis),
    )
    np.testing.assert_allclose(renewed.products.sums, afresh.products.sums, atol=1e-10)
