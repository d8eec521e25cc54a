"""Laplace's approximation to -2 log-likelihood, with its exact gradient.

``F = -2 l(u) + u'u + log|I + Z'WZ|`` at the modes, with the observed second derivatives ``W`` (Tierney and Kadane
1986, JASA 81:82-86). The gradient includes how modes and weights move with the parameters.
"""

from typing import NamedTuple

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.modes import (
    Loadings,
    Modes,
    Sensitivity,
    find_modes,
    through_modes,
)
from alliance_longitudinal.engine.families.problem import Problem


class Evaluation(NamedTuple):
    """Criterion, its derivatives in each row's fixed part, loadings, and auxiliary parameters, and the modes."""

    value: float
    derivatives: Sensitivity | None
    modes: Modes | None


def laplace(
    problem: Problem,
    at: Loadings,
    fixed: Array,
    aux: Array,
    start: list[Array] | None,
    derivatives: bool = True,
) -> Evaluation:
    """Evaluate at given loadings and fixed part; infinite where the modes are not found."""
    modes = find_modes(problem, at, fixed, aux, start)
    if not modes.found:
        return Evaluation(np.inf, None, modes)
    d = modes.density
    value = float(-2 * d.l.sum() + sum((v**2).sum() for v in modes.u) + modes.elimination.log_det)
    if not derivatives:
        return Evaluation(value, None, modes)
    inverse = modes.elimination.times_rows(at.zeta)
    moved = through_modes(problem, at, modes, aux, np.einsum("nr,nr->n", at.zeta, inverse), None)
    eta = moved.eta - 2 * d.s
    zeta = moved.zeta - 2 * d.s[:, None] * modes.u_rows + 2 * d.w[:, None] * inverse
    terms = problem.family.auxiliary(modes.eta, problem.y, problem.size, aux)
    by_aux = moved.aux - 2 * np.array([float(t.l.sum()) for t in terms])
    return Evaluation(value, Sensitivity(eta, zeta, by_aux), modes)
