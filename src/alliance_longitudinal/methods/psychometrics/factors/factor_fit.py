"""Fits a factor model, and says whether its solution is possible."""

from dataclasses import dataclass, fields

import numpy as np

from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.fiml.fit import MomentFit, fit_moments
from alliance_longitudinal.methods.fiml.likelihood import Information
from alliance_longitudinal.methods.fiml.patterns import Floats, Patterns
from alliance_longitudinal.methods.fiml.saturated import Saturated
from alliance_longitudinal.methods.fiml.structure import Builder, Structure


@dataclass(frozen=True)
class FactorFit(MomentFit):
    """A fitted factor model with its indices of fit, as lavaan defines them."""

    spec: Structure

    @property
    def improper(self) -> tuple[str, ...]:
        """Negative variances and factor covariances that are not positive definite, in words."""
        return _improper(self.spec, self.free)


def fit_factors(
    data: Patterns, spec: Structure, unrestricted: Saturated, *, information: Information = "observed"
) -> FactorFit:
    """Fit ``spec``; standard errors from the observed information, which values missing at random need, or the expected."""
    found = fit_moments(data, spec, unrestricted, information=information)
    return FactorFit(**{f.name: getattr(found, f.name) for f in fields(found)})


def _improper(spec: Structure, free: Floats) -> tuple[str, ...]:
    arrays = spec.arrays(free)
    out = [
        f"the residual variance of {item} is negative ({number(value)})"
        for item, value in zip(spec.items, np.diag(arrays["residual"]), strict=True)
        if value < -1e-8
    ]
    if np.linalg.eigvalsh(arrays["factor_cov"])[0] < -1e-8:
        out.append("the covariances of the factors are not positive definite (a correlation above 1)")
    if not out and np.linalg.eigvalsh(arrays["residual"])[0] < -1e-8:
        out.append("the covariances of the residuals are not positive definite")
    return tuple(out)


def unrestricted_spec(items: tuple[str, ...], data: Patterns) -> Structure:
    """The saturated model as a structure: for tests of the scoring steps against EM."""
    builder = Builder(items, ())
    for i in range(len(items)):
        builder.free("intercept", i, 0, float(data.mean[i]))
        for j in range(i + 1):
            builder.free("residual", i, j, float(data.variance[i]) if i == j else 0.0)
    return builder.build()
