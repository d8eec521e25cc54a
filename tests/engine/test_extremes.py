"""Numbers at the limits of double precision: a fit is verified as far as rounding allows, or says what to rescale."""

import re

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from inside.engine_linalg import dense
from inside.engine_search import optimize


def slopes(seed, decades):
    rng = np.random.default_rng(seed)
    g, n = np.repeat(np.arange(40), 10), 400
    t, x = np.tile(np.arange(10.0), 40), rng.normal(size=n)
    w = 10 ** rng.uniform(-decades / 2, decades / 2, n)
    b = rng.normal(size=(3, 40)) * np.array([[1.0], [0.3], [0.3]])
    y = 1 + 0.3 * t + 0.5 * x + b[0, g] + b[1, g] * t + b[2, g] * x + rng.normal(size=n) / np.sqrt(w)
    return pd.DataFrame({"y": y, "t": t, "x": x, "g": g, "w": w})


@pytest.mark.parametrize("seed", range(5))
def test_weights_over_twelve_decades_are_fitted(seed):
    res = al.MixedModel.from_formula("y ~ t + x + (t + x | g)", slopes(seed, 12), weights="w").fit()
    assert res.converged
    certificate = res.fit.record.best.certificate
    assert certificate.decrement < 1e-6  # a thousandth of a standard error
    assert ("rounded" in {f.code for f in res.findings}) == (certificate.distance > 1e-4)
    scaled = al.MixedModel.from_formula(
        "y ~ t + x + (t + x | g)", slopes(seed, 12).assign(w=lambda d: d["w"] * 1e3), weights="w"
    ).fit()
    np.testing.assert_allclose(res.params, scaled.params, rtol=1e-4)  # weights mean the same in any unit


def test_an_optimum_that_rounding_keeps_away_is_searched_from_all_starts_and_said(monkeypatch):
    def fit():
        return al.MixedModel.from_formula("y ~ t + (1 | g)", slopes(0, 0)).fit()

    first = fit()
    assert "rounded" not in {f.code for f in first.findings}
    search = "alliance_longitudinal.engine.search"
    monkeypatch.setattr(
        f"{search}.optimize.DECREMENT", 0.0
    )  # every optimum is too far, and any distance is said
    monkeypatch.setattr(f"{search}.words._FAR", 0.0)
    res = fit()
    assert res.converged
    assert len(res.optimization.values) == 5 > len(first.optimization.values)
    (said,) = [f for f in res.findings if f.code == "rounded"]
    assert said.severity == "info"
    assert re.match(
        r"Rounding ended the search \de-\d\d standard errors from the optimum, because", said.message
    )
    np.testing.assert_allclose(res.params, first.params, rtol=1e-8)  # both next to one optimum


def test_an_optimum_that_is_not_verified_because_of_rounding_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(optimize, "ROUNDED", 0.0)
    with pytest.raises(
        FitError,
        match=r"^No optimum could be verified after \d+ evaluations \(Newton decrement \S+ deviance units, smallest curvature "
        r"\S+\)\. The search ended near an optimum because of rounding: weights, counts or columns of the model differ",
    ):
        al.MixedModel.from_formula("y ~ t + (1 | g)", slopes(0, 0)).fit()


@pytest.mark.parametrize("mean", [1e6, 1e8, 1e9, 3e9])
def test_counts_near_a_thousand_million_are_fitted(mean):
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(40), 10), rng.normal(size=400)
    mu = mean * np.exp(0.1 * x + 0.3 * rng.normal(size=40)[g])
    frame = pd.DataFrame({"y": rng.poisson(mu), "x": x, "g": g})
    res = al.MixedModel.from_formula("y ~ x + (1 | g)", frame, family="poisson").fit()
    assert res.params["x"] == pytest.approx(0.1, abs=1e-4)
    assert res.fit.record.best.certificate.decrement < 1e-6


def test_counts_beyond_double_precision_say_what_to_do():
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(40), 10), rng.normal(size=400)
    mu = 1e10 * np.exp(0.1 * x + 0.3 * rng.normal(size=40)[g])
    frame = pd.DataFrame({"y": rng.poisson(mu), "x": x, "g": g}).assign(y=lambda d: d["y"] * 10.0)
    try:
        res = al.MixedModel.from_formula("y ~ x + (1 | g)", frame, family="poisson").fit()
    except FitError as error:
        assert "weights, counts or columns of the model differ by" in str(error)  # noqa: PT017
    else:
        assert res.params["x"] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize(("origin", "spread"), [(1e4, 1000), (1e5, 1000), (1e6, 1000)])
def test_a_far_origin_of_time_says_how_many_digits_are_lost(origin, spread):
    rng = np.random.default_rng(1)
    g, n = np.repeat(np.arange(6), 5), 30
    t = np.tile(np.arange(5.0), 6) + rng.normal(size=n) * 0.3 + origin
    y = 3 + 0.5 * (t - origin) + rng.normal(size=6)[g] * spread + rng.normal(size=n) * 0.01
    frame = pd.DataFrame({"y": y, "t": t, "o": g})
    res = al.MixedModel.from_formula("y ~ t + (1 | o) + (0 + t | o)", frame).fit(require_certificate=False)
    (said,) = [f for f in res.findings if f.code == "lost_digits"]
    assert said.severity == "caution"
    assert "Measure time and other predictors from a value within their range." in said.message
    near = al.MixedModel.from_formula(
        "y ~ t + (1 | o)", frame.assign(t=t - origin, y=y + 100 * rng.normal(size=n))
    ).fit()
    assert "lost_digits" not in {f.code for f in near.findings}


@pytest.mark.parametrize("origin", [0.0, 1e3, 1e4, 1e5, 1e6])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_far_origin_of_time_keeps_the_deviance_of_ordinary_data(origin, seed):
    """The same model at its own parameters, by matrices in extended precision's place: time from its origin."""
    rng = np.random.default_rng(seed)
    g, n = np.repeat(np.arange(6), 5), 30
    since = np.tile(np.arange(5.0), 6)
    y = 3 + 0.5 * since + rng.normal(size=6)[g] + 0.4 * rng.normal(size=6)[g] * since + rng.normal(size=n)
    frame = pd.DataFrame({"y": y, "t": since + origin, "o": g})
    res = al.MixedModel.from_formula("y ~ t + (1 | o) + (0 + t | o)", frame).fit()
    psi = [float(p[0, 0]) for p in res.fit.psi]
    terms = [
        (np.ones((n, 1)), g, np.array([[psi[0]]])),
        (frame[["t"]].to_numpy(), g, np.array([[psi[1]]])),
    ]
    v = dense.marginal_covariance(terms, res.fit.scale, None, n)
    # REML with time from its origin: the determinant of that change of columns is 1
    exact = dense.deviance(y, np.column_stack([np.ones(n), since]), v, True)
    assert res.deviance == pytest.approx(exact, abs=1e-6)
    assert "lost_digits" not in {f.code for f in res.findings}
