"""From a start to a verified optimum: Newton on all parameters, faces of lower rank, ways out of false optima."""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.search.newton import Stationary, Step, minimise
from alliance_longitudinal.engine.search.optimize import DESCENT, NEAR_FACE, Certificate, certificate_of
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.errors import FitError

#: Variance, in internal units, that each start gives to every random effect.
STARTS = (0.25, 0.01, 2.0)
#: How far inside the cone the one-sided derivatives are taken.
_INSIDE = 1e-6
_SAME = 1e-8


@dataclass(frozen=True, slots=True)
class GeneralisedOptimum:
    """Where a search ended.

    Attributes
    ----------
    params : ndarray
        Internal units, on ``face``.
    face : Face
    value : float
        Criterion, without the constant that does not depend on parameters.
    certificate : Certificate
    path : tuple of Step
    """

    params: Array
    face: Face
    value: float
    certificate: Certificate
    path: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """All searches of a fit.

    Attributes
    ----------
    best : GeneralisedOptimum
    values : tuple of float
        Criterion reached from each start.
    evaluations : int
        Evaluations of the criterion with its gradient.
    """

    best: GeneralisedOptimum
    values: tuple[float, ...]
    evaluations: int


def without_effects(criterion: Criterion, face: Face) -> tuple[Stationary, Face]:
    """Fit of the fixed part alone: the face on which all covariances are zero."""
    bare = Face(face.sizes, (0,) * len(face.sizes), face.entry_order)
    problem = criterion.problem
    aux, constant = problem.family.start(problem.y, problem.size)
    beta = np.linalg.lstsq(problem.x, np.full(len(problem.y), constant) - problem.offset, rcond=None)[0]
    return _minimise(criterion, bare, np.concatenate([beta, aux])), bare


def search(
    criterion: Criterion, face: Face, fixed: Array, starts: tuple[float, ...] = STARTS
) -> SearchRecord:
    """Descend from several variances until an optimum is certified.

    Parameters
    ----------
    fixed : ndarray
        Starting coefficients and auxiliary parameters.
    """
    found: list[GeneralisedOptimum] = []
    before = criterion.evaluations
    for start in starts:
        found.append(descend(criterion, face, fixed, [start * np.eye(q) for q in face.sizes]))
        if found[-1].certificate.exact:
            break
    certified = [f for f in found if f.certificate.holds] or found
    best = min(certified, key=lambda f: f.value)
    return SearchRecord(best, tuple(f.value for f in found), criterion.evaluations - before)


def descend(criterion: Criterion, face: Face, fixed: Array, start: list[Array]) -> GeneralisedOptimum:
    """Newton, then faces and escapes until the certificate holds or nothing more helps."""
    face = face.full()
    params = np.concatenate([fixed, face.pack(start)])
    path: list[Step] = []
    for _ in range(6):
        here = _minimise(criterion, face, params)
        path += here.steps
        if not np.isfinite(here.value):
            certificate = Certificate(np.inf, -np.inf, -np.inf, np.inf)
            break
        face, here = _reduce(criterion, face, here)
        certificate, way_out = _certify(criterion, face, here)
        if certificate.descent > DESCENT or way_out is None:
            break
        params, face = _escape(criterion, face, here, *way_out), face.full()
    return GeneralisedOptimum(here.theta, face, here.value, certificate, tuple(path))


def _minimise(criterion: Criterion, face: Face, params: Array) -> Stationary:
    """To a decrement that certifies; `refined` adds the last digits."""
    return minimise(lambda at, order: criterion.objective(face, at, order), params, polish=False)


def covariances(criterion: Criterion, face: Face, params: Array) -> list[Array]:
    """Covariances of the terms' effects, internal units."""
    return face.covariances(params[criterion.n_fixed :])


def _reduce(criterion: Criterion, face: Face, here: Stationary) -> tuple[Face, Stationary]:
    """Move to the face of lower rank where covariances are nearly singular and nothing is lost by it."""
    found = covariances(criterion, face, here.theta)
    ranks = []
    for t, d in enumerate(found):
        values = np.linalg.eigvalsh(d)
        ranks.append(min(face.ranks[t], int(np.sum(values > NEAR_FACE * max(1.0, values[-1])))))
    if tuple(ranks) == face.ranks:
        return face, here
    smaller = Face(face.sizes, tuple(ranks), face.entry_order)
    start = np.concatenate([here.theta[: criterion.n_fixed], smaller.pack(found)])
    there = _minimise(criterion, smaller, start)
    if there.value <= here.value + _SAME * max(1.0, abs(here.value) * 1e-3):
        return smaller, there
    return face, here


