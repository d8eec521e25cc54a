"""Accuracy of predicted risks: discrimination, calibration, and what one more predictor adds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.prediction.curve import areas
from alliance_longitudinal.methods.prediction.given import Given, expit, given, logit, probabilities
from alliance_longitudinal.methods.prediction.logistic import fit_logistic, left_out, robust


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class RiskAccuracy(Estimates):
    """Accuracy of predicted risks; `params` by ``auc, brier, calibration_slope, calibration_intercept`` (and ``auc_other, delta_auc``).

    Attributes
    ----------
    n, events, clusters : int
        Persons, those with the event, and clusters of persons.
    brier_constant : float
        Brier score of a prediction that gives everybody the observed share of events.
    """

    n: int
    events: int
    clusters: int
    brier_constant: float

    def _limits(self, alpha: float) -> pd.DataFrame:
        limits = Estimates._limits(self, alpha)
        half = distributions.t.ppf(1 - alpha / 2, self.dof)
        for name in [name for name in self.params.index if str(name) in ("auc", "auc_other")]:
            area, se = float(self.params[name]), float(self.bse[name])
            if 0 < area < 1 and se > 0:
                width = half * se / (area * (1 - area))
                limits.loc[name] = [float(expit(logit(area) - width)), float(expit(logit(area) + width))]
            else:
                limits.loc[name] = np.nan
        return limits

    def _title(self) -> str:
        return "Accuracy of predicted risks"

    def _facts(self) -> list[str]:
        return [f"{self.events} events among {self.n} persons in {self.clusters} clusters"]


def risk_accuracy(event: Any, risk: Any, *, other: Any = None, cluster: Any = None) -> RiskAccuracy:
    """Accuracy of predicted risks of an event, in persons who were not used to make the prediction.

    - ``auc``: probability that a person with the event has a higher risk than a person without it. The variance
      is that of DeLong (1988) or, with clusters, of Obuchowski (1997). The interval is on the logit scale.
    - ``brier``: mean of ``(risk - event)^2``.
    - ``calibration_slope``: ``b`` of ``logit P(event) = a + b logit(risk)``; 1 is ideal; below 1, risks are too
      extreme (Cox 1958). ``calibration_intercept``: ``a`` with ``b = 1``; 0 is ideal; below 0, risks are too
      high. Standard errors: CR1 sandwich.
    - With ``other``, ``auc_other`` and ``delta_auc = auc_other - auc``, with the covariance of the two areas.

    Intervals use t, with the number of clusters minus 1 as degrees of freedom, or the normal distribution
    without clusters.

    Parameters
    ----------
    event : array, shape (n,)
        0 or 1.
    risk, other : array, shape (n,)
        Predicted probabilities; ``other`` holds those of a second prediction for the same persons.
    cluster : array, shape (n,), optional
        Cluster of each person, such as the therapist.

    Raises
    ------
    DataError
        If values are invalid, the event happened to everyone or to no one, or risks do not differ.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> found = methods.risk_accuracy([0, 0, 1, 0, 1, 1], [0.1, 0.4, 0.3, 0.2, 0.8, 0.6])
    >>> found.params.round(3)[["auc", "brier"]].to_dict()
    {'auc': 0.889, 'brier': 0.15}
    """
    who = given(event, cluster)
    p = probabilities(risk, len(who.event))
    if np.ptp(p) == 0:
        raise DataError("All risks are equal, so they cannot tell who has the event.")
    y = who.event.astype(float)
    named: dict[str, tuple[float, float]] = {}
    risks = [p] if other is None else [p, probabilities(other, len(y), "other")]
    area, cov = areas(risks, who)
    named["auc"] = (float(area[0]), float(np.sqrt(cov[0, 0])))
    if other is not None:
        named["auc_other"] = (float(area[1]), float(np.sqrt(cov[1, 1])))
        variance = max(float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]), 0.0)
        named["delta_auc"] = (float(area[1] - area[0]), float(np.sqrt(variance)))
    named["brier"] = clustered_mean((p - y) ** 2, who)
    named |= _calibration(p, y, who)
    names = list(named)
    return RiskAccuracy(
        params=pd.Series({k: named[k][0] for k in names}),
        covariance=np.diag([named[k][1] ** 2 for k in names]),
        dof=float(who.clusters - 1) if who.clustered else np.inf,
        findings=(),
        n=len(y),
        events=int(y.sum()),
        clusters=who.clusters,
        brier_constant=float(y.mean() * (1 - y.mean())),
    )


def _calibration(p: Floats, y: Floats, who: Given) -> dict[str, tuple[float, float]]:
    x = np.column_stack([np.ones(len(p)), logit(p)])
    b, inverse = fit_logistic(x, y)
    slope = float(np.sqrt(robust(x, y, b, inverse, who)[1, 1]))
    one = x[:, :1]
    a, inverse = fit_logistic(one, y, x[:, 1])
    level = float(np.sqrt(robust(one, y, a, inverse, who, x[:, 1])[0, 0]))
    return {"calibration_slope": (float(b[1]), slope), "calibration_intercept": (float(a[0]), level)}


def clustered_mean(values: Floats, who: Given) -> tuple[float, float]:
    """A mean and its CR2 standard error, ``sqrt(sum_g S_g^2 / (1 - n_g / n)) / n`` with ``S_g`` the sum of a cluster's residuals."""
    mean, n = float(np.mean(values)), len(values)
    size = np.bincount(who.cluster, minlength=who.clusters)
    sums = np.bincount(who.cluster, values - mean, who.clusters)
    return mean, float(np.sqrt(np.sum(sums**2 / (1 - size / n))) / n)


def cross_fitted(event: Any, columns: Any, fold: Any) -> Floats:
    """Risks from a logistic model of ``columns``; those of each fold come from a fit to the other folds.

    A comparison of two predictions is fair only if neither was fitted to the persons whom it predicts.
    `added_value` compares two such risks, with and without a predictor.

    Parameters
    ----------
    event : array, shape (n,)
        0 or 1.
    columns : array, shape (n,) or (n, p)
        Predictors, such as the log odds of a risk; a constant is added.
    fold : array, shape (n,)
        The fold of each person; persons who belong together are in the same fold.

    Raises
    ------
    DataError
        If a fold cannot be predicted from the others.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 3.5, 4.5])
    >>> methods.cross_fitted([0, 1, 0, 1, 1, 0, 1, 1], x, [1, 1, 1, 1, 2, 2, 2, 2]).round(2).tolist()
    [0.52, 0.65, 0.77, 0.85, 0.29, 0.5, 0.71, 0.86]
    """
    who = given(event)
    y, x = who.event.astype(float), np.asarray(columns, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    folds = np.asarray(fold)
    if x.shape[0] != len(y) or folds.shape != y.shape or not np.isfinite(x).all():
        raise DataError("columns and fold need one value for each person, without missing ones.")
    spread = x.std(axis=0)
    x = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])
    return left_out(x, y, pd.factorize(folds)[0])
