"""Truth recovered from simulated data, with intervals that cover it."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al

#: Data sets a family; 250 binary ones gave a mean slope of 0.497 (Monte Carlo error 0.008), coverage 95.6 %, and standard
#: errors of 0.124 for a spread of 0.130.
N_SETS = 16


def rows(rng):
    groups = np.repeat(np.arange(30), 12)
    return pd.DataFrame({"g": [f"g{i}" for i in groups], "x": rng.normal(size=360)}), groups


def linear(frame, groups, rng, sd):
    return 0.3 + 0.5 * frame["x"].to_numpy() + sd * rng.normal(size=30)[groups]


def draw(family, eta, rng):
    if family == "binomial":
        return rng.binomial(1, 1 / (1 + np.exp(-eta)))
    if family == "poisson":
        return rng.poisson(np.exp(eta))
    if family == "negative-binomial":
        return rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, len(eta)))
    return np.digitize(eta + rng.logistic(size=len(eta)), [-1.0, 0.5, 2.0])


@pytest.mark.parametrize("family", ["binomial", "poisson", "negative-binomial", "ordinal"])
def test_estimates_are_near_the_truth_and_intervals_cover_it(family):
    """Bias below three of its own Monte Carlo errors (Laplace's own bias is smaller here); cover in binomial bounds."""
    rng = np.random.default_rng(77)
    sd, found, covered, spread = 0.7, [], [], []
    for _ in range(N_SETS):
        frame, groups = rows(rng)
        frame["y"] = draw(family, linear(frame, groups, rng, sd), rng)
        res = al.MixedModel.from_formula("y ~ x + (1 | g)", frame, family=family).fit()
        limits = res.conf_int().loc["x"]
        found.append([res.params["x"], res.varcorr["sdcor"][0]])
        covered.append(limits["lower"] < 0.5 < limits["upper"])
        spread.append(res.bse["x"])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(N_SETS)
    assert abs(mean[0] - 0.5) < 3 * error[0]
    # Maximum likelihood underestimates a variance, Laplace's method with binary rows a little more (250 sets: 0.62).
    assert abs(mean[1] - sd) < 3 * error[1] + 0.05
    assert np.mean(spread) == pytest.approx(np.std([f[0] for f in found]), rel=0.5)
    assert sum(covered) >= 12  # 15.2 expected; fewer than 12 once in 100 runs


def test_thresholds_and_dispersion_are_recovered():
    rng = np.random.default_rng(12)
    frame = pd.DataFrame({"g": [f"g{i}" for i in np.repeat(np.arange(60), 40)], "x": rng.normal(size=2400)})
    eta = 0.5 * frame["x"].to_numpy() + 0.7 * rng.normal(size=60)[np.repeat(np.arange(60), 40)]
    graded = frame.assign(y=draw("ordinal", eta, rng))
    ordinal = al.MixedModel.from_formula("y ~ x + (1 | g)", graded, family="ordinal").fit()
    z = (ordinal.params - [-1.0, 0.5, 2.0, 0.5]) / ordinal.bse
    assert (z.abs() < 3).all()
    counts = frame.assign(y=draw("negative-binomial", eta, rng))
    over = al.MixedModel.from_formula("y ~ x + (1 | g)", counts, family="negative-binomial").fit()
    assert abs(np.log(over.dispersion) - np.log(2.0)) < 3 * over.log_dispersion_se
    assert over.log_dispersion_se < 0.15
