"""Full-information maximum likelihood for multivariate normal data with missing values, by patterns of what is observed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.psychometrics.factors.factor_spec import FactorSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The rows that have the same items observed: which items, how many rows, their mean and (ML) covariance."""

    observed: NDArray[np.intp]
    n: int
    mean: Floats
    cov: Floats


@dataclass(frozen=True, slots=True)
class Patterns:
    """The data as its patterns; rows without any observed item are left out.

    Attributes
    ----------
    parts : tuple of Pattern
    n, p : int
        Rows and items.
    mean, variance : float array, shape (p,)
        Of the observed values of each item: also the estimates of the independence model.
    """

    parts: tuple[Pattern, ...]
    n: int
    p: int
    mean: Floats
    variance: Floats


def patterns(values: Floats) -> Patterns:
    """Sort ``values``, shape (n, p), missing as NaN, by pattern."""
    known = ~np.isnan(values)
    rows, known = values[known.any(axis=1)], known[known.any(axis=1)]
    kinds, which = np.unique(known, axis=0, return_inverse=True)
    parts = []
    for k, kind in enumerate(kinds):
        observed = np.nonzero(kind)[0]
        own = rows[which.ravel() == k][:, observed]
        mean = own.mean(axis=0)
        parts.append(Pattern(observed, len(own), mean, (own - mean).T @ (own - mean) / len(own)))
    return Patterns(
        tuple(parts), len(rows), values.shape[1], np.nanmean(rows, axis=0), np.nanvar(rows, axis=0)
    )


def deviance(data: Patterns, mean: Floats, cov: Floats) -> float:
    """-2 log-likelihood at ``mean`` (p,) and ``cov`` (p, p); infinite where ``cov`` is not positive definite."""
    total = 0.0
    for part in data.parts:
        own = part.observed
        try:
            inverse_root = np.linalg.inv(np.linalg.cholesky(cov[np.ix_(own, own)]))
        except np.linalg.LinAlgError:
            return float("inf")
        off = inverse_root @ (part.mean - mean[own])
        spread = float(np.sum((inverse_root @ part.cov) * inverse_root))
        log_det = -2 * float(np.sum(np.log(np.diag(inverse_root))))
        total += part.n * (len(own) * np.log(2 * np.pi) + log_det + spread + float(off @ off))
    return total


def independence_deviance(data: Patterns) -> float:
    """-2 log-likelihood of the model in which no two items are related."""
    return deviance(data, data.mean, np.diag(data.variance))


@dataclass(frozen=True, slots=True)
class Local:
    """Deviance, its gradient (q,), and the expected information (q, q) of the deviance / 2 at one point."""

    deviance: float
    gradient: Floats
    information: Floats


def local(data: Patterns, spec: FactorSpec, free: Floats, information: bool = True) -> Local:
    """Deviance with derivatives, summed over patterns (for each: Enders 2010, equations 4.3 and following).

    With ``W = Sigma_oo^-1``, ``d = mean_o - mu_o``: gradient by Sigma ``n (W - W (S + d d') W)``, by mu ``-2 n W d``;
    expected information ``n (tr(W dS_i W dS_j) / 2 + dmu_i' W dmu_j)``.
    """
    mean, cov = spec.moments(free)
    q, value = len(free), 0.0
    d_mean, d_cov = spec.derivatives(free)
    by_mean, by_cov, info = np.zeros(data.p), np.zeros((data.p, data.p)), np.zeros((q, q))
    for part in data.parts:
        own = part.observed
        square = np.ix_(own, own)
        try:
            inverse_root = np.linalg.inv(np.linalg.cholesky(cov[square]))
        except np.linalg.LinAlgError:
            return Local(float("inf"), np.zeros(q), np.eye(q))
        weight = inverse_root.T @ inverse_root
        off = part.mean - mean[own]
        spread = part.cov + np.outer(off, off)
        log_det = -2 * float(np.sum(np.log(np.diag(inverse_root))))
        value += part.n * (len(own) * np.log(2 * np.pi) + log_det + float(np.sum(weight * spread)))
        by_mean[own] -= 2 * part.n * weight @ off
        by_cov[square] += part.n * (weight - weight @ spread @ weight)
        if information:
            moved = weight @ d_cov[:, own[:, None], own]
            flat, turned = moved.reshape(q, -1), moved.transpose(0, 2, 1).reshape(q, -1)
            slopes = d_mean[:, own]
            info += part.n * (flat @ turned.T / 2 + slopes @ weight @ slopes.T)
    gradient = d_mean @ by_mean + np.einsum("qij,ij->q", d_cov, by_cov)
    return Local(value, gradient, info)
