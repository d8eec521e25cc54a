"""What all methods return: intervals and tests against scipy's t distribution, the table, the text."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from inside.methods_basics import Estimates

PARAMS = pd.Series({"a": 1.0, "b": -2.0, "c": 0.5})
COVARIANCE = np.array([[0.25, 0.1, 0.0], [0.1, 1.0, 0.0], [0.0, 0.0, 0.04]])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Surface(Estimates):
    n: int

    def _title(self) -> str:
        return "A surface"

    def _facts(self) -> list[str]:
        return [f"{self.n} rows"]


@pytest.mark.parametrize("dof", [10.0, np.array([5.0, np.inf, 3.5])])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_intervals_and_tests_are_those_of_student(dof, alpha):
    found = Estimates(params=PARAMS, covariance=COVARIANCE, dof=dof)
    se, estimate = np.array([0.5, 1.0, 0.2]), PARAMS.to_numpy()
    half = stats.t.ppf(1 - alpha / 2, dof) * se
    np.testing.assert_allclose(found.bse, se, rtol=1e-15)
    limits = found.conf_int(alpha)
    np.testing.assert_allclose(limits, np.c_[estimate - half, estimate + half], rtol=1e-12)
    assert list(limits) == ["lower", "upper"]
    np.testing.assert_allclose(found.pvalues, 2 * stats.t.sf(abs(estimate / se), dof), rtol=1e-12)
    table = found.tidy(alpha)
    assert list(table) == ["term", "estimate", "se", "df", "stat", "p", "low", "high"]
    np.testing.assert_array_equal(table[["low", "high"]], limits)
    np.testing.assert_array_equal(table["df"], np.broadcast_to(dof, 3))
    np.testing.assert_array_equal(found.cov_params(), COVARIANCE)


def test_without_degrees_of_freedom_it_is_the_normal_distribution():
    found = Estimates(params=PARAMS, covariance=COVARIANCE)
    np.testing.assert_allclose(found.conf_int()["upper"]["a"], 1 + 0.5 * 1.959963984540054, rtol=1e-14)


def test_the_text_has_title_facts_table_and_findings():
    finding = Finding("few", "caution", "Few rows.")
    found = Surface(params=PARAMS, covariance=COVARIANCE, findings=(finding,), n=7)
    lines = found.summary().splitlines()
    assert lines[:3] == ["A surface", "7 rows", ""]
    assert lines[-1] == "caution: Few rows."
    assert str(found) == repr(found.summary()) == found.summary()
    assert repr(found) == "<Surface: a, b, c; use .summary()>"
    assert found._repr_html_().startswith("<pre>A surface")
    with pytest.raises(AttributeError):
        found.n = 8
    assert replace(found, n=8).n == 8


@pytest.mark.parametrize("alpha", [0, 1, -0.1, "0.05", True, np.nan])
def test_a_level_of_error_lies_between_zero_and_one(alpha):
    found = Estimates(params=PARAMS, covariance=COVARIANCE)
    for ask in (found.conf_int, found.tidy):
        with pytest.raises(DataError) as error:
            ask(alpha)
        assert (
            str(error.value) == f"alpha is {alpha!r}; it lies between 0 and 1, and 0.05 gives 95 % intervals."
        )
