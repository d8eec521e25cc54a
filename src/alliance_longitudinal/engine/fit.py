"""A fit as named steps: refuse, basis, blocks, search, package."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.search.criterion import Criterion, entry_terms, profiled
from alliance_longitudinal.engine.search.optimize import OptimRecord
from alliance_longitudinal.engine.search.presearch import Remembered, find
from alliance_longitudinal.engine.search.residual import FittedResidual, search_residual
from alliance_longitudinal.engine.search.saturated import refuse_runaway, refuse_unbounded
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.search.words import after, convergence
from alliance_longitudinal.engine.statistics import basis as internal
from alliance_longitudinal.engine.statistics import checks
from alliance_longitudinal.engine.statistics import nested as statistics
from alliance_longitudinal.engine.statistics.choose import statistics_of, threads_for
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.modes import Modes, conditional_modes
from alliance_longitudinal.engine.statistics.structured.model import build_model
from alliance_longitudinal.engine.statistics.structured.pattern import refuse_crossed
from alliance_longitudinal.engine.statistics.structured.structure import Structure
from alliance_longitudinal.engine.statistics.structured.whiten import refuse_perfect, whitened_basis
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding

#: With fewer groups than this in some factor, the deviance may have several minima: search from two starts.
ONE_START = 30
#: With more random effects than this share of the rows as well, search from three.
CROWDED = 0.5


@dataclass(frozen=True, repr=False)
class MixedFit:
    """A fitted model as numbers, in the user's units unless said otherwise.

    Attributes
    ----------
    design, basis, blocks
        What was fitted.
    reml : bool
    record : OptimRecord
        The search and its certificate.
    criterion : Criterion
        At the optimum, internal units.
    beta : ndarray, shape (p,)
    cov : ndarray, shape (p, p)
        Model-based covariance of ``beta``.
    scale : float
        Residual variance.
    psi : tuple of ndarray, shape (q_t, q_t)
        Covariance of each term's effects.
    deviance : float
        -2 log-likelihood (restricted under REML), with lme4's constants.
    converged, singular : bool
    convergence : str
        What was checked, in words.
    findings : tuple of Finding
    residual : FittedResidual or None
        Structure of the residuals, if there is one. ``basis`` then holds the rows as they are, ``blocks`` the
        cross-products of their innovations, and the first derivatives in ``criterion`` are those in its parameters.
    """

    design: Design
    basis: internal.Basis
    blocks: statistics.Blocks | Crossing
    reml: bool
    record: OptimRecord
    criterion: Criterion
    beta: Array
    cov: Array
    scale: float
    psi: tuple[Array, ...]
    deviance: float
    converged: bool
    singular: bool
    convergence: str
    findings: tuple[Finding, ...]
    residual: FittedResidual | None = None

    @cached_property
    def modes(self) -> tuple[Modes, ...]:
        """Predicted effects of each term, found when first asked for."""
        relative, s = list(self.record.best.relative), self.criterion.rss / self.criterion.nu
        if isinstance(self.blocks, Crossing):
            found = self.blocks.modes(relative, self.criterion.beta, s)
        else:
            found = conditional_modes(self.blocks, relative, self.criterion.beta, s)
        size = self.basis.y_scale
        back = [np.linalg.inv(b) for b in self.basis.b]
        return tuple(
            Modes(size * m.values @ e.T, size**2 * e @ m.variances @ e.T)
            for m, e in zip(found, back, strict=True)
        )

    @property
    def n_parameters(self) -> int:
        """Fixed effects, variance parameters, those of a residual structure, and the residual variance."""
        entries = sum(len(psi) * (len(psi) + 1) // 2 for psi in self.psi)
        structure = self.residual.n_parameters if self.residual else 0
        return len(self.beta) + entries + structure + 1


def fit_mixed(
    design: Design,
    reml: bool,
    crossed: bool,
    require_certificate: bool = True,
    structure: Structure | None = None,
) -> MixedFit:
    """Fit a design by maximum likelihood or REML.

    Raises
    ------
    FitError
        The design is refused, or the optimum is not certified (unless ``require_certificate`` is False).
    """
    checks.refuse_impossible(design, crossed)
    if not reml:
        refuse_unbounded(design)
    if structure is not None:
        refuse_crossed(structure, design)
    basis = internal.build(design)
    blocks = statistics_of(design, basis)
    if structure is None:
        return fit_statistics(design, basis, blocks, reml, require_certificate)
    face, several = _face(design, basis, blocks)
    model = build_model(structure, design, basis, statistics.build(design, basis))
    record, residual = search_residual(model, face, reml, several)
    refuse_perfect(residual.model.pattern, residual.tau)
    blocks = statistics_of(design, whitened_basis(basis, residual.model.pattern, residual.tau))
    return _certified(package(design, basis, blocks, reml, record, residual), require_certificate)


def fit_statistics(
    design: Design,
    basis: internal.Basis,
    blocks: statistics.Blocks | Crossing,
    reml: bool,
    require_certificate: bool = True,
) -> MixedFit:
    """Fit a design whose sufficient statistics are at hand; independent residuals.

    Raises
    ------
    FitError
        The optimum is not certified (unless ``require_certificate`` is False).
    """
    evaluate = Remembered(blocks, reml)
    with threads_for(blocks):
        record = find(evaluate, *_face(design, basis, blocks))
        criterion = evaluate(list(record.best.relative), 2)
    return _certified(package(design, basis, blocks, reml, record, None, criterion), require_certificate)


def _face(design: Design, basis: internal.Basis, blocks: statistics.Blocks | Crossing) -> tuple[Face, int]:
    """The whole cone, and from how many more starts than one to search."""
    sizes = tuple(len(b) for b in basis.b)
    face = Face(sizes, sizes, tuple(entry_terms(blocks)))
    few = min(f.size for f in design.factors) < ONE_START
    effects = sum(design.factors[t.factor].size * len(t.names) for t in design.terms)
    return face, 2 if few and effects > CROWDED * design.n else int(few)


def _certified(fit: MixedFit, require: bool) -> MixedFit:
    if require:
        refuse_runaway(fit.design, tuple(fit.record.best.relative))
        if not fit.converged:
            raise FitError(fit.convergence)
    return fit


def package(
    design: Design,
    basis: internal.Basis,
    blocks: statistics.Blocks | Crossing,
    reml: bool,
    record: OptimRecord,
    residual: FittedResidual | None = None,
    criterion: Criterion | None = None,
) -> MixedFit:
    """Bring an optimum back to the user's units; ``criterion`` is the evaluation there, if it is at hand."""
    relative = list(record.best.relative)
    if criterion is None:
        criterion = residual.criterion(relative, reml) if residual else profiled(blocks, relative, reml)
    s = criterion.rss / criterion.nu
    back = np.linalg.inv(basis.r_x)
    effects = [np.linalg.inv(b) for b in basis.b]
    y2 = basis.y_scale**2
    psi = tuple(y2 * s * e @ d @ e.T for e, d in zip(effects, relative, strict=True))
    deviance = criterion.value + 2 * criterion.nu * np.log(basis.y_scale) - basis.log_weights
    if reml:
        deviance += 2 * np.log(np.diag(basis.r_x)).sum()
    return MixedFit(
        design=design,
        basis=basis,
        blocks=blocks,
        reml=reml,
        record=record,
        criterion=criterion,
        beta=basis.beta_ols + basis.y_scale * back @ criterion.beta,
        cov=y2 * s * back @ criterion.cov_x @ back.T,
        scale=float(y2 * s),
        psi=psi,
        deviance=float(deviance),
        converged=record.best.certificate.holds,
        singular=record.best.face.ranks != record.best.face.sizes,
        convergence=convergence(design, record, criterion, residual),
        findings=(*checks.before(design), *after(design, record, residual)),
        residual=residual,
    )
