"""Factor models of one occasion, and their invariance over occasions or raters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import FitError
from alliance_longitudinal.methods.fiml.patterns import patterns
from alliance_longitudinal.methods.fiml.saturated import Saturated, saturated
from alliance_longitudinal.methods.psychometrics.factors.factor_fit import FactorFit, fit_factors
from alliance_longitudinal.methods.psychometrics.factors.factor_models import (
    LEVELS,
    Groups,
    bifactor,
    correlated_factors,
    repeated,
)

#: Fewest clients an item for a factor model; fewer give estimates that the next sample turns over.
CLIENTS_PER_ITEM = 5
#: A fall of CFI by more than this speaks against the added equality (Cheung & Rensvold 2002).
DELTA_CFI = 0.01


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model and what it is: its name, what it was fitted to, and the fit."""

    name: str
    where: str
    fit: FactorFit


def one_occasion(wide: pd.DataFrame, groups: Groups, items: Sequence[str], where: str) -> list[Model]:
    """One factor, correlated factors and bifactor; one row a client, one column an item.

    Raises
    ------
    FitError
        If some answers determine others.
    """
    data = patterns(wide[list(items)].to_numpy(dtype=float))
    base = _regular(saturated(data), items)
    out = [
        Model(
            "one factor", where, fit_factors(data, correlated_factors({"alliance": items}, items, data), base)
        )
    ]
    covered = {item for own in groups.values() for item in own}
    if len(groups) >= 2 and covered == set(items):
        spec = correlated_factors(groups, items, data)
        out.append(
            Model(
                f"{len(groups)} correlated factors",
                where,
                fit_factors(data, spec, base, information="expected"),
            )
        )
        if min(len(own) for own in groups.values()) >= 3:
            out.append(
                Model(
                    "bifactor",
                    where,
                    fit_factors(data, bifactor(groups, items, data), base, information="expected"),
                )
            )
    return out


def _regular(base: Saturated, items: Sequence[str]) -> Saturated:
    """The unrestricted moments, if no answer is determined by others."""
    spread = np.sqrt(np.diag(base.cov))
    values, vectors = np.linalg.eigh(base.cov / np.outer(spread, spread))
    if values[0] < 1e-8 or not np.isfinite(base.deviance):
        alike = [str(items[int(k)]) for k in np.flatnonzero(np.abs(vectors[:, 0]) > 0.1)]
        raise FitError(
            f"Some answers are determined by others ({', '.join(alike[:6])}), as where the same column was given twice, so no factor "
            "model can be fitted. Check the items in the study file."
        )
    return base


def factors_differ(fit: FactorFit, n_factors: int) -> bool:
    """Whether the ``n_factors`` factors of each occasion have possible covariances: no correlation beyond 1."""
    cov = fit.spec.arrays(fit.free)["factor_cov"]
    starts = range(0, len(cov), n_factors)
    return all(np.linalg.eigvalsh(cov[k : k + n_factors, k : k + n_factors])[0] >= -1e-8 for k in starts)


@dataclass(frozen=True, slots=True)
class Step:
    """One level of invariance, compared with the level before it (missing at the first)."""

    level: str
    where: str
    fit: FactorFit
    chi2_difference: float
    df_difference: int
    p_difference: float
    cfi_difference: float

    @property
    def holds(self) -> bool | None:
        """Whether CFI falls by no more than .01; None at the first level, or where a model did not converge."""
        if self.df_difference == 0 or not self.fit.converged:
            return None
        return self.cfi_difference >= -DELTA_CFI


def unrestricted(wide: pd.DataFrame) -> Saturated:
    """The moments that models of ``wide`` are compared with.

    Raises
    ------
    FitError
        If some answers determine others.
    """
    return _regular(saturated(patterns(wide.to_numpy(dtype=float))), list(wide.columns))


def invariance(
    wide: pd.DataFrame, groups: Groups, occasions: Sequence[str], where: str, base: Saturated | None = None
) -> list[Step]:
    """Configural, metric and scalar models; columns are all items of the first occasion, then of the second, ...

    ``base`` is ``unrestricted(wide)``, if it is known already.

    Raises
    ------
    FitError
        If some answers determine others, or there are too few to determine the model.
    """
    data = patterns(wide.to_numpy(dtype=float))
    first = repeated(groups, occasions, LEVELS[0], data)
    if len(first.start) > data.p * (data.p + 3) // 2:
        raise FitError(
            f"{data.p} answers do not determine a model with {len(first.start)} parameters. A subscale needs three items, or more "
            "occasions."
        )
    base = base or unrestricted(wide)
    out: list[Step] = []
    for level in LEVELS:
        fit = fit_factors(data, repeated(groups, occasions, level, data), base, information="expected")
        if not out:
            out.append(Step(level, where, fit, float("nan"), 0, float("nan"), float("nan")))
            continue
        before = out[-1].fit
        chi2, df = fit.chi2 - before.chi2, fit.df - before.df
        from alliance_longitudinal.engine import distributions

        p = float(distributions.chi2.sf(max(chi2, 0.0), df))
        out.append(Step(level, where, fit, chi2, df, p, fit.cfi - before.cfi))
    return out


def loadings(model: Model) -> pd.DataFrame:
    """Standardised loadings: ``item, factor, loading``."""
    a = model.fit.spec.arrays(model.fit.free)
    _, cov = model.fit.spec.moments(model.fit.free)
    rows = []
    for i, item in enumerate(model.fit.spec.items):
        for j, factor in enumerate(model.fit.spec.factors):
            if a["loading"][i, j] != 0 and a["factor_cov"][j, j] > 0 and cov[i, i] > 0:
                value = a["loading"][i, j] * (a["factor_cov"][j, j] / cov[i, i]) ** 0.5
                rows.append((item, factor, float(value)))
    return pd.DataFrame(rows, columns=["item", "factor", "loading"])
