"""Reliability of therapist means against the table of methods (Luedtke et al. 2008), and shares against lme4."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import AnalysisResult
from alliance_longitudinal.analyses.kit import LEVEL, Fitted
from analyses.studies import value
from analyses.test_early_alliance import design_of
from inside.analyses_early_alliance import variance_estimates
from inside.analyses_kit import Shares, with_failures
from inside.methods_basics import inference

TABLE = {
    0.05: (0.2083, 0.3448, 0.5128, 0.6780, 0.8081),
    0.10: (0.3571, 0.5263, 0.6897, 0.8163, 0.8989),
    0.20: (0.5556, 0.7143, 0.8333, 0.9091, 0.9524),
}


@pytest.mark.parametrize("icc", TABLE)
def test_reliability_of_a_mean(icc: float) -> None:
    ours = [inference.reliability_of_mean(icc, n) for n in (5, 10, 20, 40, 80)]
    np.testing.assert_allclose(ours, TABLE[icc], atol=5e-5)  # printed to four digits


def test_shares_add_up_to_one(early: AnalysisResult) -> None:
    level = sum(value(early, f"share_level_{k}") for k in ("therapist", "client", "session"))
    change = sum(value(early, f"share_change_{k}") for k in ("therapist", "client"))
    np.testing.assert_allclose([level, change], 1, rtol=1e-12)


def test_bootstrap_intervals_are_near_those_of_the_likelihood(early: AnalysisResult) -> None:
    design = design_of(early.study)
    found = {n: variance_estimates(design, n, seed=1)[0] for n in (0, 100)}
    for likelihood, boot in zip(found[0], found[100], strict=True):
        assert likelihood.id == boot.id
        assert likelihood.estimate == boot.estimate
        # Limits of 100 samples, less skewed than those of the likelihood: the same to a third of the width.
        width = likelihood.ci_high - likelihood.ci_low
        assert abs(likelihood.ci_low - boot.ci_low) < width / 3
        assert abs(likelihood.ci_high - boot.ci_high) < width / 3
    # Compared as text, each number to its last digit: since Python 3.13 a dataclass with a nan does not equal itself.
    again = variance_estimates(design, 100, seed=1)[0]
    assert repr(again) == repr(found[100])


@pytest.mark.parametrize(("failed", "severity"), [(0, None), (2, "caution"), (20, "failed")])
def test_bootstrap_samples_that_cannot_be_refitted_are_a_finding(failed: int, severity: str | None) -> None:
    levels = pd.Series({"therapist": 1.0, "client": 3.0})
    shares = Shares(levels, 0.2 * levels, 0.3 * levels, 100, failed)
    fitted = with_failures(Fitted("m", "Level", "y ~ 1", LEVEL[0], None, (), ()), shares)
    assert shares.share("therapist") == (0.25, 0.2, 0.3)
    assert [f.severity for f in fitted.findings] == ([severity] if severity else [])
    if severity:
        assert fitted.findings[0].message.startswith(
            f"{failed} of 100 bootstrap samples could not be refitted"
        )


DYESTUFF = """1545 1440 1440 1520 1580 1540 1555 1490 1560 1495 1595 1550 1605 1510 1560
1445 1440 1595 1465 1545 1595 1630 1515 1635 1625 1520 1455 1450 1480 1445"""


def test_exact_interval_of_a_share_on_dyestuff() -> None:
    """Balanced one-way data: the exact interval, .0838361 to .8478768 (six batches of five)."""
    values = pd.Series([float(v) for v in DYESTUFF.split()])
    interval = inference.exact_icc_interval(values, pd.Series(np.repeat(range(6), 5)))
    np.testing.assert_allclose(interval, [0.0838361, 0.8478768], atol=5e-8)


def test_exact_interval_covers_with_unequal_groups() -> None:
    """2,000 samples of 30 unequal groups with a true share of .12: 95 % +/- 1.5 % (three standard errors)."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(5, 45, 30)
    groups = pd.Series(np.repeat(np.arange(30), sizes))
    inside = 0
    for _ in range(2000):
        effects = rng.normal(0, np.sqrt(0.12), 30)
        values = pd.Series(effects[groups] + rng.normal(0, np.sqrt(0.88), len(groups)))
        low, high = inference.exact_icc_interval(values, groups)
        inside += low <= 0.12 <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


def test_no_differences_between_groups_give_a_lower_limit_of_zero() -> None:
    values = pd.Series([1.0, 3.0, 1.0, 3.0, 1.0, 3.0])
    assert inference.exact_icc_interval(values, pd.Series([0, 0, 1, 1, 2, 2])) == (0.0, 0.0)
