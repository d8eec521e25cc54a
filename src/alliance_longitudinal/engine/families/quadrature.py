"""Adaptive Gauss-Hermite quadrature for scalar random effects: over one factor, or over two nested ones.

Nodes of each group lie around its mode, spread by the curvature there (Pinheiro and Bates 1995, JCGS 4:12-35; Rabe-
Hesketh, Skrondal and Pickles 2005, J Econometrics 128:301-323, for nested factors). For two factors the inner integral
is taken anew, with its own modes, at every outer node. The gradient is that of the approximated function itself, with
the nodes moving; so its optimum can be certified, with any number of nodes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.laplace import Evaluation
from alliance_longitudinal.engine.families.layout import Grouping
from alliance_longitudinal.engine.families.modes import Loadings, Sensitivity, find_modes, through_modes
from alliance_longitudinal.engine.families.problem import Problem

_LAST = 1e-13


@lru_cache(maxsize=64)
def rule(nodes: int) -> tuple[Array, Array]:
    """Nodes ``x`` and ``log weight + x^2`` of Gauss-Hermite quadrature for ``integral exp(-x^2) f(x) dx``."""
    x, w = np.polynomial.hermite.hermgauss(nodes)
    return x, np.log(w) + x**2


@dataclass(frozen=True, slots=True)
class Inner:
    """Integrals over one scalar factor, at K linear predictors at once.

    Attributes
    ----------
    log_integral : ndarray, shape (J, K)
    mode, curvature : ndarray, shape (J, K)
    shares : ndarray, shape (nodes, J, K)
        Each node's share of the integral.
    found : bool
        Whether all modes were found.
    """

    log_integral: Array
    mode: Array
    curvature: Array
    shares: Array
    found: bool


@dataclass(frozen=True, slots=True)
class NodeRows:
    """NodeRows of a problem whose groups are integrated over: ``zeta`` is their loading, shape (n, 1)."""

    problem: Problem
    grouping: Grouping
    zeta: Array
    aux: Array

    @property
    def y(self) -> Array:
        """Response, shape (n, 1)."""
        return self.problem.y[:, None]

    @property
    def size(self) -> Array:
        """Trials or frequency, shape (n, 1)."""
        return self.problem.size[:, None]

    def spread(self, groups: Array) -> Array:
        """From groups (J, K) to rows (n, K)."""
        return groups[self.grouping.codes]

    def integrate(self, eta: Array, nodes: int) -> Inner:
        """``log integral phi(v) exp(sum l(eta + zeta v)) dv`` of each group, for eta of shape (n, K)."""
        mode, curvature, found = self._modes(eta)
        x, log_weight = rule(nodes)
        sigma = curvature**-0.5
        terms = np.empty((nodes, *mode.shape))
        for i in range(nodes):
            v = mode + np.sqrt(2) * sigma * x[i]
            density = self.problem.family.density(
                eta + self.zeta * self.spread(v), self.y, self.size, self.aux
            )
            terms[i] = log_weight[i] - v**2 / 2 + self.grouping.sums(density.l)
        total = special.logsumexp(terms, axis=0)
        value = total + np.log(sigma) - 0.5 * np.log(np.pi)
        return Inner(value, mode, curvature, np.exp(terms - total), found)

    def adjoint(self, eta: Array, inner: Inner, weight: Array, nodes: int) -> tuple[Array, Array, Array]:
        """Derivatives of ``sum weight * log_integral`` in ``eta`` (n, K), ``zeta`` (n,) and the auxiliary parameters.

        Parameters
        ----------
        weight : ndarray, shape (J, K)
        """
        family, x, _ = self.problem.family, *rule(nodes)
        sigma = inner.curvature**-0.5
        by_eta, by_zeta = np.zeros_like(eta), np.zeros(len(eta))
        by_aux = np.zeros(family.n_aux)
        by_mode, by_sigma = np.zeros_like(sigma), weight / sigma
        for i in range(nodes):
            v = inner.mode + np.sqrt(2) * sigma * x[i]
            v_rows = self.spread(v)
            at = eta + self.zeta * v_rows
            s = family.density(at, self.y, self.size, self.aux).s
            share = weight * inner.shares[i]
            share_rows = self.spread(share)
            slope = share * (self.grouping.sums(s * self.zeta) - v)
            by_mode += slope
            by_sigma += slope * np.sqrt(2) * x[i]
            by_eta += share_rows * s
            by_zeta += (share_rows * s * v_rows).sum(axis=1)
            terms = family.auxiliary(at, self.y, self.size, self.aux)
            by_aux += np.array([float((share_rows * t.l).sum()) for t in terms])
        by_curvature = self.spread(-0.5 * by_sigma * sigma**3)
        mode_rows = self.spread(inner.mode)
        at = eta + self.zeta * mode_rows
        d = family.density(at, self.y, self.size, self.aux)
        by_weight = by_curvature * self.zeta**2
        by_zeta += (by_curvature * 2 * d.w * self.zeta).sum(axis=1)
        back = (by_mode + self.grouping.sums(by_weight * d.wp * self.zeta)) / inner.curvature
        back_rows = self.spread(back)
        moved = by_weight * d.wp - self.zeta * back_rows * d.w
        by_eta += moved
        by_zeta += (moved * mode_rows + d.s * back_rows).sum(axis=1)
        terms = family.auxiliary(at, self.y, self.size, self.aux)
        by_aux += np.array([float((by_weight * t.w + self.zeta * back_rows * t.s).sum()) for t in terms])
        return by_eta, by_zeta, by_aux

    def _modes(self, eta: Array) -> tuple[Array, Array, bool]:
        """Mode of each group's integrand, and minus its second derivative there, by damped Newton steps."""
        family = self.problem.family
        v = np.zeros((self.grouping.size, eta.shape[1]))
        d = family.density(eta, self.y, self.size, self.aux)
        value = self.grouping.sums(d.l)
        last = False
        for _ in range(100):
            slope = self.grouping.sums(d.s * self.zeta) - v
            curvature = 1 + self.grouping.sums(d.w * self.zeta**2)
            if last:
                return v, curvature, True
            step = slope / curvature
            last = bool((slope * step).max() < _LAST)
            for _ in range(40):
                trial = v + step
                d = family.density(eta + self.zeta * self.spread(trial), self.y, self.size, self.aux)
                new = self.grouping.sums(d.l) - trial**2 / 2
                worse = ~(new >= value - 1e-11 * (1 + np.abs(value)))
                if not worse.any():
                    break
                step = np.where(worse, step / 2, step)
            v, value = trial, new
        return v, curvature, False


