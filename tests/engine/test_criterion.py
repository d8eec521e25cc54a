"""The block elimination against the dense textbook likelihood, and its derivatives against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.designs import blocks_of, entries, random_relative, three_levels
from inside.engine_linalg import dense
from inside.engine_search import profiled
from inside.engine_statistics import conditional_modes

RANDOM_PARTS = [
    "(1 | outer)",
    "(1 + week | outer/inner)",
    "(1 + week || outer/inner)",
    "(1 | outer/inner) + (0 + rating | outer)",
    "(1 + week | unique) + (1 | outer) + (0 + rating | outer)",
    "(0 + week | inner:outer)",
]


def dense_deviance(made, made_basis, criterion, relative, reml):
    scale = criterion.rss / criterion.nu * made_basis.y_scale**2
    terms = []
    for term, d, b in zip(made.terms, relative, made_basis.b, strict=True):
        back = np.linalg.inv(b)
        terms.append((term.z, made.factors[term.factor].codes, scale * back @ d @ back.T))
    v = dense.marginal_covariance(terms, scale, made.weights, len(made.y))
    return dense.deviance(made.y, made.x, v, reml), v, terms


@pytest.mark.parametrize("part", RANDOM_PARTS)
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("zero", [False, True])
def test_value_and_modes_equal_the_dense_ones(part, reml, weights, zero):
    frame = three_levels(RANDOM_PARTS.index(part), outer=5)
    made, made_basis, made_blocks = blocks_of(f"y ~ week * rating + {part}", frame, weights)
    relative = random_relative(made_basis, np.random.default_rng(3), zero)
    criterion = profiled(made_blocks, relative, reml)
    ours = criterion.value + 2 * criterion.nu * np.log(made_basis.y_scale) - made_basis.log_weights
    ours += 2 * np.log(np.diag(made_basis.r_x)).sum() if reml else 0.0
    oracle, v, terms = dense_deviance(made, made_basis, criterion, relative, reml)
    # Sums of a few hundred logarithms and squares in double precision.
    assert ours == pytest.approx(oracle, abs=1e-9)
    modes = conditional_modes(made_blocks, relative, criterion.beta, criterion.rss / criterion.nu)
    for term, made_modes, b, triple in zip(made.terms, modes, made_basis.b, terms, strict=True):
        size = made.factors[term.factor].size
        expected = dense.conditional_modes(made.y, made.x, v, triple, size)
        values = made_basis.y_scale * made_modes.values @ np.linalg.inv(b).T
        np.testing.assert_allclose(values, expected, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    part=st.sampled_from(RANDOM_PARTS),
    reml=st.booleans(),
    rank_lost=st.booleans(),
)
def test_derivatives_equal_finite_differences(seed, part, reml, rank_lost):
    frame = three_levels(seed, outer=4, inner=4, rows=5)
    made_blocks, made_basis = (lambda parts: (parts[2], parts[1]))(blocks_of(f"y ~ week + {part}", frame))
    relative = random_relative(made_basis, np.random.default_rng(seed), rank_lost)
    criterion = profiled(made_blocks, relative, reml)
    step = 1e-5
    for n, (t, i, j) in enumerate(entries(made_blocks, relative)):

        def moved(size, t=t, i=i, j=j):
            out = [d.copy() for d in relative]
            out[t][i, j] += size
            if i != j:
                out[t][j, i] += size
            return profiled(made_blocks, out, reml)

        above, below = moved(step), moved(-step)
        slope = (above.value - below.value) / (2 * step)
        curve = (above.gradient - below.gradient) / (2 * step)
        size = 1 + np.abs(criterion.hessian).max()
        # Central differences: error of order step^2 times a third derivative, plus rounding / step.
        assert slope == pytest.approx(criterion.gradient[n], abs=1e-6 * size)
        np.testing.assert_allclose(curve, criterion.hessian[n], atol=1e-5 * size)


def test_lower_orders_give_the_same_value_and_gradient():
    _, made_basis, made_blocks = blocks_of("y ~ week + (1 + week | outer/inner)", three_levels(1))
    relative = random_relative(made_basis, np.random.default_rng(0))
    second = profiled(made_blocks, relative, True, 2)
    assert profiled(made_blocks, relative, True, 0).value == pytest.approx(second.value, abs=1e-10)
    np.testing.assert_allclose(profiled(made_blocks, relative, True, 1).gradient, second.gradient, atol=1e-9)


def test_a_lost_residual_is_infinite_not_an_error():
    _, _made_basis, made_blocks = blocks_of("y ~ week + (1 | outer)", three_levels(1))
    assert profiled(made_blocks, [np.array([[np.inf]])], True).value == np.inf
