"""Large nested fits never make their rows: the same numbers as with them."""

import numpy as np
import pytest

from engine.designs import GROWTH, random_relative, three_levels
from inside.engine_design import design, groups
from inside.engine_search import profiled
from inside.engine_statistics import basis, products
from inside.engine_statistics import nested as blocks


def both(frame, formula=GROWTH, weights=None, offset=None):
    """A design's basis and blocks: from one pass over the rows, and with the rows."""
    _, made = design.learn(formula, frame, weights, offset)
    chain = groups.chain_of(list(made.factors))
    bases = basis.in_one_pass(made, chain), basis.build(made)
    return made, [(b, blocks.build(made, b)) for b in bases]


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("offset", [None, "rating"])
@pytest.mark.parametrize("origin", [0.0, 2000.0])
@pytest.mark.parametrize("shuffled", [False, True])
def test_one_pass_equals_the_rows(weights, offset, origin, shuffled):
    frame = three_levels(3, outer=40, inner=8, rows=9)
    frame["week"] += origin
    frame["y"] += 1e4
    frame = frame.sample(frac=1, random_state=1) if shuffled else frame
    _, ((one, fast), (two, slow)) = both(frame, weights=weights, offset=offset)
    assert fast.products is not None
    # The columns of a calendar year lose four digits in any decomposition of the rows.
    tolerance = 1e-10 if origin == 0 else 1e-6
    np.testing.assert_allclose(one.r_x, two.r_x, rtol=tolerance, atol=tolerance * np.abs(two.r_x).max())
    assert one.y_scale == pytest.approx(two.y_scale, rel=1e-11)
    assert one.log_weights == pytest.approx(two.log_weights, abs=1e-9)
    for name in ("w", "saa", "s"):
        a, b = getattr(fast, name), getattr(slow, name)
        np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())
    for ours, theirs in zip(fast.levels, slow.levels, strict=True):
        np.testing.assert_array_equal(ours.starts, theirs.starts)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(fast.order, slow.order)
    np.testing.assert_array_equal(fast.row_starts, slow.row_starts)
    np.testing.assert_allclose(fast.u, slow.u, atol=1e-8)
    relative = random_relative(two, np.random.default_rng(0))
    ours, theirs = profiled(fast, relative, True), profiled(slow, relative, True)
    assert ours.value == pytest.approx(theirs.value, rel=1e-11)
    np.testing.assert_allclose(ours.hessian, theirs.hessian, rtol=1e-7, atol=1e-8)


def test_a_sample_that_misleads_costs_another_pass_not_digits(monkeypatch):
    frame = three_levels(5, outer=60, inner=8, rows=9)
    frame["y"] *= 1.0
    frame.loc[frame.index[1::2], "y"] += 1e7  # the sample sees the other rows only
    frame.loc[frame.index[1::2], "week"] *= 1e5
    monkeypatch.setattr(products, "SAMPLE", (len(frame) + 1) // 2)
    _, ((one, fast), (two, slow)) = both(frame)
    assert fast.products is not None
    assert one.y_scale == pytest.approx(two.y_scale, rel=1e-9)
    np.testing.assert_allclose(fast.saa, slow.saa, atol=1e-8 * np.abs(slow.saa).max())


@pytest.mark.parametrize("column", ["constant", "copy"])
def test_columns_that_a_sample_cannot_tell_apart_are_left_to_the_rows(column):
    frame = three_levels(5, outer=30, inner=8, rows=9)
    frame["constant"] = 0.0
    frame["copy"] = frame["week"]
    frame.loc[frame.index[3], ["constant", "copy"]] = 1.0
    _, made = design.learn(f"y ~ week + {column} + (1 | outer/inner)", frame)
    some = np.arange(10, len(frame))
    columns = np.stack(products.distinct(made)[0], axis=1)
    assert products.sample_units(columns[some], made.y[some], made.x.shape[1]) is None


def test_more_products_than_rows_are_not_made():
    frame = three_levels(5, outer=300, inner=1, rows=1)
    _, made = design.learn("y ~ week * rating * arm + (1 | outer)", frame.assign(week=frame["y"] ** 2))
    assert basis.in_one_pass(made, groups.chain_of(list(made.factors))) is None


def test_groupings_that_are_not_nested_have_no_chain():
    _, made = design.learn("y ~ week + (1 | outer) + (1 | item)", three_levels(1))
    assert groups.chain_of(list(made.factors)) is None
