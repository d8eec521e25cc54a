"""The effects of early alliance: total, within and between therapists, contextual; on the course and on the end point."""

from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    LEVEL,
    Estimate,
    Fitted,
    fit_first,
)
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import (
    Fit,
    course_model,
    endpoint_model,
    split_effects,
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

_EFFECT_WORDS = {
    "total": "Early alliance, total",
    "within": "Within therapists",
    "between": "Between therapists",
    "contextual": "Contextual: between minus within",
}


@dataclass(frozen=True, slots=True)
class EarlyModels:
    """The four models of the main analysis; without enough later scores there are none of the course.

    ``same`` holds them with one effect of alliance for all therapists, and errors that are right only then.
    """

    growth: Fitted | None
    growth_total: Fitted | None
    endpoint: Fitted
    endpoint_total: Fitted
    same: "EarlyModels | None" = None

    @property
    def own_effect(self) -> bool:
        """Whether some effect of alliance differs between therapists in the models."""
        return any(m.structure.own_effect for m in (self.growth, self.endpoint) if m is not None)

    @property
    def robust(self) -> bool:
        """Whether effects within therapists have cluster-robust errors."""
        return any(m.robust is not None for m in (self.growth, self.endpoint) if m is not None)

    def of(self, kind: str, *, split: bool = True) -> Fitted | None:
        """The model of the course (``slope``) or of the end point (``end``)."""
        if kind == "slope":
            return self.growth if split else self.growth_total
        return self.endpoint if split else self.endpoint_total


def fit_models(design: EarlyDesign, fit: Fit = fit_first) -> EarlyModels:
    """The split models and, with total alliance, the total models; ``fit`` is ``fit_first`` or a draft's ``fit``."""
    own = EarlyModels(*_four(design, fit, own=True))
    if own.own_effect:
        same = EarlyModels(*_four(design, fit, own=False))
    else:
        same = EarlyModels(
            own.growth and _bare(own.growth),
            own.growth_total and _bare(own.growth_total),
            _bare(own.endpoint),
            _bare(own.endpoint_total),
        )
    return replace(own, same=same)


def _bare(fitted: Fitted) -> Fitted:
    """The model without robust errors."""
    return replace(fitted, robust=None)


def _four(design: EarlyDesign, fit: Fit, *, own: bool) -> tuple[Fitted | None, Fitted | None, Fitted, Fitted]:
    growth = course_model(design, fit, own=own) if design.course else None
    growth_total = course_model(design, fit, own=own, split=False) if design.course else None
    return (
        growth,
        growth_total,
        endpoint_model(design, fit, own=own),
        endpoint_model(design, fit, own=own, split=False),
    )


def effect_estimates(models: EarlyModels, design: EarlyDesign) -> list[Estimate]:
    """All effects in instrument points: outcome points (a week, or at the end) per alliance point."""
    out: list[Estimate] = []
    for kind in ("slope", "end"):
        split, total = models.of(kind), models.of(kind, split=False)
        if split is None or total is None:
            continue
        term = "weeks:early_total" if kind == "slope" else "early_total"
        found = split_effects(split, design, kind) | {"total": total.judged.combination({term: 1.0})}
        out += [effect_estimate(design, kind, effect, row) for effect, row in found.items()]
    return out


def effect_words(design: EarlyDesign, effect: str) -> str:
    """What an effect is called; without therapists that within them is one between clients."""
    return "Between clients" if effect == "within" and not design.n_therapists else _EFFECT_WORDS[effect]


def effect_estimate(
    design: EarlyDesign, kind: str, effect: str, row: dict[str, float], suffix: str = "", words: str = ""
) -> Estimate:
    """One effect on the course (``slope``) or the end point (``end``) as an estimate in points of both instruments."""
    a, y = design.choices.alliance.instrument.label, design.choices.outcome.instrument.label
    per_time = f" per {design.choices.time}" if kind == "slope" else ""
    of = design.choices.rate if kind == "slope" else "change from intake to last score"
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    return Estimate(
        id=f"{kind}_{effect}{suffix}",
        label=f"{effect_words(design, effect)}{words} ({of})",
        n=len(design.rows) if kind == "slope" else design.n_clients,
        level={"within": "client", "total": "all"}.get(effect, "therapist"),
        unit=f"{y} points{per_time} per {a} point",
        **numbers,
    )


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
                    label=f"{effect_words(design, effect)} (per SD of alliance, {words})",
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


def correlation_estimates(
    effects: list[Estimate], design: EarlyDesign, same: list[Estimate] | None = None
) -> list[Estimate]:
    """The effects as partial correlations; positive means better alliance, better outcome.

    ``r = t / sqrt(t^2 + df)`` with an interval by Fisher's z and standard error ``1 / sqrt(df - 1)``
    (Rosenthal 1994; for partial correlations Fisher 1924). ``r_<effect>`` is the correlation of early alliance with
    the change from intake, ``r_slope_<effect>`` that with the rate of change after the window, both given the
    adjustment variables. The latter is smaller than a correlation with error-free rates of change would be.

    Where effects may differ between therapists, t has the df of therapists, not of clients, and r would be far too large. Then t
    and df are those of the models with one effect for all (``same``), and Fisher's interval grows by the ratio of the two intervals of
    the coefficient, so that it still knows that therapists differ and how few they are.
    """
    wanted = {"end": ("r_", "change from intake"), "slope": ("r_slope_", "rate of change")}
    alike = {e.id: e for e in same or effects}
    out = []
    for e in effects:
        kind, _, effect = e.id.partition("_")
        if effect == "contextual" or not e.se > 0:
            continue
        prefix, words = wanted[kind]
        one = alike[e.id]
        t = design.choices.good_sign * one.estimate / one.se
        wider = (e.ci_high - e.ci_low) / (one.ci_high - one.ci_low)
        r, low, high = partial_correlation(t, one.df, max(wider, 1.0))
        of = "Between clients" if e.label.startswith("Between clients") else _EFFECT_WORDS[effect]
        label = f"{of} (with {words})"
        # The p value is that of the main analysis's coefficient.
        out.append(Estimate(prefix + effect, label, r, float("nan"), e.df, low, high, e.p, e.n, e.level, "r"))
    return out


def same_estimates(models: EarlyModels, same: list[Estimate]) -> list[Estimate]:
    """``slope_within_same``, ``end_within_same``: with errors that are right only if the effect is the same for all therapists.

    Only where they are not those of the main rows: where these are cluster-robust (CR2; Bell & McCaffrey 2002, df of Pustejovsky & Tipton
    2018), because therapists are too few for effects of their own in the model.

    Parameters
    ----------
    same : list of Estimate
        Effects of ``models.same``.
    """
    out = []
    for e in same:
        kind, _, effect = e.id.partition("_")
        fitted = models.of(kind)
        if effect == "within" and fitted is not None and fitted.robust is not None:
            words = e.label.replace(
                _EFFECT_WORDS["within"], f"{_EFFECT_WORDS['within']}, if the same for all therapists"
            )
            out.append(replace(e, id=f"{e.id}_same", label=words))
    return out


def variance_estimates(
    design: EarlyDesign, n_boot: int, seed: int, fit: Fit = fit_first
) -> tuple[list[Estimate], list[Fitted]]:
    """Estimates with ids ``share_level_*``, ``share_change_*``, ``alliance_icc_therapist``, ``reliability_therapist_mean``."""
    n = {"therapist": design.n_therapists, "client": design.n_clients, "session": len(design.rows)}
    out: list[Estimate] = []
    models: list[Fitted] = []
    if design.course:
        out, models = _course_shares(design, n_boot, seed, fit, n)
    if design.between and "early_client" in design.predictors(split=True):
        alliance = fit("alliance", "Early alliance, no predictors", "early ~ 1", design.clients, ENDPOINT)
        models.append(alliance)
        if alliance.mixed:
            out += _reliability(alliance, design)
    return out, models


def _course_shares(
    design: EarlyDesign, n_boot: int, seed: int, fit: Fit, n: dict[str, int]
) -> tuple[list[Estimate], list[Fitted]]:
    """Shares of the level and of the rate of change after the window."""
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
