"""Variance shares of symptom level and of change, and the reliability of a therapist's mean alliance."""

from scipy.stats import hmean

from alliance_longitudinal.analyses.early_parts.design import EarlyDesign
from alliance_longitudinal.analyses.kit.fits import ENDPOINT, GROWTH, LEVEL, Fitted, fit_first
from alliance_longitudinal.analyses.kit.shares import (
    exact_icc_interval,
    reliability_of_mean,
    share_estimates,
    variance_shares,
    with_failures,
)
from alliance_longitudinal.analyses.result import Estimate


def variance_estimates(design: EarlyDesign, n_boot: int, seed: int) -> tuple[list[Estimate], list[Fitted]]:
    """Estimates with ids ``share_level_*``, ``share_change_*``, ``alliance_icc_therapist``, ``reliability_therapist_mean``."""
    n = {"therapist": design.n_therapists, "client": design.n_clients, "session": len(design.rows)}
    y = design.choices.outcome.instrument.label
    level = fit_first("level", "Symptom level, no predictors", "y ~ weeks", design.rows, LEVEL)
    change = fit_first("change", "Rate of change, no predictors", "y ~ weeks", design.rows, GROWTH)
    out: list[Estimate] = []
    models: list[Fitted] = []
    for fitted, term, prefix, what in (
        (level, "Intercept", "share_level", f"{y} level"),
        (change, "weeks", "share_change", f"{y} rate of change"),
    ):
        shares = variance_shares(fitted, term, n_boot=n_boot, seed=seed + len(models))
        out += share_estimates(shares, prefix, what, n) if shares else []
        models.append(with_failures(fitted, shares))
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
