"""Shares of variance between therapists, between clients and between sessions, with intervals.

A variance cannot be negative, so its sampling distribution near zero is not symmetric and a Wald interval would be wrong
(Goldstein, Browne & Rasbash 2002, doi 10.1207/S15328031US0104_02, on partitioning). Intervals are those of the profile
likelihood or, if samples are asked for, percentiles of a parametric bootstrap, which cover too rarely with few therapists.
"""

from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit.fits import Fitted
from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.counts import Number
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

LEVELS = ("clinic", "therapist", "client", "session")


@dataclass(frozen=True, slots=True)
class Shares:
    """Variances by level, and 95 % limits of their shares.

    Attributes
    ----------
    estimate : Series
        Variance of each level that the model has.
    low, high : Series
        Limits of each level's share in the total.
    n_boot, failed : int
        Bootstrap samples that the limits are from, and those without a verified optimum, which are left out and counted.
    """

    estimate: pd.Series
    low: pd.Series
    high: pd.Series
    n_boot: int = 0
    failed: int = 0

    def share(self, level: str) -> tuple[float, float, float]:
        """Share of ``level`` in the total with its interval."""
        value = float(self.estimate[level] / self.estimate.sum())
        return value, float(self.low[level]), float(self.high[level])


def variance_shares(fitted: Fitted, term: str, *, n_boot: int, seed: int) -> Shares | None:
    """Variances of ``term`` by level; None where only one level has it, or nothing varies.

    Parameters
    ----------
    fitted : Fitted
        A mixed model whose groups are therapists and clients.
    term : str
        ``"Intercept"`` for level (then the session's residual is one of the levels), or the time variable for
        change (which has no session level: a rate of change is not a single session's).
    n_boot, seed : int
        Bootstrap samples, 0 for the profile likelihood; and their seed.
    """
    table = fitted.result.varcorr
    of = None if term == "Intercept" else term
    if of and int((table["term1"].eq(term) & table["term2"].isna()).sum()) < 2:
        return None
    if n_boot:
        shares = fitted.result.icc(n_boot=n_boot, seed=seed, of=of)
    else:
        shares = fitted.result.icc(method="profile", of=of)
    named = {"clinic": "clinic", "therapist": "therapist", "Residual": "session"}
    shares.index = pd.Index([named.get(group, "client") for group in shares["group"]])
    shares = shares.loc[[level for level in LEVELS if level in shares.index]]
    if not shares["variance"].sum() > 0:
        return None
    return Shares(
        shares["variance"], shares["lower"], shares["upper"], n_boot, shares.attrs.get("n_failed", 0)
    )


def interval_words(n_boot: int) -> str:
    """What intervals of shares are, for a methods text."""
    if n_boot:
        return f"percentiles of {n_boot} parametric bootstrap samples"
    return "from the profile of the restricted likelihood"


def with_failures(fitted: Fitted, shares: Shares | None) -> Fitted:
    """``fitted`` with a finding if bootstrap samples of it could not be refitted."""
    if not (shares and shares.failed):
        return fitted
    found = Finding(
        "bootstrap_failures",
        "caution" if shares.failed <= shares.n_boot / 20 else "failed",
        say(
            "{failed} of {n} bootstrap samples could not be refitted. They are left out of the "
            "intervals of the variance shares.",
            failed=Number(shares.failed, "integer"),
            n=Number(shares.n_boot, "integer"),
        ),
        fitted.title,
    )
    return replace(fitted, findings=(*fitted.findings, found))


def share_estimates(shares: Shares, prefix: str, what: str, n: dict[str, int]) -> list[Estimate]:
    """One estimate a level: id ``<prefix>_<level>``."""
    words = {
        "clinic": "between clinics",
        "therapist": "between therapists",
        "client": "between clients of the same therapist",
        "session": "between sessions of the same client",
    }
    if "therapist" not in shares.estimate.index:
        words["client"] = "between clients"
    if "clinic" in shares.estimate.index:
        words["therapist"] = "between therapists of the same clinic"
    out = []
    for level in shares.estimate.index:
        value, low, high = shares.share(level)
        out.append(
            Estimate(
                id=f"{prefix}_{level}",
                label=say("{what}: share {between}", what=what, between=words[level]),
                estimate=value,
                ci_low=low,
                ci_high=high,
                n=n[level],
                level=level,
                unit="share",
            )
        )
    return out
