"""A residual structure's parameters in the user's units, with Wald intervals on the scale where they are unbounded."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_names import names_of, natural
from alliance_longitudinal.engine.inference.satterthwaite import variance_information
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern
from alliance_longitudinal.engine.statistics.structured.structure import AR1, position_of

#: An information below this share of the largest one is none.
_FLAT = 1e-12


def residual_parameters(fit: MixedFit, alpha: float = 0.05) -> pd.DataFrame:
    """Estimates of a fit's residual structure.

    Standard errors come from the exact curvature of the deviance, coefficients and the other variance parameters
    profiled out. Limits are Wald's for ``atanh(phi)`` (`AR1`), ``-log(-log(phi))`` (`CAR1`, so that they do not depend on
    the unit of time) and the logarithm of a ratio, brought back.

    Returns
    -------
    DataFrame
        ``name, estimate, se, lower, upper``; no row for independent residuals of one variance. A ``phi`` on the boundary
        of independence is zero, and the others are missing.
    """
    columns = ["name", "estimate", "se", "lower", "upper"]
    if fit.residual is None:
        return pd.DataFrame(columns=columns)
    residual, pattern = fit.residual, fit.residual.model.pattern
    spread = _standard_errors(variance_information(fit)[0], len(residual.tau))
    half = stats.norm.ppf(1 - alpha / 2) * spread
    low, high = natural(pattern, residual.tau - half), natural(pattern, residual.tau + half)
    table = np.column_stack(
        [natural(pattern, residual.tau), spread * _slopes(pattern, residual.tau), low, high]
    )
    table[~np.isfinite(spread)] = np.nan  # the search's start is no estimate
    if residual.independent:
        table = np.vstack([[0.0, np.nan, np.nan, np.nan], table])
    frame = pd.DataFrame(table, columns=columns[1:])
    frame.insert(0, "name", names_of(residual))
    return frame


def in_summary(fit: MixedFit) -> str:
    """The structure in one line."""
    assert fit.residual is not None
    structure, parts = fit.residual.model.pattern.structure, []
    if position_of(structure) is not None:
        parts.append(f"{type(structure).__name__} over {position_of(structure)}")
    if structure.strata is not None:
        reference = fit.residual.model.pattern.strata[0]
        parts.append(f"a variance in every {structure.strata} (that of {reference} is the residual's above)")
    return ", ".join(parts)


def _slopes(pattern: Pattern, tau: Array) -> Array:
    """Derivatives of `natural`."""
    value = natural(pattern, tau)
    if not pattern.correlated:
        return value
    first = (
        1 - value[0] ** 2 if isinstance(pattern.structure, AR1) else value[0] * np.exp(-tau[0]) / pattern.unit
    )
    return np.append(first, value[1:])


def _standard_errors(information: Array, count: int) -> Array:
    """Of the first ``count`` parameters; infinite where the data say nothing."""
    size = np.sqrt(np.maximum(np.abs(np.diag(information)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    part = vectors[:count] ** 2
    variance = np.where(part > 1e-20, np.inf, 0.0)
    np.divide(part, values, out=variance, where=(part > 1e-20) & (values > _FLAT * values[-1]))
    return np.asarray(np.sqrt(variance.sum(axis=1)) / size[:count])
