"""Limits of a correlation of two roles from the profile of the restricted likelihood."""

import numpy as np

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.two_scores import TwoScores, solve


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

    best_root = float(np.sqrt(cut))
    warm = [start]  # each search begins where the last one ended

    def at(z: float) -> float:
        """Signed root of the deviance above the lowest, less that of the quantile: almost a line along Fisher's scale."""
        r = float(np.tanh(z))

        def f(free: Floats) -> float:
            sd = np.exp(free[: 2 * len(covs)]).reshape(-1, 2)
            cor = np.empty(len(covs))
            cor[level] = r
            cor[others] = np.tanh(free[2 * len(covs) :])
            parts = [
                np.array([[s[0] ** 2, c * s[0] * s[1]], [c * s[0] * s[1], s[1] ** 2]])
                for s, c in zip(sd, cor, strict=True)
            ]
            return solve(data, parts[0], parts[1:], reml=True).deviance

        # Slopes from both sides: with one-sided ones the search ends where rounding hides what is left.
        place = min((warm[-1], start), key=f)
        found = optimize.minimize(f, place, method="BFGS", jac="3-point", options={"gtol": 1e-3})
        warm.append(found.x)
        return float(np.sqrt(max(found.fun - deviance, 0.0))) - best_root

    center = 0.0 if np.isnan(best) else float(np.arctanh(np.clip(best, -0.99, 0.99)))
    farthest = float(np.arctanh(0.9999))

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
