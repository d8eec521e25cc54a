"""The effects of early alliance: total, within and between therapists, contextual; on the course and on the end point."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.analyses.early_alliance.design import EarlyDesign
from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    LEVEL,
    Estimate,
    Fitted,
    fit_first,
    therapist_df,
)
from alliance_longitudinal.analyses.kit.shares import (
    share_estimates,
    variance_shares,
    with_failures,
)
from alliance_longitudinal.methods.basics.inference import (
    exact_icc_interval,
    partial_correlation,
    reliability_of_mean,
)

Fit = Callable[..., Fitted]
COURSE, CHANGE = "Course after the window", "Change from intake to the last score"
_EFFECT_WORDS = {
    "total": "Early alliance, total",
    "within": "Within therapists: clients of the same therapist compared",
    "between": "Between therapists: therapists' means compared",
    "contextual": "Contextual: between minus within",
}


@dataclass(frozen=True, slots=True)
class EarlyModels:
    """The four models of the main analysis."""

    growth: Fitted
    growth_total: Fitted
    endpoint: Fitted
    endpoint_total: Fitted

    def all(self) -> tuple[Fitted, ...]:
        """In reading order."""
        return (self.growth, self.growth_total, self.endpoint, self.endpoint_total)


def fit_split(design: EarlyDesign) -> tuple[Fitted, Fitted]:
    """The course and the end point with alliance split into client and therapist part."""
    growth = fit_first("growth", COURSE, design.growth_formula(), design.rows, GROWTH)
    endpoint = fit_first("endpoint", CHANGE, design.endpoint_formula(), design.clients, ENDPOINT)
    return growth, endpoint


def fit_models(design: EarlyDesign, fit: Fit = fit_first) -> EarlyModels:
    """The split models and, with total alliance, the total models; ``fit`` is ``fit_first`` or a draft's ``fit``."""
    growth = fit("growth", COURSE, design.growth_formula(), design.rows, GROWTH)
    growth_total = fit(
        "growth_total",
        f"{COURSE}, total alliance",
        design.growth_formula(split=False),
        design.rows,
        GROWTH,
    )
    endpoint = fit("endpoint", CHANGE, design.endpoint_formula(), design.clients, ENDPOINT)
    endpoint_total = fit(
        "endpoint_total",
        "Change from intake, total alliance",
        design.endpoint_formula(split=False),
        design.clients,
        ENDPOINT,
    )
    return EarlyModels(growth, growth_total, endpoint, endpoint_total)


def split_effects(fitted: Fitted, design: EarlyDesign, kind: str) -> dict[str, dict[str, float]]:
    """Within, between and contextual effect of a split model; between and contextual where both can be estimated.

    Parameters
    ----------
    kind : {"slope", "end"}
    """
    prefix = "weeks:" if kind == "slope" else ""
    within, between = f"{prefix}early_client", f"{prefix}early_therapist"
    present = set(design.predictors(split=True))
    bound = therapist_df(design.n_therapists, design.therapist_predictors())
    out: dict[str, dict[str, float]] = {}
    if "early_client" in present:
        out["within"] = fitted.combination({within: 1.0})
    if "early_therapist" in present:
        out["between"] = fitted.combination({between: 1.0}, bound)
    if {"early_client", "early_therapist"} <= present:
        out["contextual"] = fitted.combination({between: 1.0, within: -1.0}, bound)
    return out


def effect_estimates(models: EarlyModels, design: EarlyDesign) -> list[Estimate]:
    """All effects in instrument points: outcome points (a week, or at the end) per alliance point."""
    out: list[Estimate] = []
    a, y = design.choices.alliance.instrument.label, design.choices.outcome.instrument.label
    time = design.choices.time
    for kind, split, total, unit, words in (
        (
            "slope",
            models.growth,
            models.growth_total,
            f"{y} points per {time} per {a} point",
            design.choices.rate,
        ),
        (
            "end",
            models.endpoint,
            models.endpoint_total,
            f"{y} points per {a} point",
            "change from intake to last score",
        ),
    ):
        term = "weeks:early_total" if kind == "slope" else "early_total"
        found = split_effects(split, design, kind) | {"total": total.combination({term: 1.0})}
        n_rows = len(design.rows) if kind == "slope" else design.n_clients
        for effect, row in found.items():
            level = {"within": "client", "total": "all"}.get(effect, "therapist")
            label = f"{_EFFECT_WORDS[effect]} ({words})"
            out.append(_estimate(f"{kind}_{effect}", label, row, n_rows, level, unit))
    return out


def _estimate(id_: str, label: str, row: dict[str, float], n: int, level: str, unit: str) -> Estimate:
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    return Estimate(id=id_, label=label, n=n, level=level, unit=unit, **numbers)


