"""What a plan rests on: the study's own effects with their intervals, its variances, or the intervals of an earlier report."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    GROWTH,
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Fitted,
    fit_first,
    therapist_df,
)
from alliance_longitudinal.analyses.kit.shares import variance_shares
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow, landmark, split_by_therapist

MIN_CLIENTS = 20
#: Below this, values are all the same.
_SAME = 1e-9
#: Estimates of a report that a plan can take over, by what they are here.
_IN_REPORTS = {
    "within": ("slope_within", "own_within"),
    "between": ("slope_between", "own_between"),
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
    within, between, share : Interval or None
        Effects on the rate of change within and between therapists, and the therapists' share of its variance.
    client, therapist : ndarray, shape (2, 2)
        Covariances of level and rate of change.
    residual : float
    sd_within, sd_between : float
        Standard deviations of the early alliance between a therapist's clients, and of therapists' means.
    spacing : float
        Median time between two scores.
    clients : int
    fitted : Fitted
    """

    within: Interval | None
    between: Interval | None
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
    def sd_rate(self) -> float:
        """Standard deviation of the true rates of change of one therapist's clients."""
        return float(np.sqrt(self.client[1, 1]))


def landmark_rows(
    draft: Draft, a: Measure, y: Measure, window: TimeWindow
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clients in treatment at the end of the early window, and their later scores; the sample flow counts the others."""
    found = landmark(
        draft.sessions,
        draft.flow,
        alliance=a.name,
        outcome=y.name,
        window=window,
        min_rated=1,
        need_change=False,
    )
    draft.flow = found.flow
    clients = found.clients
    for column in ("early", "intake"):
        clients = split_by_therapist(clients, column)
    draft.analysed = clients["client"]
    return clients, found.followup


def own_basis(
    clients: pd.DataFrame,
    followup: pd.DataFrame,
    adjusters: Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]],
    name: str = "own",
    title: str = "This study's course after the window",
) -> Basis:
    """The study's own effects of early alliance on the rate of change, and its variances.

    Raises
    ------
    FitError
        If no model of the course can be fitted.
    """
    predictors = [
        c for c in clients if str(c).startswith(("early_", "intake_")) and not str(c).endswith("_total")
    ]
    rows = followup.merge(clients[["client", *predictors]], on="client", how="inner", validate="many_to_one")
    rows, adjusted = adjusters(rows)
    usable = int((clients.groupby("therapist").size() >= 2).sum()) >= MIN_THERAPISTS
    kept = [
        c for c in predictors if clients[c].std() > _SAME and (usable or not str(c).endswith("_therapist"))
    ]
    fixed = f"y ~ weeks * ({' + '.join([*kept, *adjusted])})"
    fitted = fit_first(name, title, fixed, rows, GROWTH)
    sd_within = float(clients["early_client"].std())
    sd_between = float(clients.groupby("therapist")["early"].mean().std())
    cap = therapist_df(clients["therapist"].nunique(), sum(c.endswith("_therapist") for c in kept))
    return Basis(
        _interval(fitted, "early_client", kept, sd_within, np.inf),
        _interval(fitted, "early_therapist", kept, sd_between, cap),
        _share(fitted),
        _covariance(fitted, "client"),
        _covariance(fitted, "therapist"),
        float(fitted.result.scale) if fitted.mixed else float("nan"),
        sd_within,
        sd_between,
        _spacing(followup),
        len(clients),
        fitted,
    )


def _interval(fitted: Fitted, term: str, kept: list[str], sd: float, max_df: float) -> Interval | None:
    if term not in kept:
        return None
    row = fitted.combination({f"weeks:{term}": sd}, max_df)
    return Interval(row["estimate"], row["ci_low"], row["ci_high"])


def _share(fitted: Fitted) -> Interval | None:
    shares = variance_shares(fitted, "weeks", n_boot=0, seed=0) if fitted.mixed else None
    return (
        None
        if shares is None or "therapist" not in shares.estimate.index
        else Interval(*shares.share("therapist"))
    )


def _covariance(fitted: Fitted, group: str) -> np.ndarray:
    """Covariance of level and rate of change over therapists or over clients; zero where the model has none."""
    out = np.zeros((2, 2))
    if not fitted.mixed:
        return out
    table = fitted.result.varcorr
    own = table[table["group"].eq(group) | table["group"].str.startswith(f"{group}:")]
    place = {"Intercept": 0, "weeks": 1}
    for first, second, value in zip(own["term1"], own["term2"], own["vcov"], strict=True):
        i = place[first]
        j = i if pd.isna(second) else place[second]
        out[i, j] = out[j, i] = float(value)
    return out


def _spacing(followup: pd.DataFrame) -> float:
    gaps = followup.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff().dropna()
    gaps = gaps[gaps > 0]
    return float(gaps.median()) if len(gaps) else 1.0


def with_report(basis: Basis, path: str, a: Measure, y: Measure, time: str) -> tuple[Basis, str]:
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
    found = {
        kind: next((rows[i] for i in ids if i in rows and None not in _limits(rows[i])), None)
        for kind, ids in _IN_REPORTS.items()
    }
    if not any(found.values()):
        raise StudyError(
            f"Parameter 'from_report': the report {name!r} has no effect of the alliance on the rate of change. Give one of "
            "'early_alliance' or of 'planning'."
        )
    point, per_sd = (
        f"{y.instrument.label} points per {time} per {unit}" for unit in (f"{a.instrument.label} point", "SD")
    )
    out = basis
    for kind, sd in (("within", basis.sd_within), ("between", basis.sd_between)):
        row = found[kind]
        if row is None:
            continue
        if row["unit"] not in (point, per_sd):
            raise StudyError(
                f"Parameter 'from_report': the report gives its effect in {row['unit']}, and this plan is in {point}. Use a report "
                "about the same measures."
            )
        scale = sd if row["unit"] == point else 1.0
        changed: dict[str, Any] = {kind: Interval(*(scale * x for x in _limits(row)))}
        out = replace(out, **changed)
    share = found["share"]
    return (out if share is None else replace(out, share=Interval(*_limits(share)))), name


def _limits(row: dict[str, float]) -> tuple[float, float, float]:
    return row["estimate"], row["ci_low"], row["ci_high"]


def own_estimates(basis: Basis, unit: str) -> list[Estimate]:
    """The study's own effects and share, with their intervals."""
    asked = (
        ("own_within", "This study: effect within therapists", basis.within, "client", unit),
        ("own_between", "This study: effect between therapists", basis.between, "therapist", unit),
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
