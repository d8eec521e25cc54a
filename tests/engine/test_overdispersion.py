"""Counts that vary more than Poisson counts are said, others not."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al


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
