"""What a plan rests on: the study's own effects with their intervals, its variances, or the intervals of an earlier report."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Estimate, Fitted
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import Fit, course_model, split_effects, variances_of
from alliance_longitudinal.analyses.kit.shares import variance_shares
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError, StudyError

#: Estimates of a report that a plan can take over, by what they are here.
_IN_REPORTS = {
    "within": ("slope_within", "own_within"),
    "between": ("slope_between", "own_between"),
    "effect_sd": ("own_effect_sd",),
    "share": ("share_change_therapist", "own_share"),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % limits."""

    estimate: float
    low: float
    high: float

    @property
    def nearest_to_zero(self) -> float:
        """The limit nearer to zero; 0 where the interval includes zero."""
        if self.low <= 0 <= self.high:
            return 0.0
        return self.low if self.low > 0 else self.high


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan rests on; effects are per standard deviation and unit of time.

    Attributes
    ----------
    within, between, effect_sd, share : Interval or None
        Effects on the rate of change within and between therapists, the standard deviation between therapists of the
        effect within them, and the therapists' share of the variance of the rate of change.
    client, therapist : ndarray, shape (2, 2)
        Covariances of level and rate of change.
    residual : float
    sd_within, sd_between : float
        Standard deviations of the early alliance between a therapist's clients, and of therapists' means; nan without an alliance
        measure.
    spacing : float
        Median time between two scores.
    clients : int
    fitted : Fitted
    """

    within: Interval | None
    between: Interval | None
    effect_sd: Interval | None
    share: Interval | None
    client: np.ndarray
    therapist: np.ndarray
    residual: float
    sd_within: float
    sd_between: float
    spacing: float
    clients: int
    fitted: Fitted

    @property
    def effects(self) -> tuple[str, ...]:
        """The effects that a plan can be made for; none in a study without an alliance measure."""
        return ("within", "between") if np.isfinite(self.sd_within) else ()

    @property
    def sd_rate(self) -> float:
        """Standard deviation of the true rates of change of one therapist's clients."""
        return float(np.sqrt(self.client[1, 1]))


def own_basis(design: EarlyDesign, fit: Fit) -> Basis:
    """The study's own effects of early alliance on the rate of change, and its variances: the main model of ``early_alliance``.

    Raises
    ------
    FitError
        If no model of the course can be fitted.
    """
    fitted = course_model(design, fit)
    effects = split_effects(fitted, design, "slope")
    sd_within, sd_between = design.sd("early_client"), design.sd_of_therapists()
    therapist, client, own, residual = variances_of(fitted, 2)
    return Basis(
        _interval(effects.get("within"), sd_within),
        _interval(effects.get("between"), sd_between),
        _effect_sd(fitted, design, own, sd_within),
        _share(fitted),
        client,
        therapist,
        residual,
        sd_within,
        sd_between,
        spacing_of(design.rows),
        design.n_clients,
        fitted,
    )


def _interval(row: dict[str, float] | None, sd: float) -> Interval | None:
    return None if row is None else Interval(*(sd * row[k] for k in ("estimate", "ci_low", "ci_high")))


def _effect_sd(fitted: Fitted, design: EarlyDesign, variance: float, sd: float) -> Interval | None:
    """How much the effect within therapists differs between them, with its profile limits; None if the model has one effect for all."""
    if not fitted.structure.own_effect:
        return None
    name = f"sd(weeks:{design.alliance_term(split=True)})|therapist"
    try:
        limits = fitted.result.conf_int(method="profile", which=[name]).loc[name]
    except AllianceError:
        return None
    return Interval(sd * float(np.sqrt(variance)), sd * float(limits["lower"]), sd * float(limits["upper"]))


def _share(fitted: Fitted) -> Interval | None:
    shares = variance_shares(fitted, "weeks", n_boot=0, seed=0) if fitted.mixed else None
    return (
        None
        if shares is None or "therapist" not in shares.estimate.index
        else Interval(*shares.share("therapist"))
    )