def one_factor(problem: Problem, at: Loadings, fixed: Array, aux: Array, nodes: int) -> Evaluation:
    """-2 log-likelihood by quadrature over one scalar factor: the chain's level that has an effect."""
    level = at.widths.index(1)
    rows = NodeRows(problem, problem.layout.chain[level], at.zeta, aux)
    modes = find_modes(problem, at, fixed, aux, None)
    eta = fixed[:, None]
    inner = rows.integrate(eta, nodes)
    if not (inner.found and modes.found):
        return Evaluation(np.inf, None, modes)
    by_eta, by_zeta, by_aux = rows.adjoint(eta, inner, np.full(inner.mode.shape, -2.0), nodes)
    value = float(-2 * inner.log_integral.sum())
    return Evaluation(value, Sensitivity(by_eta[:, 0], by_zeta[:, None], by_aux), modes)


def two_factors(
    problem: Problem, at: Loadings, fixed: Array, aux: Array, nodes: int, start: list[Array] | None
) -> Evaluation:
    """-2 log-likelihood by quadrature over a scalar factor, inside quadrature over the one that holds it."""
    modes = find_modes(problem, at, fixed, aux, start)
    if not modes.found:
        return Evaluation(np.inf, None, modes)
    outer, x, log_weight = problem.layout.chain[1], *rule(nodes)
    rows = NodeRows(problem, problem.layout.chain[0], at.zeta[:, :1], aux)
    within = modes.elimination.paths()[0][0]  # (J inner, 2, 2), the outer effect second
    column = within[problem.layout.chain[0].codes][
        :, :, 1
    ]  # of each row: M^-1 between its effects and the outer one
    variance = modes.elimination.paths()[1][0][:, 0, 0]
    sigma = np.sqrt(variance)
    u = modes.u[1] + np.sqrt(2) * sigma[:, None] * x
    eta = fixed[:, None] + at.zeta[:, 1:] * u[outer.codes]
    inner = rows.integrate(eta, nodes)
    if not inner.found:
        return Evaluation(np.inf, None, modes)
    terms = log_weight - u**2 / 2 + problem.layout.up[0].sums(inner.log_integral)
    total = special.logsumexp(terms, axis=1)
    value = float(-2 * (total + np.log(sigma) - 0.5 * np.log(np.pi)).sum())
    share = np.exp(terms - total[:, None])
    by_eta, by_inner, by_aux = rows.adjoint(eta, inner, -2 * share[problem.layout.up[0].codes], nodes)
    by_node = 2 * share * u + outer.sums(by_eta * at.zeta[:, 1:])
    by_outer = (by_eta * u[outer.codes]).sum(axis=1)
    by_variance = ((by_node * np.sqrt(2) * x).sum(axis=1) - 2 / sigma) / (2 * sigma)
    back = by_variance[outer.codes]
    along = np.einsum("nr,nr->n", at.zeta, column)
    by_mode = [np.zeros_like(modes.u[0]), by_node.sum(axis=1)[:, None]]
    moved = through_modes(problem, at, modes, aux, -back * along**2, by_mode)
    zeta = moved.zeta - 2 * (back * modes.density.w * along)[:, None] * column
    zeta += np.column_stack([by_inner, by_outer])
    return Evaluation(value, Sensitivity(moved.eta + by_eta.sum(axis=1), zeta, moved.aux + by_aux), modes)
