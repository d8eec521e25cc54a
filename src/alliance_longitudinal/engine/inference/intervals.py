"""Intervals from a bootstrap."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_nesting import refuse_structure
from alliance_longitudinal.engine.fitted.tables import varcorr_keys, varcorr_values
from alliance_longitudinal.engine.inference.residual_estimates import residual_parameters
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap, jackknife
from alliance_longitudinal.errors import FitError


def bootstrap_intervals(
    fit: MixedFit, boot: Bootstrap, alpha: float, interval: str = "percentile"
) -> pd.DataFrame:
    """Limits of coefficients, standard deviations, correlations and ``sigma``: ``lower, upper, note``.

    ``percentile``, ``basic`` (twice the estimate less the percentiles, cut to the parameter's range) or ``bca``
    (bias-corrected and accelerated, Efron 1987; the acceleration from leaving out each group of the top level). A
    correlation in a replicate with a zero variance is missing and left out of its own percentiles.

    Raises
    ------
    FitError
        Too few refits succeeded; BCa where groups are not nested.
    """
    if len(boot.params) - boot.n_failed < 2:
        raise FitError(
            f"Only {len(boot.params) - boot.n_failed} of {len(boot.params)} refits have a verified "
            "optimum, too few for intervals. The model is too large for the resampled groups: "
            "leave out a random effect."
        )
    tables = pd.concat([boot.params, standard_deviations(fit, boot.varcorr), boot.residual], axis=1)
    if interval == "bca":
        refuse_structure(fit, "BCa intervals are", "Use interval='percentile'.")
    estimates = _estimates(fit, tables.columns)
    levels = np.array([alpha / 2, 1 - alpha / 2])
    if interval == "bca":
        limits = _bca(fit, tables, estimates, alpha)
    else:
        limits = tables.quantile(levels).T.to_numpy()
    if interval == "basic":
        limits = 2 * estimates.to_numpy()[:, None] - limits[:, ::-1]
        limits = _cut_to_range(limits, list(tables.columns))
    return pd.DataFrame(
        {"lower": limits[:, 0], "upper": limits[:, 1], "note": notes_of(boot, tables)}, index=tables.columns
    )


def standard_deviations(fit: MixedFit, components: pd.DataFrame) -> pd.DataFrame:
    """Variance components as standard deviations and correlations, one column a row of the table of components."""
    keys = varcorr_keys(fit.design).fillna("")
    out = {}
    for group, first, second in keys.itertuples(index=False):
        value = components[(group, first, second)]
        if group == "Residual" and not first:
            out["sigma"] = np.sqrt(value)
        elif not second:
            out[f"sd({first})|{group}"] = np.sqrt(value.clip(lower=0.0))
        else:
            product = np.sqrt(components[(group, first, "")] * components[(group, second, "")])
            out[f"cor({first},{second})|{group}"] = (value / product.where(product > 0)).clip(-1, 1)
    return pd.DataFrame(out)


def _estimates(fit: MixedFit, names: pd.Index) -> pd.Series:
    structure = residual_parameters(fit)["estimate"]
    return pd.Series([*fit.beta, *varcorr_values(fit.psi, fit.scale)[1], *structure], index=names)


def _cut_to_range(limits: Array, names: list[str]) -> Array:
    low = np.array(
        [0.0 if n.startswith("sd(") or n == "sigma" else -1.0 if "cor(" in n else -np.inf for n in names]
    )
    high = np.array([1.0 if n.startswith("cor(") else np.inf for n in names])
    return np.clip(limits, low[:, None], high[:, None])


def _bca(fit: MixedFit, tables: pd.DataFrame, estimates: pd.Series, alpha: float) -> Array:
    """Efron (1987), J Am Stat Assoc 82:171-185, eq. 2.3, 6.6."""
    params, components = jackknife(fit)
    without = pd.concat([params, standard_deviations(fit, components)], axis=1).to_numpy()
    deviation = np.nanmean(without, axis=0) - without
    spread = np.nansum(deviation**2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        acceleration = np.where(spread > 0, np.nansum(deviation**3, axis=0) / (6 * spread**1.5), 0.0)
    out = np.empty((len(estimates), 2))
    for j, name in enumerate(estimates.index):
        draws = tables[name].dropna().to_numpy()
        if not len(draws) or np.isnan(estimates[name]):
            out[j] = np.nan
            continue
        below = np.mean(draws < estimates[name]) + 0.5 * np.mean(draws == estimates[name])
        bias = stats.norm.ppf(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
        z = bias + stats.norm.ppf([alpha / 2, 1 - alpha / 2])
        out[j] = np.quantile(draws, stats.norm.cdf(bias + z / (1 - acceleration[j] * z)))
    return out


def notes_of(boot: Bootstrap, tables: pd.DataFrame) -> list[str]:
    """Failures, and replicates on a parameter's boundary."""
    count = len(tables)
    out = []
    for name in tables.columns:
        words = [f"{boot.n_failed} of {count} refits failed"] if boot.n_failed else []
        zero = int((tables[name] == 0).sum()) if name.startswith("sd(") else 0
        perfect = int((tables[name].abs() > 1 - 1e-9).sum()) if name.startswith("cor(") else 0
        none = int(tables[name].isna().sum()) - boot.n_failed
        words += [f"zero in {zero} of {count} refits"] if zero else []
        words += [f"perfect in {perfect} of {count} refits"] if perfect else []
        words += [f"not defined in {none} of {count} refits, left out"] if none else []
        out.append("; ".join(words))
    return out
