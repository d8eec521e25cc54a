"""How far a prediction can be off: variance of its error and degrees of freedom.

The error of a predicted mean has the uncertainty of the coefficients, of the known groups' modes, and of both together
(their covariance), and the whole variance of the effects of groups that were not in the data. That of a single new
observation has the residual variance on top.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.equations import (
    Equations,
    columns,
    equations,
    internal_effects,
    internal_fixed,
    spread,
)
from alliance_longitudinal.engine.fitted.rows import Effects, Rows
from alliance_longitudinal.engine.inference.satterthwaite import variance_information

#: Most numbers in one dense piece of solutions.
_PIECE = 4_000_000
_STEP = 1e-5


@dataclass(frozen=True, slots=True)
class ErrorVariance:
    """Variance of prediction errors relative to the residual variance, and how it depends on the covariances.

    Attributes
    ----------
    value : ndarray, shape (n,)
    slopes : ndarray, shape (n, t + entries)
        Derivatives in the parameters of a residual structure and the relative covariances' entries (internal units), in
        the order of the criterion.
    """

    value: Array
    slopes: Array


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows in internal units: fixed part (n, p), effects of each term, effects spread over the groups."""

    x: Array
    effects: list[Effects]
    known: sparse.csc_array


def error_variance(fit: MixedFit, rows: Rows) -> ErrorVariance:
    """Variance of the errors of predicted means, with its derivatives."""
    system = equations(fit)
    relative, c = list(fit.record.best.relative), system.columns
    values, slopes = [], []
    for piece in _pieces(fit, rows, system):
        d = (piece.known @ system.lower).toarray().T
        own = system.solve(d)
        a = (piece.x - d.T @ system.through) @ system.phi
        u = own - system.through @ a.T
        h = piece.known.toarray() - (c.z.T @ (c.x @ a.T + c.z @ (system.lower @ u))).T
        values.append(_value(system, relative, piece, d, own))
        slopes.append(_slopes(fit, system, piece, h))
    if not values:
        return ErrorVariance(np.zeros(0), np.zeros((0, len(fit.criterion.gradient))))
    slopes = [np.concatenate(slopes)]
    if fit.residual is not None:
        slopes.insert(0, _structure_slopes(fit, relative, rows, fit.residual.tau))
    return ErrorVariance(np.concatenate(values), np.concatenate(slopes, axis=1))


def _structure_slopes(fit: MixedFit, relative: list[Array], rows: Rows, tau: Array) -> Array:
    """Derivatives in the parameters of the residual structure, by central differences; shape (n, t)."""
    out = np.zeros((len(rows.x), len(tau)))
    for i in range(len(tau)):
        ends = []
        for sign in (1, -1):
            moved = tau.copy()
            moved[i] += sign * _STEP
            ends.append(mean_errors(fit, equations(fit, relative, columns(fit, moved)), relative, rows))
        out[:, i] = (ends[0] - ends[1]) / (2 * _STEP)
    return out


def mean_errors(fit: MixedFit, system: Equations, relative: list[Array], rows: Rows) -> Array:
    """Variance of the errors of predicted means at given relative covariances, shape (n,)."""
    out = []
    for piece in _pieces(fit, rows, system):
        d = (piece.known @ system.lower).toarray().T
        out.append(_value(system, relative, piece, d, system.solve(d)))
    return np.concatenate(out) if out else np.zeros(0)


def _pieces(fit: MixedFit, rows: Rows, system: Equations) -> list[_Piece]:
    step = max(1, _PIECE // max(1, system.columns.z.shape[1]))
    out = []
    for at in range(0, len(rows.x), step):
        some = slice(at, at + step)
        own = [each.take(some) for each in rows.effects]
        effects = [replace(each, z=internal_effects(fit, t, each.z)) for t, each in enumerate(own)]
        sizes = [fit.design.factors[term.factor].size for term in fit.design.terms]
        known = [spread(each, size) for each, size in zip(effects, sizes, strict=True)]
        out.append(_Piece(internal_fixed(fit, rows.x[some]), effects, sparse.hstack(known, format="csc")))
    return out


def _value(system: Equations, relative: list[Array], piece: _Piece, d: Array, own: Array) -> Array:
    """``d'A^-1 d + r'Phi r`` for what is known, and ``z'D z`` for new groups."""
    r = piece.x - d.T @ system.through
    value = np.einsum("rn,rn->n", d, own) + np.einsum("np,np->n", r @ system.phi, r)
    for effects, matrix in zip(piece.effects, relative, strict=True):
        value += np.einsum("nq,nq->n", effects.new @ matrix, effects.new)
    return np.asarray(value)


def _slopes(fit: MixedFit, system: Equations, piece: _Piece, h: Array) -> Array:
    """Derivatives ``sum h'E h`` over groups, with ``h = k - Z'V^-1(...)`` what is not yet known of a row's groups.

    With ``M a = c`` the derivative of ``c'M^-1 c`` is ``2 dc'a - a'dM a``; since ``u = L'h`` that is ``h'dD h``.
    """
    out = []
    for t in fit.record.best.face.entry_order:
        q = piece.effects[t].z.shape[1]
        width = q * fit.design.factors[fit.design.terms[t].factor].size
        groups = h[:, system.columns.starts[t] : system.columns.starts[t] + width].reshape(len(h), -1, q)
        new = piece.effects[t].new
        moment = groups.transpose(0, 2, 1) @ groups + new[:, :, None] * new[:, None, :]
        i, j = np.tril_indices(q)
        out.append(moment[:, i, j] * np.where(i == j, 1.0, 2.0))
    return np.concatenate(out, axis=1)


def degrees_of_freedom(fit: MixedFit, variance: ErrorVariance) -> Array:
    """Satterthwaite's ``2 v^2 / Var(v)`` for each error variance, shape (n,)."""
    s = fit.criterion.rss / fit.criterion.nu
    information, jacobian = variance_information(fit)
    gradient = np.concatenate([s * variance.slopes @ jacobian, variance.value[:, None]], axis=1)
    values, vectors = np.linalg.eigh(information)
    usable = values > 1e-12 * values[-1]
    along = gradient @ vectors[:, usable]
    return np.asarray(2 * (s * variance.value) ** 2 / np.einsum("nm,nm->n", along / values[usable], along))
