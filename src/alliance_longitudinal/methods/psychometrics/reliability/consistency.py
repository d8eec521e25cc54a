"""Internal consistency of one form: alpha and omega."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.psychometrics.factors.factor_fit import FactorFit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient with its 95 % interval (missing where there is none) and the forms or units behind it."""

    estimate: float
    low: float
    high: float
    n: int


def alpha(values: Floats) -> Coefficient:
    """Cronbach's alpha of complete forms, shape (n, k), with the exact interval of Feldt (1965).

    ``alpha = k/(k-1) (1 - sum of variances / variance of the sum)``; ``(1 - true)/(1 - alpha)`` is distributed as
    ``F(n - 1, (n - 1)(k - 1))`` for parallel items. Forms with an unanswered item are left out.
    """
    whole = values[~np.isnan(values).any(axis=1)]
    return alpha_from_cov(np.cov(whole.T), len(whole))


def alpha_from_cov(cov: Floats, n: int) -> Coefficient:
    """The same from a covariance matrix, shape (k, k), of n forms."""
    from scipy import special

    k = len(cov)
    value = k / (k - 1) * (1 - float(np.trace(cov) / cov.sum()))
    freedom = (n - 1, (n - 1) * (k - 1))
    low, high = (1 - (1 - value) * float(special.fdtri(*freedom, q)) for q in (0.975, 0.025))
    return Coefficient(value, low, high, n)


def omega(fit: FactorFit) -> Coefficient:
    """McDonald's omega of a one-factor model, ``(sum l)^2 Psi / ((sum l)^2 Psi + sum theta)``.

    The interval is by the delta method on ``log(1 - omega)``, with the covariance of the estimates.
    """
    from scipy import special

    def value(free: Floats) -> float:
        a = fit.spec.arrays(free)
        common = float(a["loading"].sum() ** 2 * a["factor_cov"][0, 0])
        return common / (common + float(a["residual"].sum()))

    estimate = value(fit.free)
    slopes = np.zeros(len(fit.free))
    for k in range(len(slopes)):
        step = np.zeros(len(slopes))
        step[k] = 1e-5 * max(abs(fit.free[k]), 0.1)
        slopes[k] = (value(fit.free + step) - value(fit.free - step)) / (2 * step[k])
    variance = float(slopes @ fit.covariance @ slopes)
    if not (np.isfinite(variance) and variance >= 0 and estimate < 1):
        return Coefficient(estimate, float("nan"), float("nan"), fit.n)
    half = float(special.ndtri(0.975)) * np.sqrt(variance) / (1 - estimate)
    rest = 1 - estimate
    return Coefficient(estimate, 1 - rest * float(np.exp(half)), 1 - rest * float(np.exp(-half)), fit.n)
