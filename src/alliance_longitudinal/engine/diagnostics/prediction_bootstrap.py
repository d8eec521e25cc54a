"""Intervals of predictions that carry the uncertainty of the variances themselves.

Laird and Louis (1987), J Am Stat Assoc 82:739-757, type III parametric bootstrap: the refits to simulated responses stand
for the uncertainty of the variances. At each of their values the prediction and its error variance are computed anew from
the data at hand; the interval holds the middle of the mixture of these normal distributions.
"""

from dataclasses import replace

import numpy as np
from scipy import special

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.diagnostics.prediction_errors import mean_errors
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.equations import (
    columns,
    equations,
    internal_effects,
    internal_fixed,
    spread,
)
from alliance_longitudinal.engine.fitted.rows import Rows
from alliance_longitudinal.engine.fitted.tables import psi_of
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap


def mixture(fit: MixedFit, rows: Rows, boot: Bootstrap, observation: Array | None) -> tuple[Array, Array]:
    """Predictions and their error variances at each replicate's variances; both of shape (replicates, n)."""
    centres, spreads, given = [], [], columns(fit)
    for values in boot.varcorr.to_numpy():
        if np.isnan(values).any():
            continue
        scale = float(values[-1])
        relative = [
            b @ psi @ b.T / scale for b, psi in zip(fit.basis.b, psi_of(fit.psi, values), strict=True)
        ]
        system = equations(fit, relative, given)
        gamma, effects = system.estimates(fit)
        centre = internal_fixed(fit, rows.x) @ gamma
        for t, each in enumerate(rows.effects):
            own = replace(each, z=internal_effects(fit, t, each.z))
            modes = system.of_term(t, effects)
            centre += spread(own, len(modes)) @ modes.ravel()
        variance = mean_errors(fit, system, relative, rows)
        spreads.append(scale * (variance if observation is None else variance + observation))
        centres.append(fit.basis.y_scale * centre + rows.x @ fit.basis.beta_ols + rows.offset)
    return np.array(centres), np.array(spreads)


def mixture_interval(centres: Array, variances: Array, alpha: float) -> tuple[Array, Array, Array]:
    """Standard deviation and quantiles of an equal mixture of normal distributions, each of shape (n,)."""
    sd = np.sqrt(variances)
    total = np.sqrt(variances.mean(axis=0) + centres.var(axis=0))
    limits = []
    for share in (alpha / 2, 1 - alpha / 2):
        low, high = (centres - 40 * sd).min(axis=0), (centres + 40 * sd).max(axis=0)
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = special.ndtr((middle - centres) / sd).mean(axis=0) < share
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        limits.append(0.5 * (low + high))
    return total, limits[0], limits[1]
