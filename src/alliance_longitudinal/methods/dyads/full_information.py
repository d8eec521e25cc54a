"""Actor and partner effects by full-information maximum likelihood: every member who has some value counts."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.errors import FitError
from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.fiml.fit import MomentFit, fit_moments
from alliance_longitudinal.methods.fiml.patterns import Patterns, patterns
from alliance_longitudinal.methods.fiml.robust import jackknife, sandwich, scores
from alliance_longitudinal.methods.fiml.saturated import saturated
from alliance_longitudinal.methods.fiml.structure import Builder, Structure


@dataclass(frozen=True, slots=True)
class Full:
    """Coefficients by name and member (intercepts, actor, partner, covariates), and the variances and correlation of the residuals.

    Attributes
    ----------
    beta : float array, shape (p,)
        By part and, with roles, by role within a part.
    cov : float array, shape (p, p)
    variance : float array, shape (roles,)
        Of the residuals.
    rho, deviance : float
    converged : bool
    """

    beta: Floats
    cov: Floats
    variance: Floats
    rho: float
    deviance: float
    converged: bool


def cases(slot: Codes, case: Codes, columns: Floats, partner: Floats) -> Floats:
    """One row per case: the own columns of both members, then their outcomes; missing where a member or value is.

    Parameters
    ----------
    slot : int array, shape (n,)
        0 or 1: which member a row is.
    columns : float array, shape (n, 1 + q + 1)
        Rating, covariates, outcome.
    partner : float array, shape (n,)
        The other member's rating, for a member who has no row.
    """
    n, k = int(case.max()) + 1, columns.shape[1]
    out = np.full((n, 2, k), np.nan)
    out[case, slot] = columns
    other = np.full((n, 2), np.nan)
    other[case, 1 - slot] = partner
    out[:, :, 0] = np.where(np.isnan(out[:, :, 0]), other, out[:, :, 0])
    return np.column_stack([out[:, 0, :-1], out[:, 1, :-1], out[:, :, -1]])


def fit_full(
    values: Floats, *, roles: bool, equal_effects: bool, cluster: Codes | None, jackknifed: bool = False
) -> Full:
    """Fit the joint normal model of both members' ratings, covariates and outcomes.

    Parameters
    ----------
    values : float array, shape (n, 2 (1 + q) + 2)
        As `cases` makes them.
    roles : bool
        Whether members differ; otherwise means, variances and covariances of the members are equal.
    equal_effects : bool
        With roles: whether the two equations of the outcome are equal all the same.
    cluster : int array of shape (n,), or None
        Groups of cases: standard errors by the sandwich of their scores.
    jackknifed : bool
        By leaving out one group at a time instead.

    Raises
    ------
    FitError
        If the likelihood has no maximum that can be found.
    """
    data = patterns(values)
    spec = structure(data, roles=roles, equal_effects=equal_effects or not roles)
    fit = fit_moments(data, spec, saturated(data))
    if not fit.certificate.valid:
        raise FitError(
            "The actor-partner model by full information did not converge. " + fit.certificate.text
        )
    q = (data.p - 2) // 2 - 1
    of = [""] if equal_effects or not roles else ["_1", "_2"]
    parts = ["mean_y", "actor", "partner", *(f"c{k}" for k in range(q))]
    names = [f"{part}{member}" for part in parts for member in of]
    return _result(fit, values, names, of, cluster, jackknifed)


def _result(
    fit: MomentFit, values: Floats, names: list[str], of: list[str], cluster: Codes | None, jackknifed: bool
) -> Full:
    every = fit.covariance
    if cluster is not None:
        known = ~np.isnan(values).all(axis=1)
        codes = np.unique(cluster[known], return_inverse=True)[1].astype(np.int64)
        if jackknifed:
            try:
                every = jackknife(values[known], fit.spec, fit.free, codes)
            except np.linalg.LinAlgError:
                raise FitError(
                    "Without one of the groups the model cannot be fitted. Give more groups, or leave 'group' out."
                ) from None
        else:
            every = sandwich(every, scores(values[known], fit.spec, fit.free), codes)
    order = list(fit.spec.names)
    at = [order.index(name) for name in names]
    variance = np.array([fit.free[order.index(f"var_y{member}")] for member in of])
    both = np.sqrt(variance[0] * variance[-1])
    return Full(
        fit.free[at],
        every[np.ix_(at, at)],
        variance,
        float(fit.free[order.index("cov_y")] / both),
        fit.deviance,
        fit.converged,
    )


def structure(data: Patterns, *, roles: bool, equal_effects: bool) -> Structure:
    """Outcomes on both members' ratings and the own covariates; all of these covary freely."""
    own = (data.p - 2) // 2
    items = tuple(f"v{k}" for k in range(data.p))
    builder = Builder(items, items)
    y = 2 * own
    for k in range(data.p):
        builder.fix("loading", k, k, 1.0)

    def member(name: str, which: int, *, equal: bool) -> str:
        return name if equal else f"{name}_{which + 1}"

    for s in (0, 1):
        for k in range(own):
            at = s * own + k
            builder.free("factor_mean", at, 0, float(data.mean[at]), member(f"mean_v{k}", s, equal=not roles))
        builder.free(
            "factor_mean", y + s, 0, float(data.mean[y + s]), member("mean_y", s, equal=equal_effects)
        )
        builder.free("path", y + s, s * own, 0.0, member("actor", s, equal=equal_effects))
        builder.free("path", y + s, (1 - s) * own, 0.0, member("partner", s, equal=equal_effects))
        for k in range(1, own):
            builder.free("path", y + s, s * own + k, 0.0, member(f"c{k - 1}", s, equal=equal_effects))
        start = float(data.variance[y + s])
        builder.free("factor_cov", y + s, y + s, start, member("var_y", s, equal=equal_effects))
    builder.free("factor_cov", y + 1, y, 0.0, "cov_y")
    for i in range(2 * own):
        for j in range(i + 1):
            start = float(data.variance[i]) if i == j else 0.0
            builder.free("factor_cov", i, j, start, _shared(i, j, own, roles=roles))
    return builder.build()


def _shared(i: int, j: int, own: int, *, roles: bool) -> str:
    """Name of a covariance of two predictors; without roles, swapping the members changes nothing."""
    if roles:
        return f"cov_{i}_{j}"
    (s, a), (t, b) = divmod(i, own), divmod(j, own)
    low, high = sorted((a, b))
    return f"cov_{low}_{high}_{'same' if s == t else 'other'}"
