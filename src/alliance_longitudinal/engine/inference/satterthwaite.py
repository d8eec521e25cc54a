"""Satterthwaite degrees of freedom from the exact Hessian, and tests from the normal distribution."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.protocol import FTest, pooled_df, rotated_test
from alliance_longitudinal.findings import Finding


@dataclass(frozen=True, slots=True)
class Satterthwaite:
    """Model-based covariance with Satterthwaite degrees of freedom.

    Attributes
    ----------
    fit : MixedFit
    """

    fit: MixedFit
    words = "Degrees of freedom by Satterthwaite's method."
    findings = ()

    @property
    def cov(self) -> Array:
        """Model-based covariance of the coefficients, shape (p, p)."""
        return self.fit.cov

    def df(self, rows: Array) -> Array:
        """Degrees of freedom of each contrast, shape (r,)."""
        return satterthwaite(self.fit, rows)

    def joint(self, rows: Array) -> FTest:
        """F test with pooled denominator degrees of freedom (Fai and Cornelius 1996, J Stat Comput Simul 54:363-378)."""
        statistic, rotated = rotated_test(self.fit.beta, self.cov, rows)
        return FTest.of(statistic, len(rows), pooled_df(self.df(rotated)))


@dataclass(frozen=True, slots=True)
class Normal:
    """A covariance with tests from the normal distribution.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    cov : ndarray, shape (p, p)
    words : str
    findings : tuple of Finding
    """

    beta: Array
    cov: Array
    words: str = "Tests from the normal distribution."
    findings: tuple[Finding, ...] = ()

    def df(self, rows: Array) -> Array:
        """Infinite, shape (r,)."""
        return np.full(len(rows), np.inf)

    def joint(self, rows: Array) -> FTest:
        """Chi-squared test, its statistic divided by the number of contrasts."""
        statistic, _ = rotated_test(self.beta, self.cov, rows)
        return FTest.of(statistic, len(rows), np.inf)


def variance_information(fit: MixedFit) -> tuple[Array, Array]:
    """Curvature of the deviance in the variance parameters that are free at the optimum.

    The parameters are the Cholesky parameters on the optimum's face and the residual variance, in internal
    units. At an optimum the result of Satterthwaite's formula does not depend on the parameterisation, so
    that it equals the one in variances and covariances.

    Returns
    -------
    information : ndarray, shape (m + 1, m + 1)
        Half the Hessian of -2 log-likelihood, coefficients profiled out; its inverse is the covariance.
    jacobian : ndarray, shape (entries, m)
        Derivative of the covariance entries in the Cholesky parameters.
    """
    c = fit.criterion
    best = fit.record.best
    s = c.rss / c.nu
    jacobian = best.face.jacobian(best.theta)
    m = len(best.theta)
    hessian = np.empty((m + 1, m + 1))
    hessian[:m, :m] = best.face.chain(best.theta, c.dlogdet + c.drss / s, c.ddlogdet + c.ddrss / s)[1]
    hessian[:m, m] = hessian[m, :m] = -(jacobian.T @ c.drss) / s**2
    hessian[m, m] = c.nu / s**2
    return hessian / 2, jacobian


def satterthwaite(fit: MixedFit, rows: Array) -> Array:
    """Satterthwaite degrees of freedom ``2 v^2 / Var(v)`` of each contrast's variance ``v``.

    Satterthwaite (1946), Biometrics Bulletin 2:110-114, with the exact Hessian and gradient (Kuznetsova,
    Brockhoff and Christensen 2017, J Stat Softw 82(13), use finite differences). Parameters on the boundary
    are held there.

    Parameters
    ----------
    rows : ndarray, shape (r, p)
        Contrasts of the coefficients.

    Returns
    -------
    ndarray, shape (r,)
    """
    c = fit.criterion
    s = c.rss / c.nu
    information, jacobian = variance_information(fit)
    internal = np.linalg.solve(fit.basis.r_x.T, rows.T).T
    scaled = internal @ c.cov_x
    variance = np.einsum("rp,rp->r", scaled, internal)
    in_entries = -s * np.einsum("ra,mab,rb->rm", scaled, c.dt_x, scaled)
    gradient = np.concatenate([in_entries @ jacobian, variance[:, None]], axis=1)
    values, vectors = np.linalg.eigh(information)
    usable = values > 1e-12 * values[-1]
    along = gradient @ vectors[:, usable]
    spread = np.einsum("rm,rm->r", along / values[usable], along)
    return np.asarray(2 * (s * variance) ** 2 / spread)
