"""What one more predictor adds to a predicted risk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.prediction.curve import areas
from alliance_longitudinal.methods.prediction.given import Given, expit, given, logit, probabilities
from alliance_longitudinal.methods.prediction.logistic import fit_logistic, left_out, robust

#: Most groups of persons that are left out, one after the other.
MOST_GROUPS = 40


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class AddedValue(Estimates):
    """What a predictor adds; `params` by ``auc, auc_with, delta_auc, log_odds``.

    Attributes
    ----------
    n, events : int
        Persons, and those with the event.
    spread : float
        Standard deviation of the predictor, by which ``log_odds`` is scaled.
    """

    n: int
    events: int
    spread: float

    def _limits(self, alpha: float) -> pd.DataFrame:
        limits = Estimates._limits(self, alpha)
        half = distributions.t.ppf(1 - alpha / 2, self.dof)
        for name in ("auc", "auc_with"):
            area, se = float(self.params[name]), float(self.bse[name])
            if 0 < area < 1:
                width = float(np.atleast_1d(half)[0]) * se / (area * (1 - area))
                limits.loc[name] = [float(expit(logit(area) - width)), float(expit(logit(area) + width))]
        return limits

    def _title(self) -> str:
        return "What a predictor adds to a risk"

    def _facts(self) -> list[str]:
        return [f"{self.events} events among {self.n} persons"]


def added_value(
    event: Any, risk: Any, predictor: Any, *, fold: Any, cluster: Any = None, seed: int = 0
) -> AddedValue:
    """What a predictor adds to a risk that was predicted without it.

    Two logistic models of the event, one with the log odds of the risk and one with these and the predictor,
    predict each fold from fits to the other folds (`cross_fitted`). ``delta_auc`` is the difference between the
    areas under their ROC curves. Its standard error comes from the jackknife over clusters: everything is
    fitted anew without each of them in turn (in at most 40 groups). The usual standard error for two areas
    takes the models' coefficients as known and is too small for nested models (Demler, Pencina & D'Agostino
    2012, doi 10.1002/sim.5328). ``log_odds`` is the predictor's coefficient per standard deviation in a fit of
    all persons, with a CR1 standard error. It is the better test of whether the predictor adds anything. Limits
    use t; its degrees of freedom are the number of clusters (or groups) minus one.

    Parameters
    ----------
    event : array, shape (n,)
        0 or 1.
    risk, predictor, fold : array, shape (n,)
    cluster : array, shape (n,), optional
        Cluster of each person, such as the therapist.
    seed : int
        Seed for the groups, if there are many clusters.

    Raises
    ------
    DataError
        If values are invalid, or a model cannot be fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> x, z = rng.normal(size=(2, 400))
    >>> event = rng.random(400) < 1 / (1 + np.exp(-x - z))
    >>> found = methods.added_value(event, 1 / (1 + np.exp(-x)), z, fold=np.arange(400) % 5)
    >>> found.params.round(2).to_dict()
    {'auc': 0.7, 'auc_with': 0.8, 'delta_auc': 0.09, 'log_odds': 1.03}
    """
    who = given(event, cluster)
    p = probabilities(risk, len(who.event))
    z = np.asarray(predictor, dtype=float)
    folds = pd.factorize(np.asarray(fold))[0].astype(np.int64)
    if z.shape != p.shape or folds.shape != p.shape or not np.isfinite(z).all():
        raise DataError("predictor and fold need one value for each person, without missing ones.")
    spread = float(z.std(ddof=1))
    if not spread > 0:
        raise DataError("All values of the predictor are equal, so it cannot add anything.")
    y = who.event.astype(float)
    x = np.column_stack([np.ones(len(y)), logit(p), (z - z.mean()) / spread])
    without, with_it = (left_out(x[:, :k], y, folds) for k in (2, 3))
    area, cov = areas([without, with_it], who)
    group = _groups(who, seed)
    errors = [
        _difference(x[group != g], y[group != g], folds[group != g]) for g in range(int(group.max()) + 1)
    ]
    count = len(errors)
    jackknife = float(np.sqrt((count - 1) / count * np.sum((np.array(errors) - np.mean(errors)) ** 2)))
    b, inverse = fit_logistic(x, y)
    slope = float(np.sqrt(robust(x, y, b, inverse, who)[2, 2]))
    df = float(who.clusters - 1) if who.clustered else np.inf
    se = [float(np.sqrt(cov[0, 0])), float(np.sqrt(cov[1, 1])), jackknife, slope]
    return AddedValue(
        params=pd.Series(
            [area[0], area[1], area[1] - area[0], b[2]], ["auc", "auc_with", "delta_auc", "log_odds"]
        ),
        covariance=np.diag(np.square(se)),
        dof=np.array([df, df, float(count - 1), df]),
        n=len(y),
        events=int(y.sum()),
        spread=spread,
    )


def _groups(who: Given, seed: int) -> Codes:
    """The group of each person: the cluster, or one of at most 40 groups of clusters."""
    if who.clusters <= MOST_GROUPS:
        return who.cluster
    place = np.random.default_rng(seed).permutation(who.clusters) % MOST_GROUPS
    return np.asarray(place[who.cluster], dtype=np.int64)


def _difference(x: Floats, y: Floats, folds: Codes) -> float:
    """Area with the predictor less that without it."""
    alone = Given(y == 1, np.arange(len(y)), clustered=False)
    risks = [left_out(x[:, :k], y, folds) for k in (2, 3)]
    area, _ = areas(risks, alone)
    return float(area[1] - area[0])
