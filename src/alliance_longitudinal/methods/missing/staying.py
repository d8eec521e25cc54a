"""Weights for people who stayed, so that they stand for those who left; and a weighted effect on a course."""

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Codes, Floats

#: Newton steps of a logistic regression before it is given up.
STEPS = 50


def staying_weights(
    periods: pd.DataFrame, person: str, period: str, event: str, predictors: list[str], truncate: float = 0.01
) -> "pd.Series[float]":
    """Stabilised inverse-probability weights of people who stayed to the end of all periods.

    Leaving in each period is a logistic regression on the period and the predictors known before it; a person's chance of staying is
    the product over periods. The weight is this chance given the period alone by the chance given the predictors, too (Robins, Hernan &
    Brumback 2000, doi 10.1097/00001648-200009000-00011), truncated at its quantiles.

    Parameters
    ----------
    periods : DataFrame
        One row per person and period at risk: as of `person_period`.
    person, period, event : str
        ``event`` is 1 in the period in which the person left.
    predictors : list of str
        Without missing values.
    truncate : float
        Share of the weights at either end that is moved to the quantile.

    Returns
    -------
    Series
        By person, of those without an event.

    Raises
    ------
    DataError
        If nobody left, or the predictors separate those who left.
    """
    y = periods[event].to_numpy(float)
    if not 0 < y.sum() < len(y):
        raise DataError("Nobody left, or nobody stayed; there is nothing to weight for.")
    times = pd.get_dummies(pd.Categorical(_joined(periods, period, event)), dtype=float).to_numpy()
    values = periods[predictors].to_numpy(float)
    spread = values.std(axis=0)
    values = (values[:, spread > 0] - values[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    plain = 1 - _hazard(times, y)
    full = 1 - _hazard(np.column_stack([times, values]), y)
    log = pd.Series(np.log(plain) - np.log(full)).groupby(periods[person].to_numpy()).sum()
    stayed = periods.groupby(person)[event].max() == 0
    weights = np.exp(log.reindex(stayed.index[stayed]))
    low, high = weights.quantile([truncate, 1 - truncate])
    return weights.clip(low, high)


def _joined(periods: pd.DataFrame, period: str, event: str) -> "pd.Series[int]":
    """Periods, those without an event put with the one before (at the start: after) them."""
    some = sorted(periods.loc[periods[event] > 0, period].unique())
    place = np.searchsorted(some, periods[period].to_numpy(), side="right") - 1
    return pd.Series(np.maximum(place, 0))


def _hazard(x: Floats, y: Floats) -> Floats:
    """Fitted probabilities of a logistic regression by Newton's method."""
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        step = np.linalg.lstsq((x * (p * (1 - p))[:, None]).T @ x, x.T @ (y - p), rcond=None)[0]
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return np.asarray(1 / (1 + np.exp(-(x @ beta))))
    raise DataError("The regression of leaving did not converge: some predictor separates those who left.")


def weighted_course(
    y: Floats,
    x: Floats,
    basis: Floats,
    persons: Codes,
    within: Floats,
    sigma2: float,
    weights: Floats,
) -> tuple[Floats, Floats]:
    """Response and predictors of a weighted course model, ready for least squares: ``sqrt(w_i) V_i^(-1/2)`` times each.

    ``V_i = B_i G B_i' + sigma2 I`` is a working covariance within persons; robust errors by group make up for what it leaves out.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
    basis : ndarray, shape (n, q)
    persons : ndarray of int, shape (n,)
        Codes from 0.
    within : ndarray, shape (q, q)
    weights : ndarray, shape (persons,)
    """
    out_y, out_x = np.empty_like(y), np.empty_like(x)
    for code in range(int(persons.max()) + 1):
        rows = np.flatnonzero(persons == code)
        b = basis[rows]
        root = np.linalg.cholesky(b @ within @ b.T + sigma2 * np.eye(len(rows)))
        size = np.sqrt(weights[code])
        both = np.linalg.solve(root, np.column_stack([y[rows], x[rows]])) * size
        out_y[rows], out_x[rows] = both[:, 0], both[:, 1:]
    return out_y, out_x
