"""Fits a model of means and covariances by full-information maximum likelihood, and says how well it fits."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from alliance_longitudinal.methods.fiml.likelihood import Information, Model, local
from alliance_longitudinal.methods.fiml.optimum import Certificate, certify, minimise
from alliance_longitudinal.methods.fiml.patterns import Floats, Patterns
from alliance_longitudinal.methods.fiml.saturated import Saturated


@dataclass(frozen=True)
class Indices:
    """How well a model fits, as lavaan defines it.

    Attributes
    ----------
    chi2, df, p : float, int, float
        Against the saturated model.
    cfi, tli, rmsea, rmsea_low, rmsea_high, srmr : float
        ``rmsea_low``, ``rmsea_high``: 90 % interval. ``srmr`` includes the means.
    """

    chi2: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmr: float


@dataclass(frozen=True)
class MomentFit(Indices):
    """A fitted model with its indices of fit, as lavaan defines them.

    Attributes
    ----------
    spec : Model
    n : int
        Rows with at least one value.
    free, se : float array, shape (q,)
        Estimates and standard errors of ``spec.names``; errors are missing where the information is singular.
    covariance : float array, shape (q, q)
    converged : bool
        Whether the gradient vanishes, in the model and in the saturated one.
    data : Patterns
        What it was fitted to.
    deviance, aic, bic : float
    """

    spec: Model
    n: int
    free: Floats
    se: Floats
    covariance: Floats
    converged: bool
    data: Patterns = field(repr=False)
    deviance: float
    aic: float
    bic: float

    @cached_property
    def certificate(self) -> Certificate:
        """Gradient and observed information at the end of the search."""
        at = local(self.data, self.spec, self.free, "observed")
        return certify(at.gradient, at.information)

    @property
    def params(self) -> "pd.Series[float]":
        """Estimates by name."""
        return pd.Series(self.free, index=list(self.spec.names))

    @property
    def bse(self) -> "pd.Series[float]":
        """Standard errors by name."""
        return pd.Series(self.se, index=list(self.spec.names))

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        return -self.deviance / 2

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


def fit_moments(
    data: Patterns,
    spec: Model,
    unrestricted: Saturated,
    *,
    information: Information = "observed",
    start: Floats | None = None,
) -> MomentFit:
    """Fit ``spec``.

    Parameters
    ----------
    data : Patterns
    spec : Model
    unrestricted : Saturated
        Of the same data.
    information : {"observed", "expected"}
        For the standard errors: with values missing at random only the observed information is right (Kenward &
        Molenberghs 1998).
    start : float array, shape (q,), optional
        Instead of the model's own.
    """
    best = minimise(data, spec, start)
    observed = information == "observed"
    covariance = inverse(
        local(data, spec, best.free, "observed").information if observed else best.information
    )
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.diag(covariance))
    q = len(spec.names)
    return MomentFit(
        **vars(indices(data, spec, best.free, best.deviance, unrestricted)),
        spec=spec,
        n=data.n,
        free=best.free,
        se=se,
        covariance=covariance,
        converged=best.converged and unrestricted.converged,
        data=data,
        deviance=best.deviance,
        aic=best.deviance + 2 * q,
        bic=best.deviance + float(np.log(data.n)) * q,
    )


def inverse(information: Floats) -> Floats:
    """Inverse of the information; NaN where it is singular."""
    values = np.linalg.eigvalsh(information)
    if values[0] <= 1e-10 * values[-1]:
        return np.full(information.shape, np.nan)
    return np.asarray(np.linalg.inv(information))


def indices(data: Patterns, spec: Model, free: Floats, deviance: float, unrestricted: Saturated) -> Indices:
    """Chi-square and what is made of it, and the residuals; missing where there is no saturated model to compare with."""
    from alliance_longitudinal.engine import distributions

    p, q = data.p, len(spec.names)
    if not np.isfinite(unrestricted.deviance):
        return Indices(np.nan, p * (p + 3) // 2 - q, *(np.nan,) * 7)
    chi2 = max(deviance - unrestricted.deviance, 0.0)
    df = p * (p + 3) // 2 - q
    base = unrestricted.independence - unrestricted.deviance
    cfi, tli = _comparative(chi2, df, base, p * (p - 1) // 2)
    low, high = _rmsea_interval(chi2, df, data.n)
    return Indices(
        chi2=chi2,
        df=df,
        p=float(distributions.chi2.sf(chi2, df)) if df > 0 else float("nan"),
        cfi=cfi,
        tli=tli,
        rmsea=float(np.sqrt(max(chi2 - df, 0) / (df * data.n))) if df > 0 else 0.0,
        rmsea_low=low,
        rmsea_high=high,
        srmr=srmr(spec, free, unrestricted),
    )


def _comparative(chi2: float, df: int, base: float, base_df: int) -> tuple[float, float]:
    """CFI (Bentler 1990) and TLI (Tucker & Lewis 1973)."""
    off, base_off = max(chi2 - df, 0.0), max(base - base_df, chi2 - df, 0.0)
    cfi = 1.0 if base_off == 0 else 1 - off / base_off
    if df == 0 or base_df == 0 or base / base_df == 1:
        return cfi, 1.0
    return cfi, (base / base_df - chi2 / df) / (base / base_df - 1)


def _rmsea_interval(chi2: float, df: int, n: int) -> tuple[float, float]:
    """90 % interval from the noncentral chi-square (Steiger 1990)."""
    if df <= 0:
        return 0.0, 0.0
    from scipy import special  # here, so that reading what an analysis takes loads no scipy

    ends = []
    for share in (0.95, 0.05):
        low, high = 0.0, max(chi2, 10.0)
        while special.chndtr(chi2, df, high) > share:
            high *= 2
        while high - low > 1e-10 * max(high, 1.0):  # the probability falls as the noncentrality grows
            middle = (low + high) / 2
            low, high = (middle, high) if special.chndtr(chi2, df, middle) > share else (low, middle)
        ends.append(float(np.sqrt(low / (df * n))))
    return ends[0], ends[1]


def srmr(spec: Model, free: Floats, unrestricted: Saturated, means: bool = True) -> float:
    """Standardised root mean square residual (Bentler 1995), with or without the means."""
    mean, cov = spec.moments(free)
    sd = np.sqrt(np.diag(unrestricted.cov))
    lower = np.tril_indices(len(sd))
    squares = (((unrestricted.cov - cov) / np.outer(sd, sd))[lower]) ** 2
    if not means:
        return float(np.sqrt(squares.mean()))
    off = ((unrestricted.mean - mean) / sd) ** 2
    return float(np.sqrt((squares.sum() + off.sum()) / (len(squares) + len(off))))
