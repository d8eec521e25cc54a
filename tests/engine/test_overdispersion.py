"""Counts that vary more than Poisson counts are said, others not."""

import math

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from inside.engine_families import NegativeBinomial


def counts(seed, theta, level, units=60, rows=6):
    """Counts around group means; gamma-mixed with ``theta``, infinite for Poisson counts."""
    rng = np.random.default_rng(seed)
    g, t = np.repeat(np.arange(units), rows), np.tile(np.arange(rows), units)
    mean = np.exp(level - 0.1 * t + 0.6 * rng.normal(size=units)[g])
    mixed = mean if np.isinf(theta) else mean * rng.gamma(theta, 1 / theta, len(g))
    return pd.DataFrame({"y": rng.poisson(mixed), "t": t, "g": g})


def finding(frame, **options):
    res = al.MixedModel.from_formula("y ~ t + (1 | g)", frame, **{"family": "poisson", **options}).fit()
    return [f for f in res.findings if f.code == "overdispersion"]


@pytest.mark.parametrize("level", [-1.0, 0.5, 3.0])
def test_poisson_counts_are_left_alone(level):
    assert not [seed for seed in range(8) if finding(counts(seed, np.inf, level))]


@pytest.mark.parametrize(("theta", "level"), [(1.0, 0.5), (2.0, 1.5), (5.0, 3.0)])
def test_counts_that_vary_more_are_said(theta, level):
    (found,) = finding(counts(1, theta, level))
    assert found.severity == "caution"
    assert "The counts vary more than the model allows" in found.message
    assert "family='negative-binomial'" in found.message


def test_a_negative_binomial_and_an_offset_are_no_reason():
    assert not finding(counts(1, 1.0, 0.5), family="negative-binomial")
    frame = counts(3, np.inf, 1.0)
    days = np.random.default_rng(1).uniform(0, 3, len(frame))
    frame = frame.assign(days=days, y=np.random.default_rng(2).poisson(np.exp(days)))
    assert not finding(frame, offset="days")


@pytest.mark.parametrize("log_theta", [-2.0, 1.0, 5.8, 9.0])
def test_the_density_of_counts_keeps_its_digits_for_a_large_theta(log_theta):
    # Sums over log(1 + k / theta), term by term in exact order, are the reference; 10,001 and more are beyond the table.
    y = np.array([0.0, 1, 2, 7, 40, 10_000, 10_001, 20_000])
    eta, theta, size = np.log(y + 0.5), math.exp(log_theta), np.ones(len(y))
    rising = [math.fsum(math.log1p(k / theta) for k in range(int(n))) for n in y]
    mean = np.exp(eta)
    expected = rising + y * eta - (y + theta) * np.log1p(mean / theta)
    slope = [-math.fsum(k / (theta + k) for k in range(int(n))) for n in y]
    by_theta = slope - theta * np.log1p(mean / theta) + (y + theta) * mean / (mean + theta)
    family, aux = NegativeBinomial(), np.array([log_theta])
    np.testing.assert_allclose(family.density(eta, y, size, aux).l, expected, rtol=1e-12)
    np.testing.assert_allclose(family.auxiliary(eta, y, size, aux)[0].l, by_theta, rtol=1e-9)
