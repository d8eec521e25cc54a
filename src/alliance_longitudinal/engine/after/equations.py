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
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from alliance_longitudinal.engine.fitting.fit import MixedFit

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Equations:
    """The equations of a fit, factored; in the fit's internal units and relative to its residual variance.

    Attributes
    ----------
    roots : tuple of ndarray, shape (q_t, q_t)
        Root of each term's relative covariance.
    x : ndarray, shape (n, p)
    z : sparse matrix, shape (n, r)
        Effects spread over the groups, term by term, group by group.
    lower : sparse matrix, shape (r, r)
        Block-diagonal root of the relative covariance.
    solve : callable or None
        Solves with ``I + L'Z'ZL``.
    through : ndarray, shape (r, p)
        ``(I + L'Z'ZL)^-1 L'Z'X``.
    phi : ndarray, shape (p, p)
        Relative covariance of the coefficients.
    starts : tuple of int
        Where each term's effects begin.
    """

    roots: tuple[Array, ...]
    x: Array
    z: Any
    lower: Any
    solve: Any
    through: Array
    phi: Array
    starts: tuple[int, ...]

    def estimates(self, fit: MixedFit) -> tuple[Array, list[Array]]:
        """Coefficients (p,) and modes of each term (groups, q_t), in internal units."""
        design = fit.design
        root = np.ones(len(design.y)) if design.weights is None else np.sqrt(design.weights)
        y = root * (design.centred - design.x @ fit.basis.beta_ols) / fit.basis.y_scale
        own = self.solve(self.lower.T @ (self.z.T @ y))
        gamma = self.phi @ (self.x.T @ y - self.through.T @ (self.lower.T @ (self.z.T @ y)))
        effects = self.lower @ (own - self.through @ gamma)
        ends = [*self.starts[1:], len(effects)]
        return gamma, [
            effects[a:b].reshape(-1, len(root_t))
            for a, b, root_t in zip(self.starts, ends, self.roots, strict=True)
        ]


def equations(fit: MixedFit, relative: Sequence[Array] | None = None) -> Equations:
    """Set up and factor the equations, at other relative covariances (internal units) if given."""
    design = fit.design
    root = np.ones(len(design.y)) if design.weights is None else np.sqrt(design.weights)
    d = list(fit.record.best.relative if relative is None else relative)
    roots = tuple(_root(matrix) for matrix in d)
    x = root[:, None] * internal_fixed(fit, design.x)
    columns, blocks, starts, at = [], [], [], 0
    for t, term in enumerate(design.terms):
        factor = design.factors[term.factor]
        columns.append(spread(root[:, None] * internal_effects(fit, t, term.z), factor.codes, factor.size))
        blocks.append(sparse.kron(sparse.eye_array(factor.size), roots[t], format="csc"))
        starts.append(at)
        at += factor.size * len(term.names)
    z, lower = sparse.hstack(columns, format="csc"), sparse.block_diag(blocks, format="csc")
    zl = sparse.csc_array(z @ lower)
    system = sparse.csc_array(sparse.eye_array(at) + zl.T @ zl)
    factored = splu(system, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    zlx = zl.T @ x
    through = factored.solve(zlx)
    phi = np.linalg.inv(x.T @ x - zlx.T @ through)
    return Equations(roots, x, z, lower, factored.solve, through, 0.5 * (phi + phi.T), tuple(starts))


def internal_fixed(fit: MixedFit, x: Array) -> Array:
    """Rows of the fixed part in internal units."""
    return np.asarray(np.linalg.solve(fit.basis.r_x.T, x.T).T)


def internal_effects(fit: MixedFit, t: int, z: Array) -> Array:
    """Rows of a term's effects in internal units."""
    return np.asarray(np.linalg.solve(fit.basis.b[t].T, z.T).T)


def spread(z: Array, codes: Codes, size: int) -> Any:
    """Effects (n, q) put at the columns of each row's group, shape (n, size q); rows of code -1 are empty."""
    n, q = z.shape
    known = np.flatnonzero(codes >= 0)
    rows = np.repeat(known, q)
    columns = (codes[known, None] * q + np.arange(q)).ravel()
    return sparse.csc_array((z[known].ravel(), (rows, columns)), shape=(n, size * q))


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
