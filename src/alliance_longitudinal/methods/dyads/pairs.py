"""Rows by case and role whose residuals correlate within cases, and share an effect of the group: fitted by (restricted) likelihood."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.methods.basics.curvature import hessian, jacobian, lowest
from alliance_longitudinal.methods.basics.frames import Codes, Floats


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows by case and role. The residuals of a case have standard deviations by role and one correlation.

    Attributes
    ----------
    y : float array, shape (n,)
    x : float array, shape (n, p)
    case : int array, shape (n,)
    size : float array, shape (cases,)
        Rows of each case.
    role : int array, shape (n,)
        Zeros without roles.
    group : int array of shape (n,), or None
        Groups of cases, such as therapists, with an effect on all rows of the group.
    """

    y: Floats
    x: Floats
    case: Codes
    size: Floats
    role: Codes
    group: Codes | None = None

    @property
    def roles(self) -> int:
        """How many roles."""
        return int(self.role.max()) + 1

    def white(self, theta: Floats) -> tuple[Floats, Floats, float]:
        """Rows whose residuals are independent with variance sigma2, and the log-determinant of the covariance over sigma2.

        theta is the correlation on its scale (see `rho_of`), the log ratios of the other roles' standard deviations to the first,
        and with groups the ratio of their standard deviation to sigma; its sign does not matter.
        """
        rho = rho_of(theta[0], float(self.size.max()))
        ratio = np.exp(np.concatenate([[0.0], theta[1 : self.roles]]))[self.role]
        m = self.size
        shrink = 1 - np.sqrt((1 - rho) / (1 + (m - 1) * rho))
        columns = [self.y, self.x] if self.group is None else [self.y, self.x, np.ones(len(self.y))]
        rows = np.column_stack(columns) / ratio[:, None]
        sums = np.column_stack([np.bincount(self.case, c, len(m)) for c in rows.T])
        rows = (rows - (shrink / m)[self.case, None] * sums[self.case]) / np.sqrt(1 - rho)
        logdet = 2 * float(np.log(ratio).sum()) + float(
            np.sum((m - 1) * np.log1p(-rho) + np.log1p((m - 1) * rho))
        )
        if self.group is None:
            return rows[:, 0], rows[:, 1:], logdet
        rows, z = rows[:, :-1], rows[:, -1]
        squares = np.bincount(self.group, z**2)
        grown = 1 + theta[-1] ** 2 * squares
        share = (1 - 1 / np.sqrt(grown)) / squares
        along = np.column_stack([np.bincount(self.group, z * c) for c in rows.T])
        rows = rows - (share[self.group] * z)[:, None] * along[self.group]
        return rows[:, 0], rows[:, 1:], logdet + float(np.log(grown).sum())


def rho_of(value: float, largest: float) -> float:
    """A correlation between ``-1 / (largest - 1)`` and 1 from a number without limits."""
    low = -1 / (largest - 1)
    return float(low + (1 - low) / (1 + np.exp(-value)))


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients with their covariance, sigma2 and -2 log-likelihood at ``theta``."""

    theta: Floats
    beta: Floats
    cov: Floats
    sigma2: float
    deviance: float


def _solve(pairs: Pairs, theta: Floats, reml: bool) -> Fit:
    """Coefficients and variance at given correlation and ratios; deviance is -2 log-likelihood."""
    y, x, logdet = pairs.white(theta)
    n, p = x.shape
    r = np.linalg.qr(x, mode="r")
    inverse = np.linalg.inv(r)
    cov = inverse @ inverse.T
    beta = cov @ (x.T @ y)
    free = n - p if reml else n
    squares = max(float(np.sum((y - x @ beta) ** 2)), 1e-300)
    deviance = free * (np.log(2 * np.pi * squares / free) + 1) + logdet
    if reml:
        deviance += 2 * float(np.log(np.abs(np.diag(r))).sum())
    return Fit(theta, beta, cov * squares / free, squares / free, float(deviance))


def fit_pairs(pairs: Pairs, reml: bool) -> Fit:
    """The best correlation, ratios and group effect.

    Raises
    ------
    FitError
        If the search does not converge.
    """
    of_groups = [] if pairs.group is None else [0.3]
    starts = [np.r_[value, np.zeros(pairs.roles - 1), of_groups] for value in (0.0, 1.0)]
    theta = lowest(lambda t: _solve(pairs, t, reml).deviance, starts, "The actor-partner model")
    return _solve(pairs, theta, reml)


def satterthwaite(pairs: Pairs, fit: Fit) -> Floats:
    """Degrees of freedom of each coefficient: ``2 v^2 / (g' A g)``, g the gradient of its variance, A the variances' covariance."""
    eta = np.r_[np.log(fit.sigma2), fit.theta]
    n, p = pairs.x.shape

    def parts(e: Floats) -> tuple[Floats, float]:
        y, x, logdet = pairs.white(e[1:])
        s2 = float(np.exp(e[0]))
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ (x.T @ y)
        dev = (
            (n - p) * e[0]
            + float(np.sum((y - x @ beta) ** 2)) / s2
            + logdet
            - float(np.linalg.slogdet(inverse)[1])
        )
        return np.diag(inverse) * s2, dev

    spread = np.linalg.pinv(hessian(lambda e: parts(e)[1], eta) / 2, hermitian=True)
    slope = jacobian(lambda e: parts(e)[0], eta, 1e-5)
    below = np.einsum("ij,jk,ik->i", slope, spread, slope)
    variance = np.diag(fit.cov)
    return np.asarray(np.clip(2 * variance**2 / np.maximum(below, 1e-300), 1, n - p))
