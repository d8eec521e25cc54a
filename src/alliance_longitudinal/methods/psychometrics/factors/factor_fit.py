"""Fits a factor model by full-information maximum likelihood, and says how well it fits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.methods.psychometrics.factors.factor_spec import FactorSpec, SpecBuilder
from alliance_longitudinal.methods.psychometrics.factors.fiml import (
    Patterns,
    deviance,
    independence_deviance,
    local,
)

Floats = NDArray[np.float64]
_STEPS, _TOLERANCE = 200, 1e-8


@dataclass(frozen=True, slots=True)
class Optimum:
    """The end of a search: parameters (q,), deviance, and whether the gradient vanishes there."""

    free: Floats
    deviance: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Saturated:
    """The unrestricted mean (p,) and covariance (p, p), and their deviance: what every model is compared with."""

    mean: Floats
    cov: Floats
    deviance: float
    independence: float
    converged: bool


@dataclass(frozen=True, slots=True)
class FactorFit:
    """A fitted model with its indices of fit, as lavaan defines them.

    Attributes
    ----------
    free, se : float array, shape (q,)
        Estimates and standard errors of ``spec.names``; errors are missing where the information is singular.
    covariance : float array, shape (q, q)
    chi2, df, p : float, int, float
        Against the saturated model.
    cfi, tli, rmsea, rmsea_low, rmsea_high, srmr : float
        ``rmsea_low``, ``rmsea_high``: 90 % interval. ``srmr`` includes the means.
    deviance, aic, bic : float
    improper : tuple of str
        Negative variances and factor covariances that are not positive definite, in words.
    """

    spec: FactorSpec
    n: int
    free: Floats
    se: Floats
    covariance: Floats
    converged: bool
    chi2: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmr: float
    deviance: float
    aic: float
    bic: float
    improper: tuple[str, ...]

    @property
    def params(self) -> "pd.Series[float]":
        """Estimates by name."""
        return pd.Series(self.free, index=list(self.spec.names))

    @property
    def bse(self) -> "pd.Series[float]":
        """Standard errors by name."""
        return pd.Series(self.se, index=list(self.spec.names))

    def summary(self) -> str:
        """The fit as text: indices, then each parameter with its standard error."""
        indices = (
            f"{self.n} rows; chi-square({self.df}) {self.chi2:.3f}, p {self.p:.4f}; CFI {self.cfi:.3f}, TLI {self.tli:.3f}, "
            f"RMSEA {self.rmsea:.3f} ({self.rmsea_low:.3f} to {self.rmsea_high:.3f}), SRMR {self.srmr:.3f}; "
            f"{'converged' if self.converged else 'NOT converged'}"
        )
        rows = zip(self.spec.names, self.free, self.se, strict=True)
        return "\n".join(
            [indices, *(f"{name:30s} {value:10.4f} {error:10.4f}" for name, value, error in rows)]
        )


def minimise(data: Patterns, spec: FactorSpec, start: Floats | None = None) -> Optimum:
    """Fisher scoring with step halving; where it stalls, BFGS with the analytic gradient."""
    free = spec.start.copy() if start is None else start.copy()
    here = local(data, spec, free)
    for _ in range(_STEPS):
        if not np.isfinite(here.deviance):
            break
        step = np.linalg.lstsq(here.information, -here.gradient / 2, rcond=1e-12)[0]
        decrement = float(-here.gradient @ step)
        if abs(decrement) < _TOLERANCE:
            return Optimum(free, here.deviance, True)
        size = 1.0
        while size > 1e-6:
            mean, cov = spec.moments(free + size * step)
            if deviance(data, mean, cov) < here.deviance - 1e-4 * size * max(decrement, 0.0):
                break
            size /= 2
        if size <= 1e-6:
            break
        free = free + size * step
        here = local(data, spec, free)
    return _quasi_newton(data, spec, free)


def _quasi_newton(data: Patterns, spec: FactorSpec, free: Floats) -> Optimum:
    from scipy import optimize

    def value(x: Floats) -> tuple[float, Floats]:
        at = local(data, spec, x, information=False)
        return (at.deviance, at.gradient) if np.isfinite(at.deviance) else (1e300, at.gradient)

    found = optimize.minimize(value, free, jac=True, method="BFGS", options={"maxiter": 200, "gtol": 1e-6})
    at = local(data, spec, found.x)
    step = np.linalg.lstsq(at.information, -at.gradient / 2, rcond=1e-12)[0]
    good = np.isfinite(at.deviance) and abs(float(at.gradient @ step)) < 1e-5
    return Optimum(np.asarray(found.x), at.deviance, bool(good))


def saturated(data: Patterns) -> Saturated:
    """The unrestricted moments by maximum likelihood: at once without missing values, else by EM."""
    own = independence_deviance(data)
    if len(data.parts) == 1 and len(data.parts[0].observed) == data.p:
        part = data.parts[0]
        return Saturated(part.mean, part.cov, deviance(data, part.mean, part.cov), own, True)
    mean, cov = data.mean.copy(), np.diag(data.variance)
    before = own
    for step in range(20_000):
        try:
            mean, cov = _em(data, mean, cov)
        except np.linalg.LinAlgError:  # some items determine others
            return Saturated(mean, cov, float("inf"), own, False)
        if step % 20 == 19:
            now = deviance(data, mean, cov)
            if before - now < 1e-7 or not np.isfinite(now):
                return Saturated(mean, cov, now, own, bool(np.isfinite(now)))
            before = now
    return Saturated(mean, cov, before, own, False)


def _em(data: Patterns, mean: Floats, cov: Floats) -> tuple[Floats, Floats]:
    """One step of EM for a multivariate normal distribution (Little & Rubin 2020, section 11.2)."""
    p = data.p
    total, square = np.zeros(p), np.zeros((p, p))
    for part in data.parts:
        own = part.observed
        weight = np.linalg.solve(cov[np.ix_(own, own)], cov[own]).T
        expected = mean + weight @ (part.mean - mean[own])
        rest = cov - weight @ cov[own]
        spread = weight @ part.cov @ weight.T
        total += part.n * expected
        square += part.n * (rest + spread + np.outer(expected, expected))
    new = total / data.n
    out = square / data.n - np.outer(new, new)
    return new, (out + out.T) / 2


def fit_factors(
    data: Patterns, spec: FactorSpec, unrestricted: Saturated, *, information: str = "observed"
) -> FactorFit:
    """Fit ``spec``.

    Parameters
    ----------
    data : Patterns
    spec : FactorSpec
    unrestricted : Saturated
        Of the same data.
    information : {"observed", "expected"}
        For the standard errors: with values missing at random only the observed information is right (Kenward &
        Molenberghs 1998).
    """
    from scipy import stats

    best = minimise(data, spec)
    covariance = _covariance(data, spec, best.free, information)
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.diag(covariance))
    p, q = data.p, len(spec.names)
    chi2 = max(best.deviance - unrestricted.deviance, 0.0)
    df = p * (p + 3) // 2 - q
    base = unrestricted.independence - unrestricted.deviance
    base_df = p * (p - 1) // 2
    cfi, tli = _comparative(chi2, df, base, base_df)
    low, high = _rmsea_interval(chi2, df, data.n)
    return FactorFit(
        spec=spec,
        n=data.n,
        free=best.free,
        se=se,
        covariance=covariance,
        converged=best.converged and unrestricted.converged,
        chi2=chi2,
        df=df,
        p=float(stats.chi2.sf(chi2, df)) if df > 0 else float("nan"),
        cfi=cfi,
        tli=tli,
        rmsea=float(np.sqrt(max(chi2 - df, 0) / (df * data.n))) if df > 0 else 0.0,
        rmsea_low=low,
        rmsea_high=high,
        srmr=srmr(spec, best.free, unrestricted),
        deviance=best.deviance,
        aic=best.deviance + 2 * q,
        bic=best.deviance + float(np.log(data.n)) * q,
        improper=_improper(spec, best.free),
    )


def _covariance(data: Patterns, spec: FactorSpec, free: Floats, information: str) -> Floats:
    """Inverse of the information; NaN where it is singular."""
    q = len(free)
    if information == "expected":
        matrix = local(data, spec, free).information
    else:
        matrix = np.empty((q, q))
        for k in range(q):
            step = 1e-4 * max(abs(free[k]), 0.1)
            ends = []
            for sign in (1, -1):
                moved = free.copy()
                moved[k] += sign * step
                ends.append(local(data, spec, moved, information=False).gradient)
            matrix[k] = (ends[0] - ends[1]) / (4 * step)
        matrix = (matrix + matrix.T) / 2
    values = np.linalg.eigvalsh(matrix)
    if values[0] <= 1e-10 * values[-1]:
        return np.full((q, q), np.nan)
    return np.asarray(np.linalg.inv(matrix))


def _comparative(chi2: float, df: int, base: float, base_df: int) -> tuple[float, float]:
    """CFI (Bentler 1990) and TLI (Tucker & Lewis 1973)."""
    off, base_off = max(chi2 - df, 0.0), max(base - base_df, chi2 - df, 0.0)
    cfi = 1.0 if base_off == 0 else 1 - off / base_off
    if df == 0 or base_df == 0 or base / base_df == 1:
        return cfi, 1.0
    return cfi, (base / base_df - chi2 / df) / (base / base_df - 1)


def _rmsea_interval(chi2: float, df: int, n: int) -> tuple[float, float]:
    """90 % interval from the noncentral chi-square (Steiger 1990)."""
    from scipy import optimize, stats

    if df <= 0:
        return 0.0, 0.0
    ends = []
    for share in (0.95, 0.05):

        def excess(lam: float, share: float = share) -> float:
            inside = stats.ncx2.cdf(chi2, df, lam) if lam > 0 else stats.chi2.cdf(chi2, df)
            return float(inside) - share

        if excess(0.0) <= 0:
            ends.append(0.0)
            continue
        top = max(chi2, 10.0)
        while excess(top) > 0:
            top *= 2
        ends.append(float(np.sqrt(optimize.brentq(excess, 0.0, top, xtol=1e-9) / (df * n))))
    return ends[0], ends[1]


def srmr(spec: FactorSpec, free: Floats, unrestricted: Saturated, means: bool = True) -> float:
    """Standardised root mean square residual (Bentler 1995), with or without the means."""
    mean, cov = spec.moments(free)
    sd = np.sqrt(np.diag(unrestricted.cov))
    lower = np.tril_indices(len(sd))
    squares = (((unrestricted.cov - cov) / np.outer(sd, sd))[lower]) ** 2
    if not means:
        return float(np.sqrt(squares.mean()))
    off = ((unrestricted.mean - mean) / sd) ** 2
    return float(np.sqrt((squares.sum() + off.sum()) / (len(squares) + len(off))))


def _improper(spec: FactorSpec, free: Floats) -> tuple[str, ...]:
    arrays = spec.arrays(free)
    out = [
        f"the residual variance of {item} is negative ({value:.3g})"
        for item, value in zip(spec.items, np.diag(arrays["residual"]), strict=True)
        if value < -1e-8
    ]
    if np.linalg.eigvalsh(arrays["factor_cov"])[0] < -1e-8:
        out.append("the covariances of the factors are not positive definite (a correlation beyond 1)")
    if not out and np.linalg.eigvalsh(arrays["residual"])[0] < -1e-8:
        out.append("the covariances of the residuals are not positive definite")
    return tuple(out)


def unrestricted_spec(items: tuple[str, ...], data: Patterns) -> FactorSpec:
    """The saturated model as a spec: for tests of the scoring steps against EM."""
    builder = SpecBuilder(items, ())
    for i in range(len(items)):
        builder.free("intercept", i, 0, float(data.mean[i]))
        for j in range(i + 1):
            builder.free("residual", i, j, float(data.variance[i]) if i == j else 0.0)
    return builder.build()
