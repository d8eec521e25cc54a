"""The criterion as a function of one vector of parameters, with its exact gradient.

Parameters in internal units: coefficients, auxiliary parameters (thresholds, log dispersion), then the trapezoids of
the terms' covariances on a face (see `fitting.theta`).
"""

from dataclasses import dataclass, field

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.laplace import Evaluation, laplace
from alliance_longitudinal.engine.families.modes import Modes, loadings
from alliance_longitudinal.engine.families.problem import Problem
from alliance_longitudinal.engine.families.quadrature import one_factor, two_factors
from alliance_longitudinal.engine.search.theta import Face

#: Beyond it the negative binomial is the Poisson distribution to within rounding; see `fit.without_overdispersion`.
LARGEST_LOG_DISPERSION = 10.0
#: Steps of the differences, in internal units.
_NEAR, _FAR = 1e-5, 2e-4


@dataclass
class Criterion:
    """-2 log-likelihood, approximated with ``n_agq`` nodes, up to what does not depend on parameters.

    Keeps the modes of its last evaluation, from which the next search for modes starts.
    """

    problem: Problem
    n_agq: int
    _last: list[Array] | None = field(default=None, repr=False)
    evaluations: int = 0

    @property
    def n_fixed(self) -> int:
        """Coefficients and auxiliary parameters."""
        return int(self.problem.x.shape[1]) + self.problem.family.n_aux

    def split(self, params: Array) -> tuple[Array, Array, Array]:
        """Coefficients, auxiliary parameters, covariance parameters."""
        p = self.problem.x.shape[1]
        return params[:p], params[p : self.n_fixed], params[self.n_fixed :]

    def evaluate(self, face: Face, params: Array) -> tuple[Evaluation, Array]:
        """Evaluation and gradient at parameters on a face; infinite where there is no likelihood."""
        problem = self.problem
        beta, aux, theta = self.split(params)
        factors = face.factors(theta)
        at = loadings(problem, factors)
        fixed = problem.offset + problem.x @ beta
        self.evaluations += 1
        if problem.family.name == "negative-binomial" and aux[0] > LARGEST_LOG_DISPERSION:
            return Evaluation(np.inf, None, None), np.full(len(params), np.nan)
        used = sum(at.widths)
        if self.n_agq == 1 or used == 0:
            found = laplace(problem, at, fixed, aux, self._last)
        elif used == 1:
            found = one_factor(problem, at, fixed, aux, self.n_agq)
        else:
            found = two_factors(problem, at, fixed, aux, self.n_agq, self._last)
        if found.derivatives is None or found.modes is None or not np.isfinite(found.value):
            return found._replace(value=np.inf), np.full(len(params), np.nan)
        self._last = found.modes.u
        by = found.derivatives
        gradient = [problem.x.T @ by.eta, by.aux]
        for t in face.entry_order:
            matrix = problem.z[t].T @ by.zeta[:, at.columns[t]]
            gradient.append(np.array([matrix[place] for place in face.places(t)]))
        return found, np.concatenate(gradient)

    def objective(self, face: Face, params: Array, order: int) -> tuple[float, Array, Array]:
        """Value, gradient and, for order 2, Hessian, as the Newton search wants them.

        The Hessian is by forward differences of the exact gradient: good enough for the search, which is judged by
        the gradient.
        """
        found, gradient = self.evaluate(face, params)
        m = len(params)
        if order < 2 or not np.isfinite(found.value):
            return found.value, gradient, np.full((m, m), np.nan)
        if (
            m == self.problem.x.shape[1] and found.modes is not None
        ):  # nothing but coefficients: known exactly
            weighted = self.problem.x * found.modes.density.w[:, None]
            return found.value, gradient, 2 * self.problem.x.T @ weighted
        moved = [self.evaluate(face, params + _NEAR * unit)[1] for unit in np.eye(m)]
        matrix = (np.array(moved) - gradient) / _NEAR
        if not np.isfinite(matrix).all():  # beside a point without likelihood
            return np.inf, gradient, matrix
        return found.value, gradient, (matrix + matrix.T) / 2

    def hessian(self, face: Face, params: Array) -> Array:
        """Central differences of the exact gradient: about eight digits."""
        rows = [
            (self.evaluate(face, params + _FAR * unit)[1] - self.evaluate(face, params - _FAR * unit)[1])
            / (2 * _FAR)
            for unit in np.eye(len(params))
        ]
        matrix = np.array(rows).reshape(len(params), len(params))
        return np.asarray(matrix + matrix.T) / 2

    def modes(self, face: Face, params: Array) -> Modes:
        """Modes at parameters."""
        found = self.evaluate(face, params)[0].modes
        assert found is not None  # only parameters beyond the negative binomial's limit have none
        return found
