"""Full refits of a model without some of its groups."""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index, Mask
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.fit import MixedFit, fit_mixed
from alliance_longitudinal.engine.fitted.tables import varcorr_keys, varcorr_values
from alliance_longitudinal.engine.linalg.matrices import independent_columns
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Without:
    """Estimates without each of J groups, in the user's units; nan where there are none.

    Attributes
    ----------
    beta : ndarray, shape (J, p)
    cov : ndarray, shape (J, p, p)
    vcov : ndarray, shape (J, rows of the table of variance components)
    refitted : ndarray of bool, shape (J,)
    """

    beta: Array
    cov: Array
    vcov: Array
    refitted: Mask


def refits_without(fit: MixedFit, factor: Factor, levels: Index) -> Without:
    """Full refits without some groups; nan for the others, and where the model cannot be fitted."""
    p, count = len(fit.beta), len(varcorr_keys(fit.design))
    structure = fit.residual.model.pattern.structure if fit.residual else None
    shapes = ((p,), (p, p), (count,))
    beta, cov, vcov = (np.full((factor.size, *shape), np.nan) for shape in shapes)
    for level in levels:
        design = without_rows(fit.design, (factor.members == level).any(axis=1))
        if len(independent_columns(design.x)) < p:
            continue
        try:
            refit = fit_mixed(design, fit.reml, True, structure=structure)
        except FitError:
            continue
        beta[level], cov[level] = refit.beta, refit.cov
        vcov[level] = varcorr_values(refit.psi, refit.scale)[0]
    return Without(beta, cov, vcov, np.isin(np.arange(factor.size), levels))


def without_rows(design: Design, gone: Mask) -> Design:
    """The design less some rows, and less the groups that have no row left."""
    keep = ~gone
    kept = design.kept.copy()
    kept[np.flatnonzero(kept)[gone]] = False
    factors = []
    for f in design.factors:
        codes = f.codes[keep]
        used = np.unique(codes[codes >= 0])
        place = np.full(f.size + 1, -1, dtype=np.intp)  # the last one is for code -1
        place[used] = np.arange(len(used))
        weights = None if f.weights is None else f.weights[keep]
        factors.append(replace(f, codes=place[codes], levels=f.levels.take(used), weights=weights))
    return replace(
        design,
        y=design.y[keep],
        x=design.x[keep],
        terms=tuple(replace(t, z=t.z[keep]) for t in design.terms),
        factors=tuple(factors),
        weights=None if design.weights is None else design.weights[keep],
        offset=None if design.offset is None else design.offset[keep],
        extra={name: column[keep] for name, column in design.extra.items()},
        kept=kept,
        index=design.index[keep],
    )
