"""Percentile intervals from a bootstrap of a generalised fit."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.fitted.generalised_tables import component_keys
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit
from alliance_longitudinal.engine.inference.intervals import notes_of
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.errors import FitError


def bootstrap_intervals(fit: GeneralisedFit, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """Percentile limits of coefficients, thresholds, standard deviations and correlations: ``lower, upper, note``.

    Raises
    ------
    FitError
        Too few refits succeeded.
    """
    left = len(boot.params) - boot.n_failed
    if left < 2:
        raise FitError(
            f"Only {left} of {len(boot.params)} refits have finite estimates, too few for "
            "intervals. Leave out the term that nearly separates the responses, or a random effect."
        )
    tables = pd.concat([boot.params, standard_deviations(fit, boot)], axis=1)
    limits = tables.quantile([alpha / 2, 1 - alpha / 2]).T
    limits.columns = pd.Index(["lower", "upper"])
    return limits.assign(note=notes_of(boot, tables))


def standard_deviations(fit: GeneralisedFit, boot: Bootstrap) -> pd.DataFrame:
    """Bootstrap replicates as standard deviations and correlations; a correlation with a zero variance is missing."""
    out = {}
    for group, first, second in component_keys(fit.design).fillna("").itertuples(index=False):
        value = boot.varcorr[(group, first, second)]
        if not second:
            out[f"sd({first})|{group}"] = np.sqrt(value.clip(lower=0.0))
        else:
            product = np.sqrt(boot.varcorr[(group, first, "")] * boot.varcorr[(group, second, "")])
            out[f"cor({first},{second})|{group}"] = (value / product.where(product > 0)).clip(-1, 1)
    return pd.DataFrame(out)
