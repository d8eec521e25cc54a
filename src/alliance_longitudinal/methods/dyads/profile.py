"""Limits of a correlation of two roles from the profile of the restricted likelihood."""

import numpy as np

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.many_scores import deviances
from alliance_longitudinal.methods.basics.two_scores import TwoScores

#: Step of a slope by differences, relative to the parameter: the cube root of the precision.
_STEP = float(np.finfo(float).eps ** (1 / 3))


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
            return float(_at(data, len(covs), level, r, free[None])[0])

        def slope(free: Floats) -> Floats:
            step = _STEP * np.maximum(1.0, np.abs(free))
            moves = np.concatenate([np.diag(step), -np.diag(step)])
            up, down = np.split(_at(data, len(covs), level, r, free + moves), 2)
            return np.asarray((up - down) / (2 * step))

        # Slopes from both sides: with one-sided ones the search ends where rounding hides what is left.
        place = min((warm[-1], start), key=f)
        found = optimize.minimize(f, place, method="BFGS", jac=slope, options={"gtol": 1e-3})
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


def _at(data: TwoScores, parts: int, level: int, r: float, free: Floats) -> Floats:
    """Restricted deviance at each row of log standard deviations and the other levels' correlations on Fisher's scale."""
    sd = np.exp(free[:, : 2 * parts]).reshape(-1, parts, 2)
    cor = np.insert(np.tanh(free[:, 2 * parts :]), level, r, axis=1)
    covs = np.empty((len(free), parts, 2, 2))
    covs[..., 0, 0], covs[..., 1, 1] = sd[..., 0] ** 2, sd[..., 1] ** 2
    covs[..., 0, 1] = covs[..., 1, 0] = cor * sd[..., 0] * sd[..., 1]
    return deviances(data, covs[:, 0], [covs[:, k] for k in range(1, parts)])
