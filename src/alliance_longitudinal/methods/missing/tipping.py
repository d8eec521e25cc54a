"""One effect for many deltas: the model of completed data under each, without a search in every copy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import MixedModel, MixedModelResults
from alliance_longitudinal.engine.diagnostics.refit import refit_near
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.resampling.draws import row_draws
from alliance_longitudinal.engine.results.linear import results
from alliance_longitudinal.engine.search.criterion import profiled
from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.methods.missing.impute import delta_adjusted, impute


@dataclass(frozen=True, slots=True, eq=False)
class DeltaEffects:
    """Effects in completed data for several deltas.

    Attributes
    ----------
    table : DataFrame
        One row per delta and term: ``delta, term, estimate, se, df, ci_low, ci_high, p, fmi``.
    m : int
        Copies.
    refits : int
        Copies of each delta whose variances were estimated.
    """

    table: pd.DataFrame
    m: int
    refits: int

    def tipping(self, term: str) -> float:
        """The smallest positive delta at which the interval of a term reaches zero, by straight lines between deltas.

        NaN if it does not do so for any of them, or has done so at delta zero.
        """
        own = self.table[self.table["term"] == term].sort_values("delta")
        own = own[own["delta"] >= 0]
        if own.empty or own["delta"].iloc[0] != 0:
            return float("nan")
        sign = np.sign(own["estimate"].iloc[0])
        near = np.where(
            sign > 0, own["ci_low"], -own["ci_high"]
        )  # above zero while the interval leaves it out
        delta = own["delta"].to_numpy(float)
        if not near[0] > 0:
            return float("nan")
        for k in range(1, len(near)):
            if near[k] <= 0:
                part = near[k - 1] / (near[k - 1] - near[k])
                return float(delta[k - 1] + part * (delta[k] - delta[k - 1]))
        return float("nan")


def delta_effects(
    model: MixedModelResults,
    frame: pd.DataFrame,
    terms: Sequence[str],
    deltas: Sequence[float],
    *,
    person: str,
    time: str,
    left: str,
    horizon: float,
    df: Mapping[str, float],
    m: int = 50,
    refits: int = 4,
    seed: int | None = 0,
    copies: Sequence[pd.DataFrame] | None = None,
    cov_groups: Mapping[str, str] | None = None,
) -> DeltaEffects:
    """Coefficients of a mixed model in data completed under several deltas, pooled by Rubin's rules.

    The copies are those of `delta_adjusted`, the same for all deltas. For each delta the model is fitted to ``refits`` of them; the mean of
    their relative variances is then that of all copies, so that the others need no search, and the mean of their squared errors is the
    variance within copies. The estimates differ from those of a fit to every copy by what the variances differ between copies.

    Parameters
    ----------
    model : MixedModelResults
        Of the observed rows.
    frame : DataFrame
        With rows for the scores to fill in, whose response is missing.
    terms : sequence of str
    deltas : sequence of float
        Points of the response at the horizon.
    person, time, left, horizon, seed
        As for `delta_adjusted`.
    df : mapping of str to float
        Degrees of freedom of each term in complete data (Barnard & Rubin 1999, doi 10.1093/biomet/86.4.948).
    m : int
        Copies.
    refits : int
        At least 2.
    copies : sequence of DataFrame, optional
        What `impute` gave for this frame.
    cov_groups : mapping of str to str, optional
        Terms whose variances within copies are cluster-robust (CR2), and the column of their clusters; their ``df`` are those of such errors.

    Raises
    ------
    DataError
        As for `delta_adjusted`, or if ``refits`` is not between 2 and ``m``.
    FitError
        If the model cannot be fitted to a copy.
    """
    if not 2 <= refits <= m:
        raise DataError(f"refits is {refits}; it lies between 2 and the number of copies, {m}.")
    response = model.spec.response
    known = copies if copies is not None else impute(model, frame, m, seed)
    base = _fitted(model, known[0])
    rows = []
    for delta in deltas:
        moved = delta_adjusted(
            model, frame, person, time, left, float(delta), horizon, m=m, seed=seed, copies=known
        )
        responses = np.array([copy[response].to_numpy(float) for copy in moved])
        found, within = _all_copies(base, responses, refits, cov_groups or {})
        for term in terms:
            place = list(base.params.index).index(term)
            rows.append(
                {"delta": float(delta), "term": term}
                | _pooled(found[:, place], within[place], m, float(df[term]))
            )
    return DeltaEffects(pd.DataFrame(rows), m, refits)


def _fitted(model: MixedModelResults, copy: pd.DataFrame) -> MixedModelResults:
    formula = str(model.spec.formula)
    return MixedModel.from_formula(formula, copy).fit(reml=model.fit.reml)


def _all_copies(
    base: MixedModelResults, responses: Floats, refits: int, cov_groups: Mapping[str, str]
) -> tuple[Floats, Floats]:
    """Coefficients of every copy, shape (m, p), and the mean squared errors of those that were fitted, shape (p,)."""
    basis = base.fit.basis
    source = row_draws(base.fit)
    kept = base.fit.design.kept
    back = np.linalg.inv(basis.r_x)
    statistics = []
    for y in responses:
        inner = (y[kept] - base.fit.design.x @ basis.beta_ols) / basis.y_scale
        statistics.append(source.with_response(inner[source.blocks.order]))
    fits = [_searched(base, y) for y in responses[:refits]]
    relative = [
        np.mean([f.fit.record.best.relative[t] for f in fits], axis=0)
        for t in range(len(base.fit.record.best.relative))
    ]
    out = []
    for at in statistics:
        criterion = profiled(at, relative, True, 0)
        if not np.isfinite(criterion.value):
            raise FitError("The model of a completed copy has no finite likelihood.")
        out.append(basis.beta_ols + basis.y_scale * (back @ criterion.beta))
    within = np.mean([f.bse.to_numpy(float) ** 2 for f in fits], axis=0)
    for column in set(cov_groups.values()):
        robust = [f.with_errors("CR2", column).bse.to_numpy(float) ** 2 for f in fits]
        places = base.params.index.get_indexer([t for t, c in cov_groups.items() if c == column])
        within[places] = np.mean(robust, axis=0)[places]
    return np.array(out), within


def _searched(base: MixedModelResults, response: Floats) -> MixedModelResults:
    """The fit of one copy, searched from that of the first copy, which is close."""
    fit = refit_near(base.fit, response)
    if fit is None:
        return base.refit(response)
    return results(fit, base.spec, base.options, inference_of(fit, base.options, None), base.data)


def _pooled(estimates: Floats, within: float, m: int, df: float) -> dict[str, Any]:
    """Rubin's rules with the df of Barnard and Rubin (1999)."""
    between = float(np.var(estimates, ddof=1))
    added = (1 + 1 / m) * between
    total = within + added
    share = added / total
    old = (m - 1) / share**2 if share > 0 else np.inf
    observed = (df + 1) / (df + 3) * df * (1 - share) if np.isfinite(df) else np.inf
    pooled = 1 / (1 / old + 1 / observed) if np.isfinite(observed) or np.isfinite(old) else np.inf
    row = t_inference(float(estimates.mean()), float(np.sqrt(total)), pooled)
    return {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")} | {"fmi": share}
