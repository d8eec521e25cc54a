"""Percentile intervals from a bootstrap."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.engine.show.tables import varcorr_keys


def bootstrap_intervals(fit: MixedFit, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """Percentile limits of coefficients, standard deviations, correlations and ``sigma``.

    A correlation in a replicate with a zero variance is missing and left out of its own percentiles.
    """
    tables = pd.concat([boot.params, standard_deviations(fit, boot)], axis=1)
    limits = tables.quantile([alpha / 2, 1 - alpha / 2]).T
    limits.columns = pd.Index(["lower", "upper"])
    return limits


def standard_deviations(fit: MixedFit, boot: Bootstrap) -> pd.DataFrame:
    """Bootstrap replicates as standard deviations and correlations, one column a row of the table of components."""
    keys = varcorr_keys(fit.design).fillna("")
    out = {}
    for group, first, second in keys.itertuples(index=False):
        value = boot.varcorr[(group, first, second)]
        if group == "Residual" and not first:
            out["sigma"] = np.sqrt(value)
        elif not second:
            out[f"sd({first})|{group}"] = np.sqrt(value.clip(lower=0.0))
        else:
            product = np.sqrt(boot.varcorr[(group, first, "")] * boot.varcorr[(group, second, "")])
            out[f"cor({first},{second})|{group}"] = (value / product.where(product > 0)).clip(-1, 1)
    return pd.DataFrame(out)
