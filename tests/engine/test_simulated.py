"""Simulated studies of a design: the bootstrap's own refits, errors and degrees of freedom that are known, refusals."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from inside import SIMULATED_SEARCH


def balanced(outer=10, inner=6, rows=5, seed=1):
    rng = np.random.default_rng(seed)
    unit, group = np.repeat(np.arange(outer), inner * rows), np.repeat(np.arange(outer * inner), rows)
    week = np.tile(np.arange(rows, dtype=float), outer * inner)
    x = rng.normal(size=outer * inner)
    x -= np.repeat(x.reshape(outer, inner).mean(axis=1), inner)
    y = rng.normal(size=len(unit)) + (rng.normal(size=(outer, 2)) @ np.diag([1.0, 0.5]))[unit, 0]
    y += week * 0.6 * rng.normal(size=outer)[unit] + (1 + 0.4 * week) * rng.normal(size=outer * inner)[group]
    return pd.DataFrame({"unit": unit, "group": group, "week": week, "x": x[group], "y": y})


@pytest.fixture(scope="module")
def fitted():
    return al.MixedModel.from_formula("y ~ week * x + (1 + week | unit/group)", balanced()).fit()


def test_with_the_fit_s_own_variances_it_is_the_parametric_bootstrap(fitted):
    """The same draws from the same seed, fitted by the same search: coefficients and variances are the bootstrap's."""
    rows = np.eye(4)
    found = fitted.simulated_tests(rows, fitted.fit.psi, fitted.scale, n_sim=20, seed=3)
    boot = fitted.bootstrap(20, seed=3)
    np.testing.assert_allclose(found.error, boot.params - fitted.params, rtol=1e-4, atol=1e-6)
    first = fitted.fit.design.terms[0].group
    np.testing.assert_allclose(
        found.variances[0][:, 1, 1], boot.varcorr[(first, "week", "")], rtol=1e-3, atol=1e-5
    )
    assert (found.boundary.sum(), found.failed) == (boot.n_boundary, 0)


def test_errors_and_degrees_of_freedom_are_those_of_slopes(fitted):
    """With balanced data the effect on the slope is that of least squares on the groups' own slopes."""
    psi = [np.diag([1.0, 0.3]) if t.group == "unit" else np.diag([2.0, 0.5]) for t in fitted.fit.design.terms]
    row = np.array([[0.0, 0, 0, 1]])  # week:x
    found = fitted.simulated_tests(row, psi, 1.5, n_sim=300, seed=2)
    x = balanced().drop_duplicates("group")["x"]
    exact = np.sqrt((0.5 + 1.5 / 10) / np.sum(x**2))  # times 0 to 4: squared deviations 10
    # Three Monte Carlo errors of a mean and of a standard deviation.
    assert found.se.mean() == pytest.approx(exact, abs=3 * found.se.std() / np.sqrt(300) + 0.005 * exact)
    assert found.error.std() == pytest.approx(exact, rel=3 / np.sqrt(600))
    assert abs(found.error.mean()) < 3 * exact / np.sqrt(300)
    inside = ~found.boundary
    # Clients less therapists less one; at a boundary the df are those of the smaller model.
    assert np.median(found.df[inside]) == pytest.approx(60 - 10 - 1, abs=1e-3)


def test_other_units_change_nothing(fitted):
    """Variances in units a hundred times larger: errors ten times larger, the same t statistics."""
    rows = np.eye(4)[3:]
    one = fitted.simulated_tests(rows, fitted.fit.psi, fitted.scale, n_sim=5, seed=1)
    psi = [100 * m for m in fitted.fit.psi]
    other = fitted.simulated_tests(rows, psi, 100 * fitted.scale, n_sim=5, seed=1)
    np.testing.assert_allclose(other.error, 10 * one.error, rtol=1e-6)
    np.testing.assert_allclose(other.se, 10 * one.se, rtol=1e-6)


def test_failures_are_missing_and_counted(fitted, monkeypatch):
    careful, count = import_module(SIMULATED_SEARCH.rpartition(".")[0]).careful, iter(range(100))
    monkeypatch.setattr(SIMULATED_SEARCH, lambda *a: None if next(count) < 2 else careful(*a))
    found = fitted.simulated_tests(np.eye(4), fitted.fit.psi, fitted.scale, n_sim=4, seed=1)
    assert found.failed == 2
    assert np.isnan(found.error[:2]).all()
    assert np.isfinite(found.error[2:]).all()
    assert len(found.boundary) == len(found.variances[0]) == 2


def test_what_is_no_simulation_is_refused(fitted):
    psi, rows = fitted.fit.psi, np.eye(4)
    with pytest.raises(FitError, match=r"The design has covariances of \[2, 2\] effects; those given have"):
        fitted.simulated_tests(rows, psi[:1], 1.0, n_sim=10)
    with pytest.raises(FitError, match="A simulation needs at least 2 studies, not 1"):
        fitted.simulated_tests(rows, psi, 1.0, n_sim=1)
    series = al.MixedModel.from_formula(
        "y ~ week * x + (1 | unit/group)", balanced(), residual=al.AR1("week")
    )
    res = series.fit(require_certificate=False)
    with pytest.raises(FitError, match="Simulated studies are not available with a residual structure"):
        res.simulated_tests(rows, res.fit.psi, 1.0, n_sim=10)
