"""The profiled deviance of the random effects' relative covariances, with exact first and second derivatives."""

import math
from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.linalg.kernels import pair_places
from alliance_longitudinal.engine.statistics.protocol import Parts, Statistics


@dataclass(frozen=True, slots=True)
class Criterion:
    """One evaluation, in internal units.

    With ``V = I + Z D Z'`` the parts are ``logdet_v = log|V|``, ``logdet_x = log|X'V^-1 X|`` and ``rss`` (the
    generalised residual sum of squares); ``dX`` and ``ddX`` hold their derivatives in the m free entries of
    the covariances, in the order of `entry_terms`.

    Attributes
    ----------
    value : float
        -2 log-likelihood (restricted under REML), profiled over coefficients and residual variance, without
        the terms that only depend on units.
    gradient : ndarray, shape (m,)
    hessian : ndarray, shape (m, m)
    beta : ndarray, shape (p,)
    cov_x : ndarray, shape (p, p)
        ``(X'V^-1 X)^-1``.
    dt_x : ndarray, shape (m, p, p)
        Derivatives of ``X'V^-1 X``.
    dlogdet, ddlogdet : ndarray
        Derivatives of ``logdet_v``, plus ``logdet_x`` under REML.
    """

    value: float
    gradient: Array
    hessian: Array
    rss: float
    nu: int
    beta: Array
    cov_x: Array
    dt_x: Array
    drss: Array
    ddrss: Array
    dlogdet: Array
    ddlogdet: Array


def entry_terms(blocks: Statistics) -> list[int]:
    """Terms in the order in which their covariance entries are stacked."""
    return list(blocks.entry_terms)


def sweep(blocks: Statistics, relative: list[Array], order: int) -> Parts:
    """Eliminate all random effects."""
    return blocks.sweep(relative, order)


def profiled(blocks: Statistics, relative: list[Array], reml: bool, order: int = 2) -> Criterion:
    """Evaluate the criterion at relative covariances (one q by q matrix a term, in design order).

    With ``order`` 1 the Hessian is not to be used, with 0 no derivative is. Returns a criterion of infinite value
    where ``X'V^-1 X`` or the residual is numerically lost.
    """
    with np.errstate(all="ignore"):  # a trial step may overflow; it is then lost, below
        logdet, dl, ddl, t, dt, ddt = sweep(blocks, relative, order)
    p, m = blocks.p, len(dl)
    nu = blocks.n - p if reml else blocks.n
    txx, txy = t[:p, :p], t[:p, -1]
    if not (math.isfinite(logdet) and math.isfinite(t.sum())):
        return _lost(p, m, nu)
    try:
        chol = np.linalg.cholesky(txx)
    except np.linalg.LinAlgError:
        return _lost(p, m, nu)
    inverse = np.linalg.inv(chol)
    cov_x = inverse.T @ inverse
    beta = cov_x @ txy
    rss = float(t[-1, -1] - txy @ beta)
    if not 1e-13 * blocks.n < rss < 1e150:
        return _lost(p, m, nu)
    if reml:
        logdet += 2 * float(np.log(chol.diagonal()).sum())
    value = logdet + nu * (1 + math.log(2 * math.pi * rss / nu))
    if order == 0:
        return replace(_lost(p, m, nu), value=value, rss=rss, beta=beta, cov_x=cov_x)
    return _derivatives(value, rss, nu, beta, cov_x, dl, ddl, dt, ddt, reml)


def _lost(p: int, m: int, nu: int) -> Criterion:
    nan_m, nan_p = np.full(m, np.nan), np.full((p, p), np.nan)
    square = np.full((m, m), np.nan)
    return Criterion(
        np.inf,
        nan_m,
        square,
        np.nan,
        nu,
        nan_p[0],
        nan_p,
        np.full((m, p, p), np.nan),
        nan_m,
        square,
        nan_m,
        square,
    )


def _derivatives(
    value: float,
    rss: float,
    nu: int,
    beta: Array,
    cov_x: Array,
    dl: Array,
    ddl: Array,
    dt: Array,
    ddt: Array,
    reml: bool,
) -> Criterion:
    p, m, k = len(beta), len(dl), dt.shape[-1]
    r = np.zeros(k)
    r[:p], r[-1] = -beta, 1.0
    square = (r[:, None] * r).ravel()
    drss = dt.reshape(m, -1) @ square
    v = (dt @ r)[:, :p]
    dt_x = dt[:, :p, :p]
    ddrss = -2 * v @ cov_x @ v.T
    ddlogdet = ddl
    place = pair_places(m)
    if len(ddt):
        ddrss += (ddt.reshape(-1, k * k) @ square)[place]
    dlogdet = dl
    if reml:
        flat = cov_x.ravel()
        dlogdet = dl + dt_x.reshape(m, -1) @ flat
        if len(ddt):
            ct = cov_x @ dt_x
            second = (ddt[:, :p, :p].reshape(-1, p * p) @ flat)[place]
            ddlogdet = ddl + second - ct.reshape(m, -1) @ ct.transpose(0, 2, 1).reshape(m, -1).T
    gradient = dlogdet + nu * drss / rss
    hessian = ddlogdet + nu * (ddrss / rss - drss[:, None] * drss / rss**2)
    return Criterion(value, gradient, hessian, rss, nu, beta, cov_x, dt_x, drss, ddrss, dlogdet, ddlogdet)
