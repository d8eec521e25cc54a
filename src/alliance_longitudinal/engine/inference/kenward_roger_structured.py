"""Kenward and Roger's method with a residual structure: the covariance of the response is then not linear.

Kenward and Roger (1997), Biometrics 53:983-997, with the terms ``R_ij`` of second derivatives. Unlike the rest of the
method they depend on the parameters that are chosen; here these are the variances and covariances of the effects, the
residual variance of every stratum, and the correlation of neighbours (of one position; of the median gap for `CAR1`, so
that the unit of time does not matter). Matrices are written out for each group of the top level.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.statistics.structured.structure import AR1
from alliance_longitudinal.engine.statistics.structured.whiten import relative_sd
from alliance_longitudinal.errors import FitError

#: Most rows of one group of the top level, whose covariance is a dense matrix.
LARGEST = 3000


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over groups, internal units, at residual variance one; m parameters.

    Attributes
    ----------
    slopes : ndarray, shape (m, p, p)
        ``P_i = -X'V^-1 V_i V^-1 X``.
    products : ndarray, shape (m, m, p, p)
        ``Q_ij = X'V^-1 V_i V^-1 V_j V^-1 X``.
    curves : ndarray, shape (m, m, p, p)
        ``R_ij = X'V^-1 V_ij V^-1 X``.
    traces : ndarray, shape (m, m)
        ``tr(V^-1 V_i V^-1 V_j)``.
    """

    slopes: Array
    products: Array
    curves: Array
    traces: Array


def moments(fit: MixedFit) -> Moments:
    """What Kenward and Roger's formulas need, group by group.

    Raises
    ------
    FitError
        A group of the top level is too large for a dense matrix.
    """
    assert fit.residual is not None
    top = fit.design.factors[fit.design.terms[fit.residual.model.levels[-1].terms[0]].factor]
    sizes = np.bincount(top.codes)
    if sizes.max() > LARGEST:
        raise FitError(
            f"Group {top.levels[int(sizes.argmax())]!r} of {top.name!r} has {sizes.max()} rows; with a residual structure "
            f"Kenward and Roger's method takes at most {LARGEST}. Choose df='satterthwaite'."
        )
    order = np.argsort(top.codes, kind="stable")
    total: list[Array] | None = None
    for at in np.split(order, np.cumsum(sizes)[:-1]):
        new = _of_group(fit, at)
        total = new if total is None else [a + b for a, b in zip(total, new, strict=True)]
    assert total is not None
    return Moments(*total)


def _of_group(fit: MixedFit, at: Index) -> list[Array]:
    x = fit.basis.q[at, : fit.blocks.p]
    v, first = _effects(fit, at)
    residual, residual_first, second = _residual(fit, at)
    solve = np.linalg.inv(v + residual)
    first = [*first, *residual_first]
    wx = solve @ x
    through = np.stack([d @ wx for d in first])
    slopes = -np.einsum("np,inq->ipq", wx, through)
    products = np.einsum("inp,nl,jlq->ijpq", through, solve, through, optimize=True)
    turned = np.stack([solve @ d for d in first])
    traces = np.einsum("iab,jba->ij", turned, turned, optimize=True)
    m, own = len(first), len(residual_first)
    curves = np.zeros((m, m, x.shape[1], x.shape[1]))
    for (i, j), matrix in second.items():
        value = wx.T @ matrix @ wx
        curves[m - own + i, m - own + j] = curves[m - own + j, m - own + i] = value
    return [slopes, products, curves, traces]


def _effects(fit: MixedFit, at: Index) -> tuple[Array, list[Array]]:
    """Covariance of some rows by their random effects, and its derivative in each entry."""
    v, first = np.zeros((len(at), len(at))), []
    for t, term in enumerate(fit.design.terms):
        z = fit.basis.q[at] @ fit.basis.c[t]
        codes = fit.design.factors[term.factor].codes[at]
        same = codes[:, None] == codes
        v += same * (z @ fit.record.best.relative[t] @ z.T)
        for i, j in zip(*np.tril_indices(z.shape[1]), strict=True):
            pair = np.outer(z[:, i], z[:, j])
            first.append(same * (pair if i == j else pair + pair.T))
    return v, first


def _residual(fit: MixedFit, at: Index) -> tuple[Array, list[Array], dict[tuple[int, int], Array]]:
    """Residual covariance, and its derivatives in the correlation and the variance of every stratum."""
    assert fit.residual is not None
    pattern, tau = fit.residual.model.pattern, fit.residual.tau
    place = np.empty(len(pattern.rows), dtype=np.intp)
    place[pattern.rows] = np.arange(len(place))
    spots = place[at]
    group = np.repeat(np.arange(len(pattern.starts) - 1), np.diff(pattern.starts))[spots]
    same = (group[:, None] == group).astype(float)
    sd = relative_sd(pattern, tau)
    scale = np.outer(sd[spots], sd[spots])
    rho, slope, bend = np.eye(len(at)), np.zeros_like(same), np.zeros_like(same)
    if pattern.correlated:
        phi = np.tanh(tau[0]) if isinstance(pattern.structure, AR1) else np.exp(-np.exp(-tau[0]))
        lag = np.abs(pattern.position[spots][:, None] - pattern.position[spots])
        rho, slope, bend = _powers(float(phi), np.where(same > 0, lag, 0.0))
    covariance = same * rho * scale
    stratum = pattern.stratum[spots]
    variances = np.array([np.max(sd[pattern.stratum == h]) ** 2 for h in range(len(pattern.strata))])
    share = [
        ((stratum == h).astype(float)[:, None] + (stratum == h)) / 2 for h in range(len(variances))
    ]  # how often a stratum's standard deviation is in an entry, halved
    shift = int(pattern.correlated)
    first = [same * slope * scale] if shift else []
    second = {(0, 0): same * bend * scale} if shift else {}
    for h, s in enumerate(variances):
        first.append(covariance * share[h] / s)
        if shift:
            second[0, 1 + h] = same * slope * scale * share[h] / s
        for k in range(h + 1):
            factor = share[h] * (share[k] - (h == k)) / (s * variances[k])
            second[shift + h, shift + k] = covariance * factor
    return covariance, first, second


def _powers(phi: float, lag: Array) -> tuple[Array, Array, Array]:
    """``phi ** lag`` and its derivatives in ``phi``; whole lags where phi is negative or zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(lag > 0, lag * phi ** np.where(lag > 0, lag - 1, 0.0), 0.0)
        bend = np.where(
            (lag == 0) | (lag == 1), 0.0, lag * (lag - 1) * phi ** np.where(lag == 1, 0.0, lag - 2)
        )
    return phi**lag, slope, bend
