"""Small pieces of inference against scipy's own, by hand, and against figures that were printed elsewhere."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from inside.methods_basics import inference


def test_a_t_interval_has_the_limits_and_p_of_student() -> None:
    """Student's sleep data (1908): mean difference 1.58, t = 4.0621, 9 df, p = .00283; limits .70 to 2.46."""
    extra = pd.Series([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    found = inference.t_inference(extra.mean(), extra.sem(), 9)
    assert found["t"] == pytest.approx(4.0621, abs=5e-5)
    assert found["p"] == pytest.approx(0.002833, abs=5e-7)
    np.testing.assert_allclose([found["ci_low"], found["ci_high"]], [0.7001142, 2.4598858], atol=5e-8)
    assert inference.half_width(extra) == pytest.approx((2.4598858 - 0.7001142) / 2, abs=5e-8)
    assert inference.p_of_no_shift(extra) == pytest.approx(0.002833, abs=5e-7)


def test_the_mean_of_one_value_has_no_interval() -> None:
    assert np.isnan(inference.half_width(pd.Series([3.0])))
    assert inference.p_of_no_shift(pd.Series([0.0, 0.0])) == 1.0


def test_a_correlation_from_t_has_fisher_s_limits() -> None:
    """r = .5 of 28 pairs is t = 2.944 with 26 df; Fisher's z gives .156 to .736."""
    t = 0.5 * np.sqrt(26) / np.sqrt(0.75)
    r, low, high = inference.partial_correlation(t, 26)
    assert r == pytest.approx(0.5)
    half = 1.959964 / np.sqrt(25)
    np.testing.assert_allclose([low, high], np.tanh(np.arctanh(0.5) + np.array([-half, half])), atol=1e-7)
    np.testing.assert_allclose([low, high], [0.156, 0.736], atol=5e-4)
    assert inference.partial_correlation(-t, 26) == pytest.approx((-r, -high, -low))
    assert inference.partial_correlation(1.0, 1)[1:] == (-1.0, 1.0)


def test_the_interval_of_an_icc_is_exact_for_equal_groups() -> None:
    """With equal groups it is that of Shrout and Fleiss (1979): ICC(1,1) of their example, .17 from -.13 to .72."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    values, groups = pd.Series(np.ravel(ratings), dtype=float), pd.Series(np.repeat(range(6), 4))
    low, high = inference.exact_icc_interval(values, groups)
    assert low == 0.0  # a share of variance is not negative
    assert high == pytest.approx(0.7226, abs=5e-5)
    f = 11.24 / 6.26  # their mean squares, printed to two decimals
    bound = f / stats.f.ppf(0.025, 5, 18)
    assert high == pytest.approx((bound - 1) / (bound + 3), abs=5e-4)


def test_as_many_events_are_at_least_as_many() -> None:
    assert inference.p_of_so_many(3, 1.2) == pytest.approx(1 - np.exp(-1.2) * (1 + 1.2 + 0.72))
    assert inference.p_of_so_many(0, 1.2) == 1.0
    assert inference.beyond(1.96) == pytest.approx(0.05, abs=5e-6)


@pytest.mark.parametrize(("icc", "caseload", "reliability"), [(0.05, 20, 20 * 0.05 / 1.95), (1.0, 5, 1.0)])
def test_the_reliability_of_a_mean(icc: float, caseload: float, reliability: float) -> None:
    assert inference.reliability_of_mean(icc, caseload) == pytest.approx(reliability)
