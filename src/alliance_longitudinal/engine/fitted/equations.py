"""Henderson's mixed-model equations, sparse: what is known about any combination of coefficients and random effects.

With rows times the root of their weight, ``L L'`` the relative covariance of all random effects and ``s`` the residual
variance, the errors of the estimates have covariance ``s M^-1`` (Henderson 1975, Biometrics 31:423-447)::

    M = | X'X      X'ZL     |      c = (x, L'z):   Var(c'error) = s c'M^-1 c = k** - k'V^-1 k + r'Phi r
        | L'Z'X    I + L'Z'ZL |

It holds for nested and crossed groups alike, and where ``L`` is singular.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.rows import Effects
from alliance_longitudinal.engine.statistics.structured.whiten import innovations


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a fit in internal units, rows made independent of equal variance.

    Attributes
    ----------
    rows : sparse matrix, shape (n, n)
        What makes the rows so: roots of weights, innovations of a residual structure.
    raw_x, raw_z : ndarray (n, p), sparse matrix (n, r)
        As in the data; effects spread over the groups, term by term, group by group.
    x, z : the same, multiplied by ``rows``
    starts : tuple of int
        Where each term's effects begin.
    """

    rows: Any
    raw_x: Array
    raw_z: Any
    x: Array
    z: Any
    starts: tuple[int, ...]


def columns(fit: MixedFit, tau: Array | None = None) -> Columns:
    """The columns of a fit, at other parameters of its residual structure if given; free of the effects' covariances."""
    design = fit.design
    parts, starts, at = [], [], 0
    for t, term in enumerate(design.terms):
        factor = design.factors[term.factor]
        parts.append(spread(Effects.of(internal_effects(fit, t, term.z), factor), factor.size))
        starts.append(at)
        at += factor.size * len(term.names)
    rows = independent_rows(fit, tau)
    raw_x, raw_z = internal_fixed(fit, design.x), sparse.hstack(parts, format="csc")
    return Columns(rows, raw_x, raw_z, rows @ raw_x, sparse.csc_array(rows @ raw_z), tuple(starts))


def independent_rows(fit: MixedFit, tau: Array | None = None) -> Any:
    """Sparse matrix that makes residuals independent with variance `scale`, shape (n, n)."""
    design = fit.design
    weights = np.ones(len(design.y)) if design.weights is None else design.weights
    roots = sparse.diags_array(np.sqrt(weights), format="csc")
    if fit.residual is None:
        return roots
    at = fit.residual.tau if tau is None else tau
    return innovations(fit.residual.model.pattern, at).matrix() @ roots


@dataclass(frozen=True, slots=True)
class Equations:
    """The equations of a fit, factored; in the fit's internal units and relative to its residual variance.

    Attributes
    ----------
    columns : Columns
    roots : tuple of ndarray, shape (q_t, q_t)
        Root of each term's relative covariance.
    lower : sparse matrix, shape (r, r)
        Block-diagonal root of the relative covariance.
    solve : callable
        Solves with ``I + L'Z'ZL``.
    through : ndarray, shape (r, p)
        ``(I + L'Z'ZL)^-1 L'Z'X``.
    phi : ndarray, shape (p, p)
        Relative covariance of the coefficients.
    """

    columns: Columns
    roots: tuple[Array, ...]
    lower: Any
    solve: Any
    through: Array
    phi: Array

    def estimates(self, fit: MixedFit, y: Array | None = None) -> tuple[Array, Array]:
        """Coefficients (p, ...) and spread effects (r, ...) in internal units, of the fit's response or others (n, N)."""
        design, c = fit.design, self.columns
        response = design.centred if y is None else y
        fixed = design.x @ fit.basis.beta_ols
        centred = (response.T - fixed).T / fit.basis.y_scale
        rows = c.rows @ centred
        zy = self.lower.T @ (c.z.T @ rows)
        gamma = self.phi @ (c.x.T @ rows - self.through.T @ zy)
        return gamma, self.lower @ (self.solve(zy) - self.through @ gamma)

    def of_term(self, t: int, effects: Array) -> Array:
        """The effects of one term, by group: shape (groups, q_t)."""
        ends = [*self.columns.starts[1:], len(effects)]
        return effects[self.columns.starts[t] : ends[t]].reshape(-1, len(self.roots[t]))


def equations(
    fit: MixedFit, relative: Sequence[Array] | None = None, given: Columns | None = None
) -> Equations:
    """Set up and factor the equations, at other relative covariances (internal units) if given."""
    c = columns(fit) if given is None else given
    d = list(fit.record.best.relative if relative is None else relative)
    roots = tuple(_root(matrix) for matrix in d)
    sizes = [fit.design.factors[term.factor].size for term in fit.design.terms]
    blocks = [
        sparse.kron(sparse.eye_array(n), root, format="csc") for n, root in zip(sizes, roots, strict=True)
    ]
    lower = sparse.block_diag(blocks, format="csc")
    zl = sparse.csc_array(c.z @ lower)
    system = sparse.csc_array(sparse.eye_array(zl.shape[1]) + zl.T @ zl)
    factored = splu(system, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    zlx = zl.T @ c.x
    through = factored.solve(zlx)
    phi = np.linalg.inv(c.x.T @ c.x - zlx.T @ through)
    return Equations(c, roots, lower, factored.solve, through, 0.5 * (phi + phi.T))


def internal_fixed(fit: MixedFit, x: Array) -> Array:
    """Rows of the fixed part in internal units."""
    return np.asarray(np.linalg.solve(fit.basis.r_x.T, x.T).T)


def internal_effects(fit: MixedFit, t: int, z: Array) -> Array:
    """Rows of a term's effects in internal units."""
    return np.asarray(np.linalg.solve(fit.basis.b[t].T, z.T).T)


def spread(effects: Effects, size: int) -> Any:
    """Effects (n, q) put at the columns of each row's groups, shape (n, size q); groups of code -1 are left out."""
    n, q = effects.z.shape
    row, member = np.nonzero(effects.codes >= 0)
    values = effects.z[row] * effects.shares[row, member][:, None]
    columns = effects.codes[row, member][:, None] * q + np.arange(q)
    return sparse.csc_array((values.ravel(), (np.repeat(row, q), columns.ravel())), shape=(n, size * q))


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
