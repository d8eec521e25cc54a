"""Limits of a correlation of two roles from the profile of the restricted likelihood."""

from typing import TYPE_CHECKING, Any

import numpy as np

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.many_scores import deviances
from alliance_longitudinal.methods.basics.two_scores import TwoScores

if TYPE_CHECKING:
    from scipy.optimize import Bounds

#: Step of a slope by differences, relative to the parameter: the cube root of the precision.
_STEP = float(np.finfo(float).eps ** (1 / 3))

#: Standard deviations of a level, relative to that of all scores of a role, and correlations between which a search looks.
_SMALLEST_SD, _LARGEST_SD = 1e-4, 5.0
_LARGEST_CORRELATION = 0.9999
#: A standard deviation up to so much above the smallest, on the log scale, counts as zero: a hundredth of that of all scores.
_NEAR_ZERO = float(np.log(0.01 / _SMALLEST_SD))


def profile_limits(
    data: TwoScores, covs: "list[Floats]", level: int, best: float, deviance: float, alpha: float
) -> tuple[float, float]:
    """Limits at which the restricted deviance is higher by the chi-squared quantile; 1 or -1 where it never is.

    Parameters
    ----------
    data : TwoScores
    covs : list of ndarray, shape (2, 2)
        Covariances at the optimum, lowest level first.
    level : int
        Whose correlation it is.
    best, deviance : float
        That correlation (missing without a variance), and the lowest deviance.
    alpha : float
        One less the coverage.

    Returns
    -------
    pair of float
        Missing where the search fails.
    """
    from scipy import optimize

    cut = float(distributions.chi2.ppf(1 - alpha, 1))
    sds = np.array([np.sqrt(np.maximum(np.diag(c), 1e-12)) for c in covs])
    cors = np.array([c[0, 1] / (s[0] * s[1]) for c, s in zip(covs, sds, strict=True)])
    others = [i for i in range(len(covs)) if i != level]
    start = np.r_[np.log(sds).ravel(), np.arctanh(np.clip(cors[others], -0.99, 0.99))]
    limits = _limits(sds, len(others))
    start = np.clip(start, limits.lb, limits.ub)

    best_root = float(np.sqrt(cut))
    warm = [start]  # each search begins where the last one ended

    def at(z: float) -> float:
        """Signed root of the deviance above the lowest, less that of the quantile: almost a line along Fisher's scale."""
        r = float(np.tanh(z))

        def f(free: Floats) -> float:
            return float(_at(data, len(covs), level, r, free[None])[0])

        def slope(free: Floats) -> Floats:
            step = _STEP * np.maximum(1.0, np.abs(free))
            moves = np.concatenate([np.diag(step), -np.diag(step)])
            up, down = np.split(_at(data, len(covs), level, r, free + moves), 2)
            return np.asarray((up - down) / (2 * step))

        # Slopes from both sides: with one-sided ones the search ends where rounding hides what is left.
        def search(place: Floats) -> Any:
            options = {"gtol": 1e-3, "ftol": 1e-13}
            return optimize.minimize(f, place, method="L-BFGS-B", jac=slope, bounds=limits, options=options)

        found = search(min((warm[-1], start), key=f))
        if (found.x < limits.lb + _NEAR_ZERO)[: sds.size].any():
            # A variance that went to zero stays there, because its logarithm has no slope: the lowest place may be elsewhere.
            found = min((found, search(start)), key=lambda end: float(end.fun))
        warm.append(found.x)
        return float(np.sqrt(max(found.fun - deviance, 0.0))) - best_root

    center = 0.0 if np.isnan(best) else float(np.arctanh(np.clip(best, -0.99, 0.99)))
    farthest = float(np.arctanh(_LARGEST_CORRELATION))

    def limit(side: int) -> float:
        del warm[1:]
        inside, step = center, 0.2
        while True:
            outside = side * min(side * inside + step, farthest)
            if at(outside) > 0:
                break
            if abs(outside) >= farthest and side * outside > 0:
                return float(side)
            inside, step = outside, 2 * step
        if inside == center and at(center) > 0:  # the search for the lowest deviance there has failed
            return float("nan")
        return float(np.tanh(optimize.brentq(at, inside, outside, xtol=5e-4)))

    return limit(-1), limit(1)


def _limits(sds: Floats, correlations: int) -> "Bounds":
    """Where the other parameters are looked for: a standard deviation is at most a few times that of all scores, and may be nearly zero.

    Where a variance goes to zero the deviance is flat, and a search without limits may run away from there.
    """
    from scipy.optimize import Bounds

    total = np.log(np.sqrt((sds**2).sum(axis=0)))
    low, high = np.log(_SMALLEST_SD), np.log(_LARGEST_SD)
    most = np.full(correlations, np.arctanh(_LARGEST_CORRELATION))
    return Bounds(np.r_[np.tile(total + low, len(sds)), -most], np.r_[np.tile(total + high, len(sds)), most])


def _at(data: TwoScores, parts: int, level: int, r: float, free: Floats) -> Floats:
    """Restricted deviance at each row of log standard deviations and the other levels' correlations on Fisher's scale."""
    sd = np.exp(free[:, : 2 * parts]).reshape(-1, parts, 2)
    cor = np.insert(np.tanh(free[:, 2 * parts :]), level, r, axis=1)
    covs = np.empty((len(free), parts, 2, 2))
    covs[..., 0, 0], covs[..., 1, 1] = sd[..., 0] ** 2, sd[..., 1] ** 2
    covs[..., 0, 1] = covs[..., 1, 0] = cor * sd[..., 0] * sd[..., 1]
    return deviances(data, covs[:, 0], [covs[:, k] for k in range(1, parts)])
