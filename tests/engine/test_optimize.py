"""Every optimum is certified, and no start finds a better one."""

import numpy as np
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH, blocks_of, face_of, random_relative, three_levels
from inside.engine_search import Face, minimise, optimize, profiled

TRUTHS = [(1, 1), (0.0, 1), (0.3, 1), (1, [1, 0.0]), ([1, 0], [1, 0.2])]
UNITS = [1, 7, 1 / 12, 30]


@pytest.mark.parametrize("seed", range(300))
def test_small_three_level_sets_are_certified_and_best(seed):
    rng = np.random.default_rng(seed)
    outer = int(rng.integers(4, 15))
    frame = three_levels(seed, outer, inner=6, rows=7, truth=TRUTHS[seed % 5], unit=UNITS[seed % 4])
    made_blocks, made_basis = (lambda parts: (parts[2], parts[1]))(blocks_of(GROWTH, frame))
    result = al.MixedModel.from_formula(GROWTH, frame).fit()
    assert result.converged
    best = result.optimization.best
    assert best.certificate.decrement < 1e-10
    assert best.certificate.descent > -1e-6
    assert best.certificate.complementarity < 1e-5
    assert result.singular == (best.face.ranks != best.face.sizes)
    others = [
        optimize.descend(
            lambda d, order: profiled(made_blocks, d, True, order), face_of(made_basis, made_blocks), start
        ).value
        for start in (random_relative(made_basis, rng), random_relative(made_basis, rng, zero=True))
    ]
    # Values of a few hundred deviance units: 1e-7 is far above rounding, far below what matters.
    assert best.value <= min(others) + 1e-7


def test_the_search_leaves_a_false_optimum_at_zero():
    _, made_basis, made_blocks = blocks_of(GROWTH, three_levels(4, outer=12))
    face = face_of(made_basis, made_blocks)

    def evaluate(relative, order):
        return profiled(made_blocks, relative, True, order)

    zero = [np.zeros((2, 2)), np.zeros((2, 2))]
    # Stationary in the Cholesky parameters, and yet no minimum: the certificate in D sees the way out.
    stuck = Face(face.sizes, (0, 0), face.entry_order)
    certificate, way_out = optimize.certify(
        stuck, minimise(lambda x, _: (0.0, x, np.eye(0)), np.zeros(0)), evaluate(zero, 1), zero
    )
    assert not certificate.holds
    assert certificate.descent < -1
    assert way_out is not None
    from_zero = optimize.descend(evaluate, face, zero)
    from_one = optimize.descend(evaluate, face, [np.eye(2), np.eye(2)])
    assert from_zero.certificate.holds
    assert from_zero.value == pytest.approx(from_one.value, abs=1e-8)


@pytest.mark.parametrize("ranks", [(3, 2), (2, 1), (1, 0)])
def test_parameters_of_a_face_reproduce_its_covariances_and_derivatives(ranks):
    face = Face((3, 2), ranks, (1, 0))
    rng = np.random.default_rng(0)
    theta = rng.normal(size=face.dimension)
    relative = face.covariances(theta)
    assert tuple(np.linalg.matrix_rank(d) for d in relative) == ranks
    for d, again in zip(relative, face.covariances(face.pack(relative)), strict=True):
        np.testing.assert_allclose(again, d, atol=1e-12)

    def stacked(x):
        covariances = face.covariances(x)
        return np.concatenate([covariances[t][np.tril_indices(face.sizes[t])] for t in face.entry_order])

    step = 1e-6
    numeric = [
        (stacked(theta + step * e) - stacked(theta - step * e)) / (2 * step) for e in np.eye(face.dimension)
    ]
    np.testing.assert_allclose(face.jacobian(theta), np.transpose(numeric), atol=1e-8)


def test_newton_leaves_a_saddle_and_reports_its_path():
    def objective(x, order):
        value = x[0] ** 4 / 4 - x[0] ** 2 / 2 + x[1] ** 2
        return float(value), np.array([x[0] ** 3 - x[0], 2 * x[1]]), np.diag([3 * x[0] ** 2 - 1, 2.0])

    end = minimise(objective, np.array([1e-3, 3.0]))
    np.testing.assert_allclose(np.abs(end.theta), [1, 0], atol=1e-8)
    assert end.decrement < 1e-10
    assert end.curvature == pytest.approx(2)
    values = [step.value for step in end.steps]
    assert values == sorted(values, reverse=True)


def test_without_polish_the_last_steps_need_no_hessian():
    orders = []

    def objective(x, order):
        orders.append(order)
        hessian = np.cosh(x)[:, None] if order == 2 else np.full((1, 1), np.nan)
        return float(np.cosh(x[0])), np.sinh(x), hessian

    end = minimise(objective, np.array([0.9]), polish=False)
    assert end.decrement < 1e-10
    assert abs(end.theta[0]) < 1e-5
    assert orders == sorted(orders, reverse=True)
    assert orders.count(1) >= 1


def test_several_optima_are_reported():
    # Seed 114 has an interior optimum and a better one on the boundary, 0.014 deviance units below.
    rng = np.random.default_rng(114)
    frame = three_levels(114, int(rng.integers(4, 15)), inner=6, rows=7, truth=TRUTHS[4], unit=UNITS[2])
    result = al.MixedModel.from_formula(GROWTH, frame).fit()
    assert "several_optima" in {f.code for f in result.findings}
