"""Designs with about as many effects as rows: a sentence where no likelihood has an end, and no lesser optimum."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al


def crossing(seed):
    """Nine rows of six units in two blocks, whose effects can follow every row."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"unit": [0, 0, 1, 1, 2, 3, 4, 5, 5], "block": [0, 1, 0, 0, 1, 1, 0, 0, 1]})
    return frame.assign(week=rng.normal(size=9), x=rng.normal(size=9), y=rng.normal(size=9))


def test_a_likelihood_without_maximum_is_refused():
    model = al.MixedModel.from_formula("y ~ week * x + (1 | unit) + (1 | block)", crossing(1))
    with pytest.raises(
        al.FitError, match=r"4 fixed and 8 random effects of 9 rows can fit every row exactly.*reml=True"
    ):
        model.fit(reml=False)
    assert model.fit().converged


def test_a_residual_variance_that_runs_to_zero_is_refused():
    frame = pd.DataFrame({"unit": [0, 1, 2, 0, 3, 4, 5, 1, 4, 5], "block": [0, 1, 2, 0, 2, 1, 0, 1, 1, 0]})
    frame = frame.assign(week=[0, 0, 0, 1, 0, 0, 0, 1, 1, 1.0], a=list("pqrqprrprq"))
    frame["y"] = [4.3886, 7.6451, 2.5217, 5.2183, 5.2121, 3.2977, -0.3051, 9.1002, 1.6734, 2.3894]
    formula = "y ~ week + a + (1 | unit) + (0 + week | unit) + (1 | block)"
    model = al.MixedModel.from_formula(formula, frame)
    with pytest.raises(
        al.FitError, match=r"can fit every row exactly, and the residual variance goes to zero"
    ):
        model.fit()


def test_a_perfect_correlation_of_residuals_is_refused():
    frame = pd.DataFrame(
        {"unit": [1, 2, 3, 3], "t": [0, 0, 0, 1], "y": [3760.758212, 3322.85285, 2802.953048, 4481.854665]}
    )
    model = al.MixedModel.from_formula("y ~ 1 + (1 | unit)", frame, residual=al.AR1("t"))
    with pytest.raises(
        al.FitError, match=r"correlation of neighbouring residuals runs to -1 with residual=AR1\('t'\)"
    ):
        model.fit(reml=False)


def test_a_crowded_design_is_searched_from_a_third_start():
    """Two starts end at 389.5505; the lower optimum, found by brute force over the dense likelihood, is 389.4616."""
    frame = pd.DataFrame(
        {
            "unit": [0, 1, 0, 2, 3, 4, 1, 5, 6, 0, 3, 3, 1, 7, 8, 6, 6, 9, 7, 8, 10, 8, 7],
            "outer": [0, 1, 0, 2, 2, 3, 1, 4, 1, 0, 2, 2, 1, 4, 5, 1, 1, 6, 4, 5, 5, 5, 4],
            "item": [0, 0, 1, 1, 0, 0, 1, 2, 1, 0, 1, 1, 2, 1, 1, 0, 0, 1, 2, 1, 0, 2, 0],
            "week": [0, 0, 1, 0, 2, 0, 1, 0, 1, 2, 0, 1, 2, 0, 0, 0, 2, 0, 1, 1, 0, 2, 2.0],
            "a": list("rprqrpprrqrqrqppqrpqrqq"),
            "y": [
                6547,
                3472,
                7057,
                2558,
                5351,
                -2201,
                3915,
                1798,
                4970,
                8261,
                5446,
                4277,
                3719,
                2717,
                853,
                4135,
                5503,
                5790,
                2403,
                -103,
                4281,
                -1009,
                3444,
            ],
        }
    )
    model = al.MixedModel.from_formula("y ~ week + a + (1 + week | unit) + (1 | outer) + (1 | item)", frame)
    assert model.fit(reml=False).deviance == pytest.approx(389.461558861, abs=1e-6)
