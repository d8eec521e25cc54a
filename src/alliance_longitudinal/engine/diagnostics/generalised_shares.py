"""Shares of variance on the latent scale: intraclass correlations of binary and ordered responses.

A binary or ordered response is one or more cuts through a latent variable whose residual has the link's own distribution:
logistic with variance ``pi^2 / 3``, or extreme-value with ``pi^2 / 6`` (Goldstein, Browne and Rasbash 2002, Understanding
Statistics 1:223-231, method D; Nakagawa, Johnson and Schielzeth 2017, J R Soc Interface 14:20170213, table 1). The variance
of a random term is its mean over the rows, as in the linear model.
"""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fitted.generalised_tables import component_values
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit
from alliance_longitudinal.engine.inference.generalised_profile import profile_intervals
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.errors import FitError

#: Variance of the latent residual by link.
LATENT = {"logit": np.pi**2 / 3, "cloglog": np.pi**2 / 6}


def intraclass(fit: GeneralisedFit) -> pd.DataFrame:
    """Share of the latent variance around the fixed part at each grouping: ``group, variance, icc``.

    Raises
    ------
    FitError
        The response has no latent variable: counts.
    """
    groups, matrix, residual = _weights(fit)
    variance = np.append(matrix @ component_values(fit.psi)[0], residual)
    return pd.DataFrame(
        {"group": [*groups, "Residual"], "variance": variance, "icc": variance / variance.sum()}
    )


def with_percentiles(fit: GeneralisedFit, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """The same with percentile limits ``lower, upper``."""
    _, matrix, residual = _weights(fit)
    replicates = boot.varcorr.to_numpy() @ matrix.T
    replicates = np.column_stack([replicates, np.full(len(replicates), residual)])
    shares = replicates / replicates.sum(axis=1, keepdims=True)
    lower, upper = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    return intraclass(fit).assign(lower=lower, upper=upper)


def with_profile(fit: GeneralisedFit, alpha: float) -> pd.DataFrame:
    """The same with profile-likelihood limits, where one standard deviation says it all.

    Raises
    ------
    FitError
        There are several variances, so that a share is no function of one of them.
    """
    table, residual = intraclass(fit), _weights(fit)[2]
    if len(fit.psi) > 1 or len(fit.psi[0]) > 1:
        raise FitError(
            "Profile intervals of shares are there for generalised models with one random effect only. Take n_boot=1000."
        )
    term = fit.design.terms[0]
    found = profile_intervals(fit, alpha, [f"sd({term.names[0]})|{term.group}"])
    with np.errstate(over="ignore"):
        size = float(_weights(fit)[1][0, 0])
        low, high = (size * float(found[end].iloc[0]) ** 2 for end in ("lower", "upper"))
    share = [low / (low + residual), high / (high + residual) if np.isfinite(high) else 1.0]
    return table.assign(
        lower=[share[0], 1 - share[1]], upper=[share[1], 1 - share[0]], note=found["note"].iloc[0]
    )


def _weights(fit: GeneralisedFit) -> tuple[list[str], Array, float]:
    """Groupings, their weights on the rows of the table of variance components, variance of the latent residual."""
    family = fit.response.family
    if family.name not in ("binomial", "ordinal"):
        raise FitError(
            "'icc' is not available for generalised models of counts, which have no latent variable: the share depends on the "
            "expected count. Report the standard deviations of varcorr, or exp() of them as ratios of rates."
        )
    groups = list(dict.fromkeys(term.group for term in fit.design.terms))
    parts = []
    for term in fit.design.terms:
        moment = term.z.T @ term.z / len(term.z)
        entries = np.concatenate([np.diag(moment), 2 * moment[np.triu_indices(len(moment), 1)]])
        parts.append([entries if group == term.group else np.zeros(len(entries)) for group in groups])
    matrix = np.concatenate([np.stack(part) for part in parts], axis=1)
    return groups, matrix, LATENT[family.link]
