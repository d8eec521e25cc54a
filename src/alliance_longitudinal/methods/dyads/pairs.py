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


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over cases that the likelihood needs: each of its evaluations then costs the same however many cases there are.

    Columns are the outcome's residuals from least squares and an orthonormal basis of the predictors, so that no digits are lost;
    with groups also a column of ones. A case of ``m`` rows has the inverse covariance ``D (I - k J) D / (1 - rho)``, with
    ``k = rho / (1 + (m - 1) rho)`` and ``D`` the inverse ratios of its rows.

    Attributes
    ----------
    own : float array, shape (roles, q, q)
        Crossproducts of the rows of each role.
    between : float array, shape (sizes, roles, roles, q, q)
        Crossproducts of a case's sums by role, summed over the cases of each size.
    sizes, cases : float array, shape (sizes,)
        Sizes of cases, and how many cases there are of each.
    rows : float array, shape (roles,)
    of_groups, case_of_groups : float array, shapes (groups, roles, q) and (groups, sizes, roles, roles, q), or None
        Sums of rows by group and role; sums of a case's role sums times the number of its rows of another role.
    start : float array, shape (p,)
        Coefficients of least squares.
    back : float array, shape (p, p)
        From coefficients of the basis to those of the predictors.
    largest : float
    """

    own: Floats
    between: Floats
    sizes: Floats
    cases: Floats
    rows: Floats
    of_groups: Floats | None
    case_of_groups: Floats | None
    start: Floats
    back: Floats
    largest: float

    def at(self, theta: Floats) -> tuple[Floats, float]:
        """Crossproducts weighted by the inverse covariance over sigma2, and the covariance's log-determinant.

        theta is the correlation on its scale (see `rho_of`), the log ratios of the other roles' standard deviations to the first,
        and with groups the ratio of their standard deviation to sigma; its sign does not matter.
        """
        rho = rho_of(theta[0], self.largest)
        roles = len(self.rows)
        ratio = np.exp(np.concatenate([[0.0], theta[1:roles]]))
        k = rho / (1 + (self.sizes - 1) * rho)
        pairs = k[:, None, None] / np.outer(ratio, ratio)
        cross = np.tensordot(ratio**-2, self.own, 1) - np.tensordot(pairs, self.between, 3)
        cross = cross / (1 - rho)
        logdet = 2 * float(self.rows @ np.log(ratio)) + float(
            self.cases @ ((self.sizes - 1) * np.log1p(-rho) + np.log1p((self.sizes - 1) * rho))
        )
        if self.of_groups is None or self.case_of_groups is None:
            return cross, logdet
        pull = np.einsum("r,grq->gq", ratio**-2, self.of_groups) - np.einsum(
            "mab,gmabq->gq", pairs, self.case_of_groups
        )
        pull = pull / (1 - rho)
        grown = 1 + theta[-1] ** 2 * pull[:, -1]
        cross = cross - (pull * (theta[-1] ** 2 / grown)[:, None]).T @ pull
        return cross[:-1, :-1], logdet + float(np.log(grown).sum())


def _sums(pairs: Pairs) -> _Sums:
    q, r = np.linalg.qr(pairs.x)
    back = np.linalg.inv(r)
    along = q.T @ pairs.y
    ones = [] if pairs.group is None else [np.ones(len(pairs.y))]
    columns = np.column_stack([pairs.y - q @ along, q, *ones])
    n_cases, roles, width = len(pairs.size), pairs.roles, columns.shape[1]
    cell = pairs.case * roles + pairs.role
    by_cell = np.column_stack([np.bincount(cell, c, n_cases * roles) for c in columns.T])
    by_cell = by_cell.reshape(n_cases, roles, width)
    sizes, of_size = np.unique(pairs.size, return_inverse=True)
    own = np.stack([columns[pairs.role == k].T @ columns[pairs.role == k] for k in range(roles)])
    between = np.stack(
        [np.einsum("caq,cbs->abqs", by_cell[of_size == m], by_cell[of_size == m]) for m in range(len(sizes))]
    )
    of_groups: Floats | None = None
    case_of_groups: Floats | None = None
    if pairs.group is not None:
        groups = int(pairs.group.max()) + 1
        place = pairs.group * roles + pairs.role
        of_groups = np.column_stack([np.bincount(place, c, groups * roles) for c in columns.T])
        of_groups = of_groups.reshape(groups, roles, width)
        first = np.unique(pairs.case, return_index=True)[1]
        where = pairs.group[first] * len(sizes) + of_size
        case_of_groups = np.zeros((groups * len(sizes), roles, roles, width))
        np.add.at(case_of_groups, where, np.einsum("caq,cb->cabq", by_cell, by_cell[:, :, -1]))
        case_of_groups = case_of_groups.reshape(groups, len(sizes), roles, roles, width)
    return _Sums(
        own,
        between,
        sizes,
        np.bincount(of_size).astype(float),
        np.bincount(pairs.role, minlength=roles).astype(float),
        of_groups,
        case_of_groups,
        back @ along,
        back,
        float(pairs.size.max()),
    )


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


def _solve(sums: _Sums, theta: Floats, reml: bool) -> Fit:
    """Coefficients and variance at given correlation and ratios; deviance is -2 log-likelihood."""
    cross, logdet = sums.at(theta)
    n, p = float(sums.rows.sum()), len(sums.start)
    inner = cross[1:, 1:]
    inverse = np.linalg.inv(inner)
    beta = inverse @ cross[1:, 0]
    free = n - p if reml else n
    squares = max(float(cross[0, 0] - cross[1:, 0] @ beta), 1e-300)
    deviance = free * (np.log(2 * np.pi * squares / free) + 1) + logdet
    if reml:
        deviance += _logdet(inner) - 2 * float(np.log(np.abs(np.diag(sums.back))).sum())
    cov = sums.back @ inverse @ sums.back.T * squares / free
    return Fit(theta, sums.start + sums.back @ beta, cov, squares / free, float(deviance))


def _logdet(matrix: Floats) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def fit_pairs(pairs: Pairs, reml: bool) -> Fit:
    """The best correlation, ratios and group effect.

    Raises
    ------
    FitError
        If the search does not converge.
    """
    sums = _sums(pairs)
    of_groups = [] if pairs.group is None else [0.3]
    starts = [np.r_[value, np.zeros(pairs.roles - 1), of_groups] for value in (0.0, 1.0)]
    theta = lowest(lambda t: _solve(sums, t, reml).deviance, starts, "The actor-partner model")
    return _solve(sums, theta, reml)


def satterthwaite(pairs: Pairs, fit: Fit) -> Floats:
    """Degrees of freedom of each coefficient: ``2 v^2 / (g' A g)``, g the gradient of its variance, A the variances' covariance."""
    eta = np.r_[np.log(fit.sigma2), fit.theta]
    sums = _sums(pairs)
    n, p = pairs.x.shape

    def parts(e: Floats) -> tuple[Floats, float]:
        cross, logdet = sums.at(e[1:])
        s2 = float(np.exp(e[0]))
        inverse = np.linalg.inv(cross[1:, 1:])
        squares = float(cross[0, 0] - cross[1:, 0] @ inverse @ cross[1:, 0])
        dev = (n - p) * e[0] + squares / s2 + logdet + _logdet(cross[1:, 1:])
        return np.diag(sums.back @ inverse @ sums.back.T) * s2, float(dev)

    spread = np.linalg.pinv(hessian(lambda e: parts(e)[1], eta) / 2, hermitian=True)
    slope = jacobian(lambda e: parts(e)[0], eta, 1e-5)
    below = np.einsum("ij,jk,ik->i", slope, spread, slope)
    variance = np.diag(fit.cov)
    return np.asarray(np.clip(2 * variance**2 / np.maximum(below, 1e-300), 1, n - p))
