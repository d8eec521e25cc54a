"""Shares of variance between therapists, between clients and between sessions, with intervals.

Intervals are percentiles of a parametric bootstrap: new data are simulated from the fitted model and the model
is fitted again. A variance cannot be negative, so its sampling distribution near zero is not symmetric and a
Wald interval would be wrong (Goldstein, Browne & Rasbash 2002, doi 10.1207/S15328031US0104_02, on partitioning).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats import hmean

from alliance_longitudinal.analyses.analysis_result import Estimate
from alliance_longitudinal.analyses.parts.fits import Fitted
from alliance_longitudinal.findings import Finding

LEVELS = ("therapist", "client", "session")


@dataclass(frozen=True, slots=True)
class Shares:
    """Variances by level: the estimate, and one row a bootstrap draw.

    Attributes
    ----------
    estimate : Series
        Variance of each level that the model has.
    draws : DataFrame, shape (n_boot, levels)
    failed : int
        Replicates whose refit was not certified; they are left out and counted.
    """

    estimate: pd.Series
    draws: pd.DataFrame
    failed: int

    def share(self, level: str) -> tuple[float, float, float]:
        """Share of ``level`` in the total with its 95 % percentile interval."""
        value = float(self.estimate[level] / self.estimate.sum())
        drawn = (self.draws[level] / self.draws.sum(axis=1)).to_numpy()
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        return value, float(low), float(high)


def variance_shares(fitted: Fitted, term: str, *, n_boot: int, seed: int) -> Shares:
    """Variances of ``term`` by level.

    Parameters
    ----------
    fitted : Fitted
        A mixed model whose groups are therapists and clients.
    term : str
        ``"Intercept"`` for level (then the session's residual is one of the levels), or the time variable for
        change (which has no session level: a rate of change is not a single session's).
    n_boot, seed : int
    """
    table = fitted.result.varcorr
    wanted: dict[str, tuple[str, str]] = {}
    for group, first, second in zip(table["group"], table["term1"], table["term2"], strict=True):
        if pd.isna(second) and first == term:
            wanted["therapist" if group == "therapist" else "client"] = (str(group), str(first))
    rows = {level: _row(table, *key) for level, key in wanted.items()}
    if term == "Intercept":
        rows["session"] = len(table) - 1
    order = [level for level in LEVELS if level in rows]
    estimate = pd.Series({level: float(table["vcov"].iloc[rows[level]]) for level in order})
    boot = fitted.result.bootstrap(n_boot=n_boot, seed=seed)
    drawn = pd.DataFrame({level: boot.varcorr.iloc[:, rows[level]].to_numpy() for level in order})
    return Shares(estimate, drawn.dropna(ignore_index=True), int(boot.n_failed))


def with_failures(fitted: Fitted, shares: Shares) -> Fitted:
    """``fitted`` with a finding if bootstrap samples of it could not be refitted."""
    if not shares.failed:
        return fitted
    drawn = shares.failed + len(shares.draws)
    found = Finding(
        "bootstrap_failures",
        "caution" if shares.failed <= drawn / 20 else "failed",
        f"{shares.failed} of {drawn} bootstrap samples could not be refitted with a certified optimum and are left out of "
        "the intervals of the variance shares.",
        fitted.title,
    )
    return replace(fitted, findings=(*fitted.findings, found))


def _row(table: pd.DataFrame, group: str, term: str) -> int:
    match = (table["group"] == group) & (table["term1"] == term) & table["term2"].isna()
    return int(np.flatnonzero(match.to_numpy())[0])


def share_estimates(shares: Shares, prefix: str, what: str, n: dict[str, int]) -> list[Estimate]:
    """One estimate a level: id ``<prefix>_<level>``."""
    words = {
        "therapist": "between therapists",
        "client": "between clients of one therapist",
        "session": "between sessions of one client",
    }
    if "therapist" not in shares.estimate.index:
        words["client"] = "between clients"
    out = []
    for level in shares.estimate.index:
        value, low, high = shares.share(level)
        out.append(
            Estimate(
                id=f"{prefix}_{level}",
                label=f"{what}: share {words[level]}",
                estimate=value,
                ci_low=low,
                ci_high=high,
                n=n[level],
                level=level,
                unit="share",
            )
        )
    return out


def reliability_of_mean(icc: float, caseload: float) -> float:
    """Reliability of a therapist's mean over ``caseload`` clients (Spearman-Brown).

    ``n icc / (1 + (n - 1) icc)``; Luedtke et al. 2008, doi 10.1037/a0012869.
    """
    return caseload * icc / (1 + (caseload - 1) * icc)


def exact_icc_interval(values: pd.Series, groups: pd.Series) -> tuple[float, float]:
    """95 % interval for the share of variance between groups, one value a member.

    From the F distribution of the unweighted means (Thomas & Hultquist 1978, doi 10.1214/aos/1176344202), exact for
    equal groups; ``values`` must not be equal within every group. Percentiles of a bootstrap cover too rarely here.
    """
    by_group = values.groupby(groups)
    size, j = by_group.size(), by_group.ngroups
    caseload = float(hmean(size))
    within_df = len(values) - j
    within = float(((values - by_group.transform("mean")) ** 2).sum() / within_df)
    ratio = caseload * float(by_group.mean().var()) / within
    bounds = [(ratio / stats.f.ppf(q, j - 1, within_df) - 1) / caseload for q in (0.975, 0.025)]
    low, high = (max(b, 0.0) / (1 + max(b, 0.0)) for b in bounds)
    return low, high