def _certify(
    criterion: Criterion, face: Face, here: Stationary
) -> tuple[Certificate, tuple[int, Array] | None]:
    """Conditions of an optimum over positive semidefinite covariances.

    Returns
    -------
    Certificate
    tuple of int and ndarray, or None
        Term and direction of steepest descent off the face, if there is one.
    """
    if face.ranks == face.sizes:
        return Certificate(here.decrement, here.curvature, np.inf, 0.0), None
    found = covariances(criterion, face, here.theta)
    gammas = one_sided(criterion, found, here.theta[: criterion.n_fixed], face)
    return certificate_of(face, here, gammas, found)


def one_sided(criterion: Criterion, found: list[Array], fixed: Array, face: Face) -> list[Array]:
    """Derivatives ``Gamma`` of the criterion in the covariances, at the boundary, from inside the cone.

    At ``D + e I`` the derivative in a factor ``L`` of the covariance is ``2 Gamma L``, which gives Gamma; two points
    ``e`` and ``2 e`` extrapolate to the boundary itself.
    """
    whole = face.full()
    out = []
    for scale in (1.0, 2.0):
        inside = [d + scale * _INSIDE * np.eye(len(d)) for d in found]
        theta = whole.pack(inside)
        gradient = criterion.evaluate(whole, np.concatenate([fixed, theta]))[1][criterion.n_fixed :]
        at, gammas = 0, {}
        for t in whole.entry_order:
            # d value / d D, in the entries of the lower triangle, from that in the Cholesky factor
            alone = Face((whole.sizes[t],), (whole.sizes[t],), (0,))
            size = alone.dimension
            jacobian = alone.jacobian(theta[at : at + size])
            entries = np.asarray(np.linalg.solve(jacobian.T, gradient[at : at + size]), dtype=float)
            gammas[t] = alone.gammas(entries)[0]
            at += size
        out.append([gammas[t] for t in range(len(found))])
    return [2 * near - far for near, far in zip(*out, strict=True)]


def _escape(criterion: Criterion, face: Face, here: Stationary, t: int, direction: Array) -> Array:
    """Leave a false boundary optimum along the direction of descent."""
    whole = face.full()
    found = covariances(criterion, face, here.theta)
    fixed = here.theta[: criterion.n_fixed]
    size = 1.0
    for _ in range(30):
        moved = [
            d + _INSIDE * np.eye(len(d)) + (size * np.outer(direction, direction) if i == t else 0.0)
            for i, d in enumerate(found)
        ]
        params = np.concatenate([fixed, whole.pack(moved)])
        if criterion.evaluate(whole, params)[0].value < here.value:
            return params
        size *= 0.3
    return params


def refined(criterion: Criterion, optimum: GeneralisedOptimum) -> tuple[GeneralisedOptimum, Array]:
    """The optimum after last Newton steps with the accurate second derivative, certified by it; and that derivative."""
    face, params = optimum.face, optimum.params
    hessian = criterion.hessian(face, params)
    if not len(params) or not np.isfinite(hessian).all():
        return optimum, hessian
    curvature = float(np.linalg.eigvalsh(hessian)[0])
    found, gradient = criterion.evaluate(face, params)
    decrement = optimum.certificate.decrement
    if curvature > 0:
        decrement = float(gradient @ np.linalg.solve(hessian, gradient))
        for _ in range(2):
            trial = params - np.linalg.solve(hessian, gradient)
            there, slope = criterion.evaluate(face, trial)
            nearer = float(slope @ np.linalg.solve(hessian, slope))
            if not nearer < decrement:
                break
            params, found, gradient, decrement = trial, there, slope, nearer
    certificate = replace(optimum.certificate, decrement=decrement, curvature=curvature)
    return replace(optimum, params=params, value=found.value, certificate=certificate), hessian


def covariance_of_params(hessian: Array) -> Array:
    """Twice the inverse of the criterion's full second derivative, on the optimum's face.

    Raises
    ------
    FitError
        The second derivative is singular: the data do not identify all parameters.
    """
    values = np.linalg.eigvalsh(hessian) if np.isfinite(hessian).all() else np.zeros(1)
    if len(values) and values[0] <= 1e-10 * max(1.0, float(values[-1])):
        raise FitError(
            "The likelihood is flat in some direction of the parameters, so there are no standard errors: the data do not "
            "identify all of them. Leave out a random effect or a fixed term. If weights, counts or columns of the model differ by "
            "many orders of magnitude, rescale them first."
        )
    return np.asarray(2 * np.linalg.inv(hessian))
