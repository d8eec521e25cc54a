"""Profile-likelihood intervals and paths of every parameter of a fit, by name.

Intervals are the values at which the deviance, minimised over all other parameters, has risen by less than the quantile
of the chi-squared distribution with one degree of freedom (Venzon and Moolgavkar 1988, Applied Statistics 37:87-94).
Variance parameters of a REML fit are profiled in the restricted likelihood; coefficients always in the full likelihood,
because restricted likelihoods with different coefficients held measure different data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import ONE_START, MixedFit, package
from alliance_longitudinal.engine.inference import charts
from alliance_longitudinal.engine.inference.constrained import End, LowerOptimum, Profile, walk
from alliance_longitudinal.engine.inference.family import Family, extra_of, source_of
from alliance_longitudinal.engine.inference.profile_fixed import FixedProfile, maximum_likelihood
from alliance_longitudinal.engine.inference.profile_names import parameters, variance_parameters
from alliance_longitudinal.engine.options import check_alpha
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import OptimRecord, Optimum, descend
from alliance_longitudinal.engine.search.residual import FittedResidual, evaluator
from alliance_longitudinal.engine.statistics.choose import statistics_of
from alliance_longitudinal.engine.statistics.structured.whiten import refuse_perfect, whitened_basis
from alliance_longitudinal.errors import FitError

_STEP = 0.3


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of one parameter.

    Attributes
    ----------
    lower, upper : float
    criterion : str
        Likelihood that was profiled.
    note : str
        Why a limit is not where the deviance reaches the cut; empty otherwise.
    """

    lower: float
    upper: float
    criterion: str
    note: str


def profile_intervals(fit: MixedFit, which: str | Sequence[str] | None, alpha: float) -> pd.DataFrame:
    """Limits of the parameters: ``lower, upper, criterion, note`` by name."""
    names = parameters(fit, which)
    return from_the_best(fit, lambda best: _intervals(best, names, alpha))


def profile_paths(fit: MixedFit, which: str | Sequence[str] | None) -> pd.DataFrame:
    """Profiles up to the 99 % limits: ``parameter, value, deviance, zeta``, the signed root of the rise of the deviance."""
    names = parameters(fit, which)
    return from_the_best(fit, lambda best: _paths(best, names))


def chi2_cut(alpha: float) -> float:
    """Rise of the deviance at the limits."""
    check_alpha(alpha)
    return float(stats.chi2.ppf(1 - alpha, 1))


def from_the_best(fit: MixedFit, compute: Callable[[MixedFit], pd.DataFrame]) -> pd.DataFrame:
    """Compute; where the way leads to a lower deviance than the fit's, start again from there and say so."""
    gain = 0.0
    for _ in range(5):
        try:
            table = compute(fit)
        except LowerOptimum as lower:
            gain += lower.gain
            fit = refitted(fit, lower)
            continue
        if gain and "note" in table:
            text = f"the fit was {gain:.3g} deviance units above a better optimum found on the way; this is about the better one"
            table["note"] = [f"{note}; {text}" if note else text for note in table["note"]]
        return table
    raise FitError(
        "The profile led to a better optimum five times in a row: the likelihood has too many optima for profile intervals. "
        "Leave out a random effect, or use method='bootstrap'."
    )


def refitted(fit: MixedFit, lower: LowerOptimum) -> MixedFit:
    """The fit again from a better point."""
    face = fit.record.best.face.full()
    if fit.residual is None:

        def evaluate(relative: list[Array], order: int) -> Criterion:
            return profiled(fit.blocks, relative, fit.reml, order)

        found = descend(evaluate, face, lower.relative)
        return package(fit.design, fit.basis, fit.blocks, fit.reml, _record(fit, found))
    model = fit.residual.full
    tau = Family(model).tau(lower.extra)
    face = replace(face, extra=len(tau))
    found = descend(evaluator(model, fit.reml), face, lower.relative, extra=tau)
    refuse_perfect(model.pattern, found.extra)
    residual = FittedResidual(model, found.extra, False, model)
    basis = whitened_basis(fit.basis, model.pattern, found.extra)
    blocks = statistics_of(fit.design, basis)
    return package(fit.design, fit.basis, blocks, fit.reml, _record(fit, found), residual)


def _record(fit: MixedFit, found: Optimum) -> OptimRecord:
    values, starts = (*fit.record.values, found.value), (*fit.record.starts, np.nan)
    return OptimRecord(found, values, starts, found.evaluations)


def _intervals(fit: MixedFit, names: list[str], alpha: float) -> pd.DataFrame:
    cut = chi2_cut(alpha)
    variances = variance_parameters(fit)
    coefficients = _Coefficients.of(fit) if set(names) & set(fit.design.names) else None
    found = {}
    none = "not defined: one of the standard deviations is estimated as zero"
    for name in names:
        if coefficients is not None and name in coefficients.profiles:
            found[name] = coefficients.interval(name, cut)
        elif variances[name].undefined:
            found[name] = Interval(np.nan, np.nan, _label(fit), none)
        else:
            found[name] = VarianceProfile(fit, variances[name].chart()).interval(cut, variances[name].kind)
    rows = [[i.lower, i.upper, i.criterion, i.note] for i in found.values()]
    return pd.DataFrame(rows, index=pd.Index(found), columns=["lower", "upper", "criterion", "note"])


