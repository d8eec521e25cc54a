"""Logistic regression on a few columns, with cluster-robust errors."""

from typing import Any

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.prediction.given import Given, expit

_STEPS = 50


def fit_logistic(x: Floats, event: Floats, offset: "Floats | float" = 0.0) -> tuple[Floats, Floats]:
    """Coefficients by maximum likelihood (Newton's method), and the inverse information.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        With its column of ones.
    event : ndarray, shape (n,)
        0 or 1.
    offset : ndarray of shape (n,), or 0
        Log odds that are added with a coefficient of one.

    Raises
    ------
    DataError
        If there is no maximum: a column separates the events from the others, or columns depend on each other.
    """
    b = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = expit(x @ b + offset)
        information = x.T @ (x * (p * (1 - p))[:, None])
        gradient = x.T @ (event - p)
        if np.linalg.cond(information) > 1e12:
            break
        step = np.linalg.solve(information, gradient)
        b = b + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if gradient @ step < 1e-16:
            return b, np.linalg.inv(information)
    raise DataError(
        "The logistic model has no finite solution: a predictor separates the events from the others."
    )


def robust(
    x: Floats, event: Floats, b: Floats, inverse: Floats, who: Given, offset: "Floats | float" = 0.0
) -> Floats:
    """Covariance of the coefficients with clusters (CR1: the sandwich times G / (G - 1))."""
    scores = x * (event - expit(x @ b + offset))[:, None]
    sums = np.zeros((who.clusters, x.shape[1]))
    np.add.at(sums, who.cluster, scores)
    return np.asarray(inverse @ (sums.T @ sums) @ inverse * (who.clusters / (who.clusters - 1)))


def left_out(x: Floats, y: Floats, folds: Any) -> Floats:
    """Risks of each fold from a logistic fit of the others.

    Raises
    ------
    DataError
        If a fold cannot be predicted from the others.
    """
    out = np.empty(len(y))
    for k in np.unique(folds):
        here = folds == k
        if here.all() or np.ptp(y[~here]) == 0:
            raise DataError("The persons outside of a fold all have the same end, so they predict nothing.")
        b, _ = fit_logistic(x[~here], y[~here])
        out[here] = expit(x[here] @ b)
    return out
