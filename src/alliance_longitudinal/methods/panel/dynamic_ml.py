"""Maximum likelihood for dynamic panels: the model, its fit, and what a reader has to know of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.fiml.fit import MomentFit, fit_moments
from alliance_longitudinal.methods.fiml.patterns import patterns
from alliance_longitudinal.methods.fiml.robust import sandwich, scores
from alliance_longitudinal.methods.fiml.saturated import saturated
from alliance_longitudinal.methods.panel.dynamic_model import Columns, Freedom, build, variables
from alliance_longitudinal.methods.panel.waves import Waves
from alliance_longitudinal.sentences import say


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients with their covariance, and the whole fit."""

    params: pd.Series
    covariance: Floats
    fit: MomentFit
    findings: tuple[Finding, ...]


def wide(panel: Waves, constants: Floats, columns: Columns) -> Floats:
    """The model's columns, shape (n, p), NaN where a value is missing."""
    at = {name: k for k, name in enumerate(panel.columns)}
    parts = [
        constants[:, columns.constant.index(v.name)] if v.time < 0 else panel.values[:, v.time, at[v.name]]
        for v in variables(columns, len(panel.occasions))
    ]
    return np.column_stack(parts)


def maximum_likelihood(
    panel: Waves, fixed: Floats, columns: Columns, options: Freedom, clusters: Codes | None
) -> Fitted:
    """Fit the model to all values that are there.

    Raises
    ------
    DataError
        If some columns determine others, or hardly anybody has two of them, so that nothing can be compared.
    """
    values = wide(panel, fixed, columns)
    data = patterns(values)
    base = saturated(data)
    if not np.isfinite(base.deviance):
        raise DataError(
            "Some columns determine others at these times, or too few persons have values at the same times. Choose fewer times, or "
            "leave out a column that hardly changes."
        )
    spec = build(columns, variables(columns, len(panel.occasions)), base.mean, base.cov, options)
    fit = fit_moments(data, spec, base)
    covariance = fit.covariance
    if clusters is not None:
        covariance = sandwich(covariance, scores(values, spec, fit.free), clusters)
    names = list(columns.terms)
    at = [spec.names.index(name) for name in names]
    return Fitted(
        fit.params[names].rename("estimate"), covariance[np.ix_(at, at)], fit, tuple(_problems(fit))
    )


def _problems(fit: MomentFit) -> list[Finding]:
    out = []
    if not fit.certificate.valid:
        out.append(
            Finding(
                "not_converged", "failed", say("The model did not converge. {why}", why=fit.certificate.text)
            )
        )
    if fit.n < 2 * len(fit.spec.names):
        out.append(
            Finding(
                "few_persons",
                "caution",
                say(
                    "{n:noun} {n:is|are} few for {q} parameters of means and covariances. Fewer times or predictors need fewer.",
                    n=Count(fit.n, "person"),
                    q=Number(len(fit.spec.names), "integer"),
                ),
            )
        )
    for name, what in (("var_person", "person effect"), ("var_error", "error")):
        value = float(fit.params[name])
        if value <= 0:
            out.append(
                Finding(
                    "improper_solution",
                    "caution",
                    say(
                        "The variance of the {what} is estimated at {value}, which cannot be. The model asks too much of these data, or "
                        "does not hold.",
                        what=what,
                        value=Number(value, "number"),
                    ),
                )
            )
    return out
