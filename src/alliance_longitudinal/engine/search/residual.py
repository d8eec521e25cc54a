"""From a residual structure to its optimum: starts, the boundary of independence, and what is known there."""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import Evaluate, OptimRecord, Optimum, search
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics.structured.model import ResidualModel
from alliance_longitudinal.engine.statistics.structured.structure import AR1

#: Correlations of neighbours from which a search begins: the likelihood can have several optima in them.
STARTS_AR1 = (0.2, 0.7, -0.3)
STARTS_CAR1 = (0.3, 0.8, 0.05)
#: Correlation of the closest neighbours at which the slope off independence is taken.
_NEAR_ZERO = 1e-7
_SAME = 1e-7


@dataclass(frozen=True, slots=True)
class FittedResidual:
    """A residual structure at its optimum.

    Attributes
    ----------
    model : ResidualModel
        Without correlation where the optimum is at the boundary of independence.
    tau : ndarray, shape (m,)
        Free parameters: ``psi`` of the correlation, then logarithms of ratios of standard deviations.
    independent : bool
        Whether the correlation of a `CAR1` is zero, at its boundary.
    full : ResidualModel
        With the correlation in any case.
    """

    model: ResidualModel
    tau: Array
    independent: bool
    full: ResidualModel

    @property
    def n_parameters(self) -> int:
        """Parameters of the structure, also those on the boundary."""
        return len(self.tau) + int(self.independent)

    def criterion(self, relative: list[Array], reml: bool) -> Criterion:
        """The criterion at relative covariances and the structure's own parameters."""
        return profiled(self.model.at(self.tau), relative, reml)


def evaluator(model: ResidualModel, reml: bool) -> Evaluate:
    """The criterion as the search wants it."""

    def evaluate(relative: list[Array], order: int, tau: Array | tuple[()] = ()) -> Criterion:
        return profiled(model.at(np.asarray(tau, dtype=float)), relative, reml, order)

    return evaluate


def search_residual(
    model: ResidualModel, face: Face, reml: bool, several: int
) -> tuple[OptimRecord, FittedResidual]:
    """Best optimum over starts of the structure's parameters; for `CAR1` also the boundary of independence."""
    inside = search(
        evaluator(model, reml), replace(face, extra=model.pattern.size), several, tuple(_starts(model))
    )
    fitted = FittedResidual(model, inside.best.extra, False, model)
    if not model.pattern.correlated or isinstance(model.pattern.structure, AR1):
        return inside, fitted
    free = model.independent()
    edge = search(
        evaluator(free, reml), replace(face, extra=free.pattern.size), several, tuple(_starts(free))
    )
    if inside.best.certificate.holds and inside.best.value < edge.best.value - _SAME:
        return inside, fitted
    best = _certified_edge(edge.best, model, reml)
    also = [(inside.best.value, 1.0)] if inside.best.certificate.holds else []
    values, starts = zip(*zip(edge.values, edge.starts, strict=True), *also, strict=True)
    record = OptimRecord(best, values, starts, inside.evaluations + edge.evaluations)
    return record, FittedResidual(free, best.extra, True, model)


def _starts(model: ResidualModel) -> list[Array]:
    ratios = _ratios(model)
    if not model.pattern.correlated:
        return [ratios] if not len(ratios) else [ratios, np.zeros(len(ratios))]
    if isinstance(model.pattern.structure, AR1):
        psi = np.arctanh(STARTS_AR1)
    else:
        psi = -np.log(-np.log(STARTS_CAR1))
    return [np.concatenate([[value], ratios]) for value in psi]


def _ratios(model: ResidualModel) -> Array:
    """Logarithms of the strata's root mean squares of the least-squares residuals, relative to the reference's."""
    pattern, y = model.pattern, model.products.u[:, -1]
    squares = np.bincount(pattern.stratum, y**2) / np.bincount(pattern.stratum)
    logs = 0.5 * np.log(np.maximum(squares, 1e-4))
    return np.asarray(logs[1:] - logs[0])


def _certified_edge(best: Optimum, model: ResidualModel, reml: bool) -> Optimum:
    """Add the slope off independence to the certificate: in the correlation of the closest neighbours."""
    closest = model.products.classes.lags.min()
    x = -np.log(_NEAR_ZERO)
    tau = np.concatenate([[np.log(closest / x)], best.extra])
    slope = profiled(model.at(tau), list(best.relative), reml, 1).gradient[0] / (_NEAR_ZERO * x)
    certificate = replace(best.certificate, descent=min(best.certificate.descent, float(slope)))
    return replace(best, certificate=certificate)
