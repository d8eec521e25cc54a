"""A generalised fit as named steps: refuse, internal units, search, package."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.families import problem as internal
from alliance_longitudinal.engine.families import words
from alliance_longitudinal.engine.families.accuracy import rough, runaway
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.families.dispersion import overdispersion
from alliance_longitudinal.engine.families.distributions import Poisson
from alliance_longitudinal.engine.families.refuse import refuse_impossible, refuse_nodes
from alliance_longitudinal.engine.families.response import Response
from alliance_longitudinal.engine.families.search import (
    GeneralisedOptimum,
    SearchRecord,
    covariance_of_params,
    covariances,
    descend,
    refined,
    search,
    without_effects,
)
from alliance_longitudinal.engine.families.separation import separating, suspicious
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics import checks
from alliance_longitudinal.engine.statistics.modes import Modes
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding

#: Log dispersion beyond which the negative binomial is tried as what it tends to, the Poisson distribution.
_NO_LONGER = 7.0
_INSIDE = 9.0
#: Log dispersions at which the likelihood is compared with that of the limit.
_DISPERSIONS = (0.0, 2.0, 4.0, 6.0)
#: Variance that keeps a start off the boundary, internal units.
_AWAY = 0.01


@dataclass(frozen=True, slots=True, repr=False)
class GeneralisedFit:
    """A fitted generalised model as numbers, in the user's units unless said otherwise.

    Attributes
    ----------
    design : Design
    response : Response
    problem, units
        What was fitted, in internal units.
    n_agq : int
    record : SearchRecord
    names : tuple of str
        Of the reported parameters: thresholds of an ordered response, then coefficients.
    params : ndarray, shape (k,)
    cov : ndarray, shape (k, k)
        From the full second derivative, so it carries the uncertainty of the variance parameters.
    aux, aux_se : ndarray
        Auxiliary parameters (thresholds, or log dispersion) and their standard errors.
    psi : tuple of ndarray, shape (q_t, q_t)
        Covariance of each term's effects.
    modes : tuple of Modes
        Of each term's effects, with conditional covariances.
    deviance : float
        -2 log-likelihood.
    converged, singular : bool
    convergence : str
    findings : tuple of Finding
    """

    design: Design
    response: Response
    problem: internal.Problem
    units: internal.Units
    n_agq: int
    record: SearchRecord
    names: tuple[str, ...]
    params: Array
    cov: Array
    aux: Array
    aux_se: Array
    psi: tuple[Array, ...]
    modes: tuple[Modes, ...]
    deviance: float
    converged: bool
    singular: bool
    convergence: str
    findings: tuple[Finding, ...]

    @property
    def beta(self) -> Array:
        """Coefficients without thresholds."""
        return self.params[len(self.params) - self.design.x.shape[1] :]

    @property
    def n_parameters(self) -> int:
        """Coefficients, auxiliary and variance parameters."""
        return len(self.beta) + len(self.aux) + self.n_components

    @property
    def n_components(self) -> int:
        """Variances and covariances."""
        return sum(len(p) * (len(p) + 1) // 2 for p in self.psi)


def face_of(units: internal.Units) -> Face:
    """The whole cone of the terms' covariances."""
    sizes = tuple(len(b) for b in units.b)
    return Face(sizes, sizes, tuple(range(len(sizes))))


def fit_generalised(
    design: Design,
    response: Response,
    n_agq: int = 1,
    crossed: bool = False,
    require_certificate: bool = True,
) -> GeneralisedFit:
    """Fit by maximum likelihood: Laplace's approximation, or quadrature with ``n_agq`` nodes.

    Raises
    ------
    FitError
        The design is refused, a term separates the responses, or the optimum is not verified (these two unless
        ``require_certificate`` is False).
    """
    refuse_impossible(design, response, crossed)
    refuse_nodes(design, n_agq)
    problem, units = internal.build(design, response.family, response.y, response.size)
    criterion = Criterion(problem, int(n_agq))
    face = face_of(units)
    bare, _ = without_effects(criterion, face)
    lost: tuple[str, ...] = ()
    if suspicious(problem.x @ bare.theta[: problem.x.shape[1]], bare.decrement < 1e-6):
        lost = separating(response.family, design.x, response.y, response.size, design.names)
        if lost and require_certificate:
            raise FitError(words.separated(lost))
    if not np.isfinite(bare.value):
        raise FitError(
            "The likelihood cannot be computed even without random effects. Look for extreme values in predictors or offset."
        )
    criterion, record = _searched(criterion, face, bare.theta)
    return package(design, response, criterion, units, record, lost, require_certificate)


