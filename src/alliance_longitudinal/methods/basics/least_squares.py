"""Least squares with cluster-robust (CR2) errors, for one data set or for many of the same shape at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from alliance_longitudinal.methods.basics.frames import Floats

#: A direction that a cluster determines alone has a leverage of one; it is left out of the correction.
FULL_LEVERAGE = 1e-10


@dataclass(frozen=True, slots=True)
class RobustFit:
    """Coefficients with CR2 errors; a leading axis where several data sets were fitted.

    Attributes
    ----------
    beta, se, df : ndarray, shape (..., p)
        Coefficients, standard errors, Satterthwaite's degrees of freedom.
    """

    beta: Floats
    se: Floats
    df: Floats


def cluster_robust(y: Any, x: Any, groups: Any) -> RobustFit:
    """Least squares of ``y`` on the columns of ``x`` with CR2 errors by ``groups``.

    Bell & McCaffrey (2002); Pustejovsky & Tipton (2018, doi 10.1080/07350015.2016.1247004) with the identity as working
    model. All that CR2 needs of a cluster are its cross-products, of size p: so the cost hardly depends on the cluster's
    size, and many data sets are one batch of small matrices.

    Parameters
    ----------
    y : array, shape (n,) or (b, n)
    x : array, shape (n, p) or (b, n, p)
        With a column of ones where there is an intercept. Of full rank.
    groups : array, shape (n,)
        The cluster of each row, the same in all data sets.

    Returns
    -------
    RobustFit
        Without the leading axis where neither ``y`` nor ``x`` has one.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.ones(6), [0, 1, 2, 0, 1, 2]])
    >>> cluster_robust([1.0, 2, 3, 2, 3, 5], x, list("aabbcc")).beta.round(3).tolist()
    [1.417, 1.25]
    """
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    many = y.ndim > 1 or x.ndim > 2
    y, x = np.atleast_2d(y), x if x.ndim > 2 else x[None]
    code = np.unique(np.asarray(groups), return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    y, x = y[:, order], x[:, order]
    outer = _sums(x[:, :, :, None] * x[:, :, None, :], starts)  # b, G, p, p: cross-products of each cluster
    bread = np.linalg.inv(outer.sum(axis=1))
    beta = np.einsum("bij,bj->bi", bread, np.einsum("bnp,bn->bp", x, np.broadcast_to(y, x.shape[:2])))
    residual = y - np.einsum("bnp,bp->bn", x, beta)
    scores = _sums(x * residual[:, :, None], starts)
    se, df = _errors(outer, scores, bread)
    return RobustFit(beta, se, df) if many else RobustFit(beta[0], se[0], df[0])


def _sums(values: Floats, starts: "np.ndarray[Any, np.dtype[np.intp]]") -> Floats:
    return np.asarray(np.add.reduceat(values, starts, axis=1))


def _errors(outer: Floats, scores: Floats, bread: Floats) -> tuple[Floats, Floats]:
    """CR2 standard errors and df.

    With ``H = X M X'`` of a cluster and ``M = L L'``, the eigenvalues of ``L' X'X L`` are the leverages; the powers of
    ``I - H`` that CR2 needs act in their space only.
    """
    root = np.linalg.cholesky(bread)[:, None]
    leverage, vectors = np.linalg.eigh(np.swapaxes(root, -1, -2) @ outer @ root)
    leverage = np.clip(leverage, 0.0, None)
    usable = leverage < 1 - FULL_LEVERAGE
    left = np.where(usable, 1 - leverage, 1.0)
    half = np.where(usable, left**-0.5, 0.0)  # (I - H)^(-1/2) in the space of the cluster's columns
    whole = half**2
    # X' f(H) X = outer + (f(leverage) - 1) in that space: with W = L^-T V, X'X = W diag(leverage) W'.
    w = np.swapaxes(np.linalg.inv(root), -1, -2) @ vectors
    m = bread[:, None]
    meat_half = (w * (half * leverage)[..., None, :]) @ np.swapaxes(w, -1, -2)
    meat = (w * (whole * leverage)[..., None, :]) @ np.swapaxes(w, -1, -2)
    # X' f(H) e needs f in the same space: X'e = W z with z = W^-1 X'e, and f acts on z.
    inner = np.swapaxes(vectors, -1, -2) @ np.swapaxes(root, -1, -2)
    z = np.einsum("bgij,bgj->bgi", inner, scores)
    adjusted = np.einsum("bgij,bgj->bgi", w, half * z)
    own_scores = np.einsum("bij,bgj->bgi", bread, adjusted)
    variance = (own_scores**2).sum(axis=1)
    own = np.einsum("bgij,bgjk,bgki->bgi", np.broadcast_to(m, meat.shape), meat, np.broadcast_to(m, meat.shape))
    fixed = meat_half @ m  # columns: X' A X M of each coefficient
    halves = np.einsum("bij,bgik->bgjk", np.linalg.cholesky(bread), fixed)  # L' f
    products = np.einsum("bgjk,bhjk->bghk", halves, halves)
    shared = np.einsum("bggk->bgk", products)
    trace = (own - shared).sum(axis=1)
    square = (products**2).sum(axis=(1, 2)) - (shared**2).sum(axis=1) + ((own - shared) ** 2).sum(axis=1)
    return np.sqrt(variance), trace**2 / square
