"""Reliability of therapist means against the table of methods (Luedtke et al. 2008), and shares against lme4."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal.analyses.analysis_result import AnalysisResult
from alliance_longitudinal.analyses.parts.fits import LEVEL, Fitted
from alliance_longitudinal.analyses.parts.shares import Shares, reliability_of_mean, with_failures
from analyses.studies import value

TABLE = {
    0.05: (0.2083, 0.3448, 0.5128, 0.6780, 0.8081),
    0.10: (0.3571, 0.5263, 0.6897, 0.8163, 0.8989),
    0.20: (0.5556, 0.7143, 0.8333, 0.9091, 0.9524),
}


@pytest.mark.parametrize("icc", TABLE)
def test_reliability_of_a_mean(icc: float) -> None:
    ours = [reliability_of_mean(icc, n) for n in (5, 10, 20, 40, 80)]
    np.testing.assert_allclose(ours, TABLE[icc], atol=5e-5)  # printed to four digits


def test_shares_add_up_to_one(early: AnalysisResult) -> None:
    level = sum(value(early, f"share_level_{k}") for k in ("therapist", "client", "session"))
    change = sum(value(early, f"share_change_{k}") for k in ("therapist", "client"))
    np.testing.assert_allclose([level, change], 1, rtol=1e-12)


def test_same_seed_same_intervals(early: AnalysisResult) -> None:
    from alliance_longitudinal.analyses.early_alliance import early_alliance

    again = early_alliance(early.study, n_boot=50).estimates
    assert again.equals(early.estimates)


@pytest.mark.parametrize(("failed", "severity"), [(0, None), (2, "caution"), (20, "failed")])
def test_bootstrap_samples_that_cannot_be_refitted_are_a_finding(failed: int, severity: str | None) -> None:
    levels = pd.Series({"therapist": 1.0, "client": 3.0})
    draws = pd.DataFrame({"therapist": np.ones(100 - failed), "client": np.full(100 - failed, 3.0)})
    shares = Shares(levels, draws, failed)
    fitted = with_failures(Fitted("m", "Level", "y ~ 1", LEVEL[0], None, (), ()), shares)
    assert shares.share("therapist") == (0.25, 0.25, 0.25)
    assert [f.severity for f in fitted.findings] == ([severity] if severity else [])
    if severity:
        assert fitted.findings[0].message.startswith(
            f"{failed} of 100 bootstrap samples could not be refitted"
        )