def _searched(criterion: Criterion, face: Face, fixed: Array) -> tuple[Criterion, SearchRecord]:
    """The search; a negative binomial is first searched as what it tends to, the Poisson model, which is much quicker.

    That is the answer if the likelihood falls from there, near and far; otherwise its coefficients and variances are the
    start, with the best of a few dispersions. (A search from afar meets the limit only after many steps.)
    """
    p = criterion.problem.x.shape[1]
    if criterion.problem.family.name != "negative-binomial":
        return criterion, search(criterion, face, fixed)
    poisson, at_limit = without_overdispersion(criterion, face, fixed[:p])
    best = at_limit.best
    inside = [np.insert(best.params, p, at) for at in _DISPERSIONS]
    values = [criterion.evaluate(best.face, each)[0].value for each in inside]
    bare = Face(face.sizes, (0,) * len(face.sizes), face.entry_order)
    alone = criterion.evaluate(bare, fixed)[0].value if fixed[p] < _NO_LONGER else np.inf
    if best.certificate.holds and best.value <= min(*values, alone):
        return poisson, at_limit
    nearest = inside[int(np.argmin(values))][: p + 1]
    start = [d + _AWAY * np.eye(len(d)) for d in covariances(poisson, best.face, best.params)]
    found = [descend(criterion, face, nearest, start)] if np.isfinite(min(values)) else []
    before = at_limit.evaluations + criterion.evaluations
    if found and found[0].certificate.exact and found[0].params[p] < _NO_LONGER:
        return criterion, SearchRecord(found[0], (found[0].value,), before)
    record = search(criterion, face, fixed)
    every = [f for f in (*found, record.best) if f.certificate.holds] or [record.best]
    values = [*(f.value for f in found), *record.values]
    return criterion, SearchRecord(
        min(every, key=lambda f: f.value), tuple(values), before + record.evaluations
    )


def without_overdispersion(criterion: Criterion, face: Face, beta: Array) -> tuple[Criterion, SearchRecord]:
    """The Poisson model as the negative binomial's limit, certified if the likelihood falls from there.

    Dispersion ``1 / theta = 0`` is then the estimate, at its boundary. The one-sided derivative is taken just inside.
    """
    problem = criterion.problem
    limit = replace(problem, family=Poisson(), y=problem.y * problem.size)
    poisson = Criterion(limit, criterion.n_agq)
    found = search(poisson, face, beta)
    p = len(beta)
    inside = np.insert(found.best.params, p, _INSIDE)
    rise = -float(criterion.evaluate(found.best.face, inside)[1][p] * np.exp(_INSIDE))
    certificate = replace(found.best.certificate, descent=min(found.best.certificate.descent, rise))
    return poisson, replace(found, best=replace(found.best, certificate=certificate))


