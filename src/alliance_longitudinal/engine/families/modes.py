"""Modes of the random effects for given parameters, and how they move.

The modes minimise ``-2 l(eta) + u'u`` with ``eta = fixed + sum of loadings times u``. The function is strictly convex
(families are log-concave), so damped Newton steps reach its only minimum from anywhere.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.distributions import Density
from alliance_longitudinal.engine.families.elimination import Elimination, eliminate
from alliance_longitudinal.engine.families.problem import Problem

#: Newton decrement before the last step; convergence is quadratic, so after it the error is of the order of its square.
_LAST = 1e-13
_MAX_STEPS = 100
#: A criterion beyond this counts as none: its derivatives overflow.
_TOO_LARGE = 1e60


@dataclass(frozen=True, slots=True)
class Loadings:
    """Loadings of the rows on standard normal random effects.

    Attributes
    ----------
    zeta : ndarray, shape (n, r of all factors)
    widths : tuple of int
        Effects a group, by factor in the layout's order.
    columns : tuple of slice
        Each term's columns of ``zeta``.
    factors : tuple of ndarray, shape (q_t, r_t)
        ``L`` of each term's covariance ``L L'``.
    """

    zeta: Array
    widths: tuple[int, ...]
    columns: tuple[slice, ...]
    factors: tuple[Array, ...]


def loadings(problem: Problem, factors: list[Array]) -> Loadings:
    """Put ``z L`` of all terms side by side, by factor."""
    widths = [0] * len(problem.layout.groupings)
    columns: list[slice] = [slice(0)] * len(factors)
    at, parts = 0, []
    for t in problem.arranged():
        r = factors[t].shape[1]
        widths[problem.place[t]] += r
        columns[t] = slice(at, at + r)
        parts.append(problem.z[t] @ factors[t])
        at += r
    return Loadings(np.concatenate(parts, axis=1), tuple(widths), tuple(columns), tuple(factors))


@dataclass(frozen=True, slots=True)
class Modes:
    """Modes and everything about them.

    Attributes
    ----------
    u : list of ndarray, shape (J, r)
        By factor in the layout's order.
    u_rows : ndarray, shape (n, r of all factors)
        The effects of each row's own groups.
    eta : ndarray, shape (n,)
    density : Density
    elimination : Elimination
        Of half the second derivative, ``I + Z'WZ``.
    found : bool
        Whether the search ended at the minimum.
    """

    u: list[Array]
    u_rows: Array
    eta: Array
    density: Density
    elimination: Elimination
    found: bool


def find_modes(problem: Problem, at: Loadings, fixed: Array, aux: Array, start: list[Array] | None) -> Modes:
    """Minimise over the random effects, from ``start`` if it fits, else from zero."""
    groupings = problem.layout.groupings
    shapes = [(g.size, r) for g, r in zip(groupings, at.widths, strict=True)]
    if start is None or [s.shape for s in start] != shapes:
        start = [np.zeros(shape) for shape in shapes]

    def look(u: list[Array]) -> tuple[Array, Array, Density, float]:
        rows = np.concatenate([v[g.codes] for v, g in zip(u, groupings, strict=True)], axis=1)
        eta = fixed + np.einsum("nr,nr->n", at.zeta, rows)
        density = problem.family.density(eta, problem.y, problem.size, aux)
        value = float(sum((v**2).sum() for v in u) - 2 * density.l.sum())
        return rows, eta, density, value if abs(value) < _TOO_LARGE else np.inf

    u = start
    rows, eta, density, value = look(u)
    if not np.isfinite(value):
        u = [np.zeros(shape) for shape in shapes]
        rows, eta, density, value = look(u)
    found = False
    for _ in range(_MAX_STEPS):
        if not np.isfinite(value):
            break
        elimination = eliminate(problem.layout, at.widths, at.zeta, density.w)
        if found:
            break
        slope = score(problem, at, density.s)
        slope = [a - b for a, b in zip(slope, u, strict=True)]
        step = elimination.solve(slope)
        decrement = float(sum((a * b).sum() for a, b in zip(slope, step, strict=True)))
        share = 1.0
        while share > 1e-10:
            trial = [a + share * b for a, b in zip(u, step, strict=True)]
            looked = look(trial)
            if looked[3] <= value - 1e-4 * share * decrement + 1e-12 * max(1.0, abs(value)):
                break
            share *= 0.5
        u, (rows, eta, density, value) = trial, looked
        found = decrement < _LAST
    if not np.isfinite(value):
        elimination = eliminate(problem.layout, at.widths, at.zeta, np.zeros(len(eta)))
    return Modes(u, rows, eta, density, elimination, found)


def score(problem: Problem, at: Loadings, values: Array) -> list[Array]:
    """``sum_i values_i zeta_i`` by factor, each (J, r); ``values`` has shape (n,) or that of the loadings."""
    weighted = (values[:, None] if values.ndim == 1 else values) * at.zeta
    return by_factor(problem, at, weighted)


def by_factor(problem: Problem, at: Loadings, weighted: Array) -> list[Array]:
    """Sums over the rows of each group, by factor."""
    out, column = [], 0
    for grouping, r in zip(problem.layout.groupings, at.widths, strict=True):
        out.append(grouping.sums(weighted[:, column : column + r]))
        column += r
    return out


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Derivatives of a function of the rows' values at the modes, in what the modes depend on.

    Attributes
    ----------
    eta : ndarray, shape (n,)
        In the fixed part of each linear predictor.
    zeta : ndarray, shape (n, r of all factors)
        In the loadings.
    aux : ndarray
        In the auxiliary parameters.
    """

    eta: Array
    zeta: Array
    aux: Array


def through_modes(
    problem: Problem, at: Loadings, modes: Modes, aux: Array, by_weight: Array, by_mode: list[Array] | None
) -> Sensitivity:
    """Carry derivatives in the weights ``w`` and in the modes back to the parameters.

    The modes solve ``u = sum s_i zeta_i``, so ``M du = sum zeta_i (s_a da - w_i d eta_i) + s_i d zeta_i``: one solution
    of ``M lambda = dF/du`` serves all parameters (the implicit function theorem, in reverse).

    Parameters
    ----------
    by_weight : ndarray, shape (n,)
        ``dF/dw_i``.
    by_mode : list of ndarray or None
        ``dF/du`` beside what goes through the weights.
    """
    d = modes.density
    through = score(problem, at, by_weight * d.wp)
    if by_mode is not None:
        through = [a + b for a, b in zip(through, by_mode, strict=True)]
    back = modes.elimination.solve(through)
    groupings = problem.layout.groupings
    back_rows = np.concatenate([v[g.codes] for v, g in zip(back, groupings, strict=True)], axis=1)
    along = np.einsum("nr,nr->n", at.zeta, back_rows)
    eta = by_weight * d.wp - along * d.w
    zeta = eta[:, None] * modes.u_rows + d.s[:, None] * back_rows
    terms = problem.family.auxiliary(modes.eta, problem.y, problem.size, aux)
    by_aux = np.array([float(by_weight @ t.w + along @ t.s) for t in terms])
    return Sensitivity(eta, zeta, by_aux)
