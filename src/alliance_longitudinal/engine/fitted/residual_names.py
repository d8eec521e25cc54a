"""A residual structure's parameters by name and in the user's units."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.search.residual import FittedResidual
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern
from alliance_longitudinal.engine.statistics.structured.structure import AR1, position_of


def names_of(residual: FittedResidual) -> list[str]:
    """Names of the parameters: ``phi``, then ``sd(stratum)/sd(reference)``."""
    strata = residual.model.pattern.strata
    correlation = ["phi"] if position_of(residual.model.pattern.structure) is not None else []
    return correlation + [f"sd({label})/sd({strata[0]})" for label in strata[1:]]


def natural(pattern: Pattern, tau: Array) -> Array:
    """Correlation of one unit of time and ratios of standard deviations from unbounded parameters."""
    if not pattern.correlated:
        return np.exp(tau)
    with np.errstate(over="ignore"):
        phi = (
            np.tanh(tau[0]) if isinstance(pattern.structure, AR1) else np.exp(-np.exp(-tau[0]) / pattern.unit)
        )
        return np.append(phi, np.exp(tau[1:]))
