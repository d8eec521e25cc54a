"""Small pieces of inference: intervals of an estimate, a correlation, a mean, a share of variance.

scipy is loaded when a number is asked for, so that importing an analysis costs nothing.
"""

import numpy as np
import pandas as pd


def t_inference(estimate: float, se: float, df: float) -> dict[str, float]:
    """95 % interval and two-sided p from a t distribution with ``df`` degrees of freedom."""
    from alliance_longitudinal.engine import distributions as stats

    half = float(stats.t.ppf(0.975, df)) * se
    t = estimate / se if se > 0 else float("nan")
    p = float(2 * stats.t.sf(abs(t), df))
    return {
        "estimate": estimate,
        "se": se,
        "df": df,
        "t": t,
        "ci_low": estimate - half,
        "ci_high": estimate + half,
        "p": p,
    }


def partial_correlation(t: float, df: float, inflation: float = 1.0) -> tuple[float, float, float]:
    """Correlation that belongs to a t value, with its 95 % interval; the interval is -1 to 1 where df is at most 1.

    ``inflation`` multiplies Fisher's standard error ``1 / sqrt(df - 1)``, where clients are not independent.
    """
    from alliance_longitudinal.engine import distributions as stats

    r = float(t / np.sqrt(t * t + df))
    if df <= 1:
        return r, -1.0, 1.0
    half = inflation * stats.norm.ppf(0.975) / np.sqrt(df - 1)
    return r, float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


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
    from alliance_longitudinal.engine import distributions as stats

    by_group = values.groupby(groups)
    size, j = by_group.size(), by_group.ngroups
    caseload = float(len(size) / (1 / size).sum())
    within_df = len(values) - j
    within = float(((values - by_group.transform("mean")) ** 2).sum() / within_df)
    ratio = caseload * float(by_group.mean().var()) / within
    bounds = [(ratio / stats.f.ppf(q, j - 1, within_df) - 1) / caseload for q in (0.975, 0.025)]
    low, high = (max(b, 0.0) / (1 + max(b, 0.0)) for b in bounds)
    return low, high


def half_width(values: "pd.Series[float]") -> float:
    """Half of the 95 % t interval of a mean; with one value the spread is unknown (missing)."""
    from alliance_longitudinal.engine import distributions as stats

    n = len(values)
    return float(stats.t.ppf(0.975, max(n - 1, 1)) * values.std(ddof=1) / np.sqrt(n))


def p_of_no_shift(differences: "pd.Series[float]") -> float:
    """Two-sided p of a mean difference of zero by the t test; 1 where nothing differs."""
    from alliance_longitudinal.engine import distributions as stats

    moved = np.asarray(differences, dtype=float)
    if not np.std(moved):
        return 1.0
    t = np.mean(moved) / (np.std(moved, ddof=1) / np.sqrt(len(moved)))
    return float(2 * stats.t.sf(abs(t), len(moved) - 1))


def p_of_so_many(found: float, expected: float) -> float:
    """Probability of ``found`` or more events where ``expected`` are expected, by Poisson's distribution."""
    from alliance_longitudinal.engine import distributions as stats

    return float(stats.poisson.sf(found - 1, expected))


def beyond(z: float) -> float:
    """Share of a normal distribution that lies more than ``z`` standard deviations from its mean, on either side."""
    from alliance_longitudinal.engine import distributions as stats

    return 2 * float(stats.norm.sf(z))