def spacing_of(rows: pd.DataFrame) -> float:
    """Median time between two scores of a client; 1 if no client has two."""
    gaps = rows.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff().dropna()
    gaps = gaps[gaps > 0]
    return float(gaps.median()) if len(gaps) else 1.0


def symptom_basis(fitted: Fitted, rows: pd.DataFrame) -> Basis:
    """The variances of a course of symptoms, in a study without an alliance measure."""
    therapist, client, _, residual = variances_of(fitted, 2)
    nan = float("nan")
    return Basis(
        None,
        None,
        None,
        _share(fitted),
        client,
        therapist,
        residual,
        nan,
        nan,
        spacing_of(rows),
        int(rows["client"].nunique()),
        fitted,
    )


def with_report(basis: Basis, path: str, a: Measure | None, y: Measure, time: str) -> tuple[Basis, str]:
    """The basis with the intervals of an earlier report, and the name of its analysis.

    Raises
    ------
    StudyError
        If the file cannot be read, is no report's results, or has none of the estimates, or in other units.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = {str(row["id"]): row for row in report["estimates"]}
        name = str(report["analysis"])
    except OSError:
        raise StudyError(
            f"Parameter 'from_report': there is no file {path!r}. Give the path of a report's results.json."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise StudyError(
            f"Parameter 'from_report': {path!r} is not a report's results.json. Give the file of that name in a report's folder."
        ) from None
    kinds = {k: ids for k, ids in _IN_REPORTS.items() if a is not None or k == "share"}
    found = {
        kind: next((rows[i] for i in ids if i in rows and None not in _limits(rows[i])), None)
        for kind, ids in kinds.items()
    }
    if not any(found.values()):
        raise StudyError(
            f"Parameter 'from_report': the report {name!r} has no effect of the alliance on the rate of change. Give one of "
            "'early_alliance' or of 'planning'."
            if a is not None
            else f"Parameter 'from_report': the report {name!r} has no share of therapists in the rate of change. Give one of "
            "'early_alliance' or of 'planning'."
        )
    changed: dict[str, Any] = {}
    scales = {"within": basis.sd_within, "between": basis.sd_between, "effect_sd": basis.sd_within}
    for kind, row in found.items():
        if row is not None:
            scale = 1.0 if a is None or kind not in scales else _scale(row["unit"], scales[kind], a, y, time)
            changed[kind] = Interval(*(scale * x for x in _limits(row)))
    return replace(basis, **changed), name


def _scale(unit: str, sd: float, a: Measure, y: Measure, time: str) -> float:
    """What makes a report's effect one per standard deviation."""
    point, per_sd = (
        f"{y.instrument.label} points per {time} per {x}" for x in (f"{a.instrument.label} point", "SD")
    )
    if unit not in (point, per_sd):
        raise StudyError(
            f"Parameter 'from_report': the report gives its effect in {unit}, and this plan is in {point}. Use a report "
            "about the same measures."
        )
    return sd if unit == point else 1.0


def _limits(row: dict[str, float]) -> tuple[float, float, float]:
    return row["estimate"], row["ci_low"], row["ci_high"]


def own_estimates(basis: Basis, unit: str) -> list[Estimate]:
    """The study's own effects and share, with their intervals."""
    asked = (
        ("own_within", "This study: effect within therapists", basis.within, "client", unit),
        ("own_between", "This study: effect between therapists", basis.between, "therapist", unit),
        (
            "own_effect_sd",
            "This study: SD between therapists of the effect within them",
            basis.effect_sd,
            "therapist",
            unit,
        ),
        (
            "own_share",
            "This study: therapists' share of the rate of change",
            basis.share,
            "therapist",
            "share",
        ),
    )
    return [
        Estimate(i, label, x.estimate, ci_low=x.low, ci_high=x.high, n=basis.clients, level=level, unit=of)
        for i, label, x, level, of in asked
        if x is not None
    ]