def package(
    design: Design,
    response: Response,
    criterion: Criterion,
    units: internal.Units,
    record: SearchRecord,
    lost: tuple[str, ...],
    require_certificate: bool,
) -> GeneralisedFit:
    """Bring an optimum back to the user's units."""
    best, hessian = refined(criterion, record.best)
    record, problem = replace(record, best=best), criterion.problem
    beta, aux, _ = criterion.split(best.params)
    limit = response.family.n_aux > problem.family.n_aux  # Poisson, as the limit of the negative binomial
    said = words.convergence(design, record, np.array([np.inf]) if limit else None)
    infinite = best.certificate.holds and runaway(criterion, best)
    said = words.infinite_variance(design) if infinite else said
    converged = best.certificate.holds and not lost and not infinite
    if not converged and require_certificate:
        raise FitError(said)
    params, back = reported(problem, units, beta, aux)
    inner = _covariance(hessian, require_certificate)
    n_fixed = criterion.n_fixed
    cov = back @ inner[:n_fixed, :n_fixed] @ back.T
    se = np.sqrt(np.diag(inner))[len(beta) : n_fixed]
    thresholds = len(params) - len(beta)
    if thresholds:
        aux, se = params[:thresholds], np.sqrt(np.diag(cov))[:thresholds]
    if limit:
        aux, se = np.array([np.inf]), np.array([np.nan])
    psi, modes = effects(criterion, units, best)
    approximate = rough(design, criterion, best, hessian) if converged else None
    more_than_poisson = (
        overdispersion(design, response.y, params, modes, psi)
        if response.family.name == "poisson" and converged
        else ()
    )
    return GeneralisedFit(
        design=design,
        response=response,
        problem=problem,
        units=units,
        n_agq=criterion.n_agq,
        record=record,
        names=(*threshold_names(response), *design.names),
        params=params,
        cov=cov,
        aux=aux,
        aux_se=se,
        psi=psi,
        modes=modes,
        deviance=best.value + response.constant,
        converged=converged,
        singular=best.face.ranks != best.face.sizes,
        convergence=said if not lost else words.separated(lost),
        findings=(
            *checks.before(design),
            *words.before(design, response),
            *words.after(design, response, record, lost, aux, infinite),
            *([approximate] if approximate else []),
            *more_than_poisson,
        ),
    )


def reported(
    problem: internal.Problem, units: internal.Units, beta: Array, aux: Array
) -> tuple[Array, Array]:
    """Reported parameters, and the matrix that takes internal coefficients and auxiliary parameters to them."""
    back = np.linalg.inv(units.r_x)
    p, a = len(beta), len(aux)
    coefficients = np.concatenate([back, np.zeros((p, a))], axis=1)
    if problem.family.name != "ordinal":
        return back @ beta, coefficients
    thresholds = np.concatenate([np.tile(units.mean @ back, (a, 1)), np.eye(a)], axis=1)
    matrix = np.concatenate([thresholds, coefficients])
    return matrix @ np.concatenate([beta, aux]), matrix


def threshold_names(response: Response) -> tuple[str, ...]:
    """``lower|upper`` for each threshold, as `ordinal` names them."""
    labels = response.categories
    return tuple(f"{a}|{b}" for a, b in pairwise(labels))


def _covariance(hessian: Array, require_certificate: bool) -> Array:
    try:
        return covariance_of_params(hessian)
    except FitError:
        if require_certificate:
            raise
        return np.full(hessian.shape, np.nan)


def effects(
    criterion: Criterion, units: internal.Units, best: GeneralisedOptimum
) -> tuple[tuple[Array, ...], tuple[Modes, ...]]:
    """Covariance, modes and conditional covariances of each term's effects, in the user's units."""
    problem = criterion.problem
    factors = best.face.factors(criterion.split(best.params)[2])
    found = criterion.modes(best.face, best.params)
    blocks = found.elimination.own_blocks()
    starts: dict[int, int] = {}
    psi: list[Array] = [np.zeros(0)] * len(factors)
    modes: list[Modes | None] = [None] * len(factors)
    for t in problem.arranged():
        k = problem.place[t]
        begin = starts.get(k, 0)
        width = factors[t].shape[1]
        own = slice(begin, begin + width)
        starts[k] = begin + width
        turn = np.linalg.solve(units.b[t], factors[t])
        psi[t] = turn @ turn.T
        modes[t] = Modes(found.u[k][:, own] @ turn.T, turn @ blocks[k][:, own, own] @ turn.T)
    return tuple(psi), tuple(m for m in modes if m is not None)
