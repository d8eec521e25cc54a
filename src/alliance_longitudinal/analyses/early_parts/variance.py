"""Variance shares of symptom level and of change, and the reliability of a therapist's mean alliance."""

from scipy.stats import hmean

from alliance_longitudinal.analyses.analysis_result import Estimate
from alliance_longitudinal.analyses.early_parts.design import EarlyDesign
from alliance_longitudinal.analyses.parts.fits import ENDPOINT, GROWTH, LEVEL, Fitted, fit_first
from alliance_longitudinal.analyses.parts.shares import (
    exact_icc_interval,
    reliability_of_mean,
    share_estimates,
    variance_shares,
    with_failures,
)


def variance_estimates(design: EarlyDesign, n_boot: int, seed: int) -> tuple[list[Estimate], list[Fitted]]:
    """Estimates with ids ``share_level_*``, ``share_change_*``, ``alliance_icc_therapist``, ``reliability_therapist_mean``."""
    n = {"therapist": design.n_therapists, "client": design.n_clients, "session": len(design.rows)}
    y = design.choices.outcome.instrument.label
    level = fit_first("level", "Symptom level, no predictors", "y ~ weeks", design.rows, LEVEL)
    change = fit_first("change", "Rate of change, no predictors", "y ~ weeks", design.rows, GROWTH)
    shares = variance_shares(level, "Intercept", n_boot=n_boot, seed=seed)
    out = share_estimates(shares, "share_level", f"{y} level", n)
    models = [with_failures(level, shares)]
    if change.structure.client_slope:
        shares = variance_shares(change, "weeks", n_boot=n_boot, seed=seed + 1)
        change = with_failures(change, shares)
        if len(shares.estimate) > 1:
            out += share_estimates(shares, "share_change", f"{y} rate of change", n)
    models.append(change)
    if design.between and "early_client" in design.predictors(split=True):
        alliance = fit_first(
            "alliance", "Early alliance, no predictors", "early ~ 1", design.clients, ENDPOINT
        )
        models.append(alliance)
        if alliance.mixed:
            out += _reliability(alliance, design)
    return out, models


def _reliability(alliance: Fitted, design: EarlyDesign) -> list[Estimate]:
    """Therapist share of early alliance, and the reliability of a mean over the usual caseload (harmonic mean)."""
    variances = alliance.result.varcorr["vcov"].to_numpy()  # therapist, then residual
    icc = float(variances[0] / variances.sum())
    low, high = exact_icc_interval(design.clients["early"], design.clients["therapist"])
    caseload = float(hmean(design.clients.groupby("therapist").size()))
    a = design.choices.alliance.instrument.label
    reliability = [reliability_of_mean(x, caseload) for x in (icc, low, high)]
    n = design.n_therapists
    return [
        Estimate(
            "alliance_icc_therapist",
            f"Early {a}: share between therapists",
            icc,
            ci_low=low,
            ci_high=high,
            n=n,
            level="therapist",
            unit="share",
        ),
        Estimate(
            "reliability_therapist_mean",
            f"Reliability of a therapist's mean early {a} ({caseload:.1f} clients)",
            reliability[0],
            ci_low=reliability[1],
            ci_high=reliability[2],
            n=n,
            level="therapist",
            unit="reliability",
        ),
    ]