def point_estimates(effects: list[Estimate], design: EarlyDesign, weeks: float) -> list[Estimate]:
    """The same effects as differences in outcome points that go with one standard deviation of alliance."""
    y = design.choices.outcome.instrument.label
    by_id = {e.id: e for e in effects}
    sds = {
        "within": design.sd("early_client"),
        "between": design.sd_of_therapists(),
        "total": design.sd("early_total"),
    }
    out = []
    for kind, times, words in (
        ("slope", weeks, f"over {weeks:.0f} {design.choices.time}s"),
        ("end", 1.0, "at the last score"),
    ):
        for effect, sd in sds.items():
            source = by_id.get(f"{kind}_{effect}")
            if source is None:
                continue
            factor = sd * times
            out.append(
                Estimate(
                    id=f"{kind}_{effect}_per_sd",
                    label=f"{_EFFECT_WORDS[effect]} (per standard deviation of alliance, {words})",
                    estimate=source.estimate * factor,
                    se=source.se * factor,
                    df=source.df,
                    ci_low=source.ci_low * factor,
                    ci_high=source.ci_high * factor,
                    p=source.p,
                    n=source.n,
                    level=source.level,
                    unit=f"{y} points",
                )
            )
    return out


def correlation_estimates(effects: list[Estimate], design: EarlyDesign) -> list[Estimate]:
    """The effects as partial correlations; positive means better alliance, better outcome.

    ``r = t / sqrt(t^2 + df)`` with an interval by Fisher's z and standard error ``1 / sqrt(df - 1)``
    (Rosenthal 1994; for partial correlations Fisher 1924). ``r_<effect>`` is the correlation of early alliance with
    the change from intake, ``r_slope_<effect>`` that with the rate of change after the window, both given the
    adjustment variables. The latter is smaller than a correlation with error-free rates of change would be.
    """
    wanted = {"end": ("r_", "change from intake"), "slope": ("r_slope_", "rate of change")}
    out = []
    for e in effects:
        kind, _, effect = e.id.partition("_")
        if effect == "contextual" or not e.se > 0:
            continue
        prefix, words = wanted[kind]
        r, low, high = partial_correlation(design.choices.good_sign * e.estimate / e.se, e.df)
        label = f"{_EFFECT_WORDS[effect]} (correlation with {words}; positive = better)"
        # The p value is that of the coefficient: r is a function of the same t.
        out.append(Estimate(prefix + effect, label, r, float("nan"), e.df, low, high, e.p, e.n, e.level, "r"))
    return out


def variance_estimates(
    design: EarlyDesign, n_boot: int, seed: int, fit: Fit = fit_first
) -> tuple[list[Estimate], list[Fitted]]:
    """Estimates with ids ``share_level_*``, ``share_change_*``, ``alliance_icc_therapist``, ``reliability_therapist_mean``."""
    n = {"therapist": design.n_therapists, "client": design.n_clients, "session": len(design.rows)}
    y = design.choices.outcome.instrument.label
    level = fit("level", "Symptom level, no predictors", "y ~ weeks", design.rows, LEVEL)
    change = fit("change", "Rate of change, no predictors", "y ~ weeks", design.rows, GROWTH)
    out: list[Estimate] = []
    models: list[Fitted] = []
    for k, (fitted, term, prefix, what) in enumerate(
        (
            (level, "Intercept", "share_level", f"{y} level"),
            (change, "weeks", "share_change", f"{y} rate of change"),
        )
    ):
        shares = variance_shares(fitted, term, n_boot=n_boot, seed=seed + k)
        out += share_estimates(shares, prefix, what, n) if shares else []
        models.append(with_failures(fitted, shares))
    if design.between and "early_client" in design.predictors(split=True):
        alliance = fit("alliance", "Early alliance, no predictors", "early ~ 1", design.clients, ENDPOINT)
        models.append(alliance)
        if alliance.mixed:
            out += _reliability(alliance, design)
    return out, models


def _reliability(alliance: Fitted, design: EarlyDesign) -> list[Estimate]:
    """Therapist share of early alliance, and the reliability of a mean over the usual caseload (harmonic mean)."""
    variances = alliance.result.varcorr["vcov"].to_numpy()  # therapist, then residual
    icc = float(variances[0] / variances.sum())
    low, high = exact_icc_interval(design.clients["early"], design.clients["therapist"])
    caseload = float(_harmonic(design.clients.groupby("therapist").size()))
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


def _harmonic(sizes: "pd.Series[int]") -> float:
    return float(1 / (1 / sizes).mean())