def _paths(fit: MixedFit, names: list[str]) -> pd.DataFrame:
    variances = variance_parameters(fit)
    coefficients = _Coefficients.of(fit) if set(names) & set(fit.design.names) else None
    furthest = float(np.sqrt(chi2_cut(0.01)))
    rows: list[tuple[str, float, float, float]] = []
    for name in names:
        if coefficients is not None and name in coefficients.profiles:
            rows += coefficients.path(name, furthest)
        elif not variances[name].undefined:
            rows += VarianceProfile(fit, variances[name].chart()).path(name, furthest)
    return pd.DataFrame(rows, columns=["parameter", "value", "deviance", "zeta"])


def _label(fit: MixedFit) -> str:
    return "REML" if fit.reml else "ML"


def _several(fit: MixedFit) -> bool:
    """Whether the deviance may have several optima, so that a limit is searched from two starts."""
    return fit.residual is not None or min(f.size for f in fit.design.factors) < ONE_START


@dataclass(frozen=True, slots=True)
class VarianceProfile:
    """Interval and path of one variance parameter."""

    fit: MixedFit
    chart: charts.Chart

    @property
    def profile(self) -> Profile:
        """The deviance in the chart's coordinates, from the fit."""
        fit = self.fit
        relative = list(fit.record.best.relative)
        return Profile.of(source_of(fit), fit.reml, self.chart, relative, extra_of(fit), _several(fit))

    def interval(self, cut: float, kind: str) -> Interval:
        """Limits at a cut; ``kind`` (sd, cor, sigma, phi, ratio, share) for the words."""
        profile = self.profile
        ends = [profile.end(side, cut) for side in (-1, 1)]
        notes = [self._note(end, side, cut, kind) for end, side in zip(ends, (-1, 1), strict=True)]
        lower, upper = (
            self.chart.value(e.h if e.reached or np.isfinite(bound) else bound)
            for e, bound in zip(ends, (self.chart.low, self.chart.high), strict=True)
        )
        flat = not any(e.reached for e in ends) and max(e.rise for e in ends) < 1e-3
        note = "not identified: the likelihood is flat" if flat else "; ".join(filter(None, notes))
        return Interval(float(lower), float(upper), _label(self.fit), note)

    def _note(self, end: End, side: int, cut: float, kind: str) -> str:
        if end.reached:
            return ""
        which = "lower" if side < 0 else "upper"
        bound = self.chart.low if side < 0 else self.chart.high
        rise = f"the deviance rises by {end.rise:.2f}, less than {cut:.2f}"
        if not np.isfinite(bound):
            return f"{which} limit not identified: {rise}, up to {self.chart.value(end.h):.3g}"
        name = {
            "sd": "a standard deviation of 0",
            "cor": f"a correlation of {side}",
            "phi": "a correlation of 0",
        }.get(kind, f"a share of {0 if side < 0 else 1}")
        if end.rise == 0:
            return f"{which} limit: {name} is the estimate"
        return f"{which} limit: {name} is not excluded, {rise}"

    def path(self, name: str, furthest: float) -> list[tuple[str, float, float, float]]:
        """Rows of `profile_paths`."""
        profile, fit = self.profile, self.fit
        down = walk(profile, -1, furthest, _STEP)
        up = walk(profile, 1, furthest, _STEP)
        points = [*reversed(down), (profile.best, 0.0), *up]
        return [(name, self.chart.value(float(p.u[-1])), fit.deviance + z**2, z) for p, z in points]


@dataclass(frozen=True, slots=True)
class _Coefficients:
    """Intervals and paths of coefficients, all from one fit by maximum likelihood."""

    fit: MixedFit
    profiles: dict[str, FixedProfile]
    deviance: float

    @classmethod
    def of(cls, fit: MixedFit) -> "_Coefficients":
        source = source_of(fit)
        best = maximum_likelihood(source, fit.record.best, extra_of(fit), fit.reml)
        back = np.linalg.inv(fit.basis.r_x)
        profiles = {
            name: FixedProfile.of(source, best, back[i], _several(fit))
            for i, name in enumerate(fit.design.names)
        }
        nu = fit.blocks.n
        deviance = best.value + 2 * nu * np.log(fit.basis.y_scale) - fit.basis.log_weights
        return cls(fit, profiles, float(deviance))

    def interval(self, name: str, cut: float) -> Interval:
        profile = self.profiles[name]
        ends = [profile.end(side, cut) for side in (-1, 1)]
        lower, upper = (
            side * np.inf if end is None else self._outside(name, end)
            for end, side in zip(ends, (-1, 1), strict=True)
        )
        note = "" if None not in ends else "not identified: the likelihood is flat"
        return Interval(float(lower), float(upper), "ML", note)

    def _outside(self, name: str, value: float) -> float:
        at = list(self.fit.design.names).index(name)
        return float(self.fit.basis.beta_ols[at] + self.fit.basis.y_scale * value)

    def path(self, name: str, furthest: float) -> list[tuple[str, float, float, float]]:
        profile = self.profiles[name]
        points = [
            *reversed(profile.walk(-1, furthest, _STEP)),
            (profile.estimate, 0.0, 0.0),
            *profile.walk(1, furthest, _STEP),
        ]
        return [(name, self._outside(name, v), self.deviance + rise, zeta) for v, rise, zeta in points]
