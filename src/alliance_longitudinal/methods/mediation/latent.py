"""Mediation between groups: a cause of the group, a mediator and an outcome of its members."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.curvature import hessian, jacobian, lowest
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, groups, names_of, numbers
from alliance_longitudinal.methods.basics.rows import check_varies
from alliance_longitudinal.methods.basics.two_scores import TwoScores, quadratic, solve, two_scores
from alliance_longitudinal.sentences import say

_NAMES = ("a", "b_between", "b_within", "c_prime", "indirect", "contextual")
_FEW = 50
_DRAWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class LatentMediation(Estimates):
    """Paths between groups and within them.

    Attributes
    ----------
    llf : float
        Log-likelihood.
    between, within : DataFrame
        Covariances of ``m`` and ``y`` between groups (given the cause) and within them.
    n, groups, n_dropped : int
        Rows used, groups, and rows left out: without the cause, or without both scores.
    """

    llf: float
    between: pd.DataFrame
    within: pd.DataFrame
    n: int
    groups: int
    n_dropped: int
    _draws: Floats = field(repr=False)

    def _title(self) -> str:
        return "Mediation between groups (2-1-1), latent group means"

    def _facts(self) -> list[str]:
        return [
            f"{self.n} rows in {self.groups} groups, {self.n_dropped} left out; Monte Carlo interval of the indirect effect"
        ]

    def _limits(self, alpha: float) -> pd.DataFrame:
        limits = Estimates._limits(self, alpha)
        limits.loc["indirect"] = np.quantile(self._draws, [alpha / 2, 1 - alpha / 2])
        return limits


def latent_mediation(
    frame: pd.DataFrame, x: str, m: str, y: str, group: str, *, seed: int = 0
) -> LatentMediation:
    """Indirect effect of a group characteristic through the group mean of a mediator.

    A cause that does not vary within groups acts only between groups. The model uses latent group means,
    because the observed ones are unreliable: ``m_j = d_M + a x_j + u_j``,
    ``y_j = d_Y + b_between m_j + c' x_j + v_j``, and within groups ``y = b_within m + e`` (Preacher, Zyphur &
    Zhang 2010, doi 10.1037/a0020141). It is fitted by maximum likelihood, with standard errors from the
    observed information. ``indirect = a b_between`` has a Monte Carlo interval;
    ``contextual = b_between - b_within``. A row with only one of ``m`` and ``y`` contributes that value.

    Parameters
    ----------
    frame : DataFrame
        One row per member. Not changed.
    x, m, y : str
        Cause (constant within groups), mediator, outcome.
    group : str
        Column of groups, such as therapists.
    seed : int
        Seed for the Monte Carlo interval.

    Returns
    -------
    LatentMediation
        ``params``: ``a, b_between, b_within, c_prime, indirect, contextual``.

    Raises
    ------
    DataError
        If columns are missing, the cause varies within a group, or there are too few groups or the groups are
        too small.
    FitError
        If the model does not converge, or the mediator does not differ between groups.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> g = np.repeat(range(80), 10)
    >>> x = rng.normal(size=80)
    >>> between = 0.5 * x + rng.normal(size=80)
    >>> m = between[g] + rng.normal(size=800)
    >>> y = (0.4 * between + 0.2 * x + 0.5 * rng.normal(size=80))[g] + 0.1 * (m - between[g]) + rng.normal(size=800)
    >>> found = methods.latent_mediation(pd.DataFrame({"g": g, "x": x[g], "m": m, "y": y}), "x", "m", "y", "g")
    >>> found.params.round(2)[["a", "b_between", "b_within"]].to_dict()
    {'a': 0.51, 'b_between': 0.24, 'b_within': 0.1}
    """
    data, n, dropped = _read(frame, x, m, y, group)
    roots = _fit(data)
    unit, between = _covariances(roots)
    if between[0, 0] < 1e-6 * unit[0, 0]:
        raise FitError(
            f"{m!r} does not differ between groups beyond chance. An indirect effect through it cannot be estimated."
        )
    solved = solve(data, unit, [between], reml=False)
    point = np.r_[solved.beta.ravel(), roots]
    information = hessian(lambda p: _joint(data, p), point) / 2
    spread = np.linalg.pinv(information, hermitian=True)
    slope = jacobian(_effects, point)
    covariance = slope @ spread @ slope.T
    values = _effects(point)
    draws = np.random.default_rng(seed).multivariate_normal(
        values[:2], covariance[:2, :2], _DRAWS, method="eigh"
    )
    names = ["m", "y"]
    return LatentMediation(
        params=pd.Series(values, index=list(_NAMES), name="estimate"),
        covariance=covariance,
        findings=_findings(len(data.x), between),
        llf=-solved.deviance / 2,
        between=pd.DataFrame(between, index=names, columns=names),
        within=pd.DataFrame(unit, index=names, columns=names),
        n=n,
        groups=len(data.x),
        n_dropped=dropped,
        _draws=draws[:, 0] * draws[:, 1],
    )


def _read(frame: pd.DataFrame, x: str, m: str, y: str, group: str) -> tuple[TwoScores, int, int]:
    names_of([x, m, y, group], "the arguments")
    check_columns(frame, [x, m, y, group])
    cause, first, second = (numbers(frame, name) for name in (x, m, y))
    code, _ = groups(frame, group)
    kept = ~np.isnan(cause) & ~(np.isnan(first) & np.isnan(second))
    cause, first, second = cause[kept], first[kept], second[kept]
    code = pd.factorize(code[kept])[0].astype(np.int64)
    by_group = pd.Series(cause).groupby(code)
    if len(cause) and float((by_group.max() - by_group.min()).max()) > 0:
        raise DataError(
            f"{x!r} varies within {group!r}. The cause of a mediation between groups has one value per group."
        )
    n_groups = by_group.ngroups
    if n_groups < 6:
        raise DataError(f"There are {n_groups} groups with values. At least six are needed.")
    values = by_group.first().to_numpy(float)
    check_varies(values, x, "A cause has to differ between groups.")
    both = ~np.isnan(first) & ~np.isnan(second)
    if (np.bincount(code[both], minlength=n_groups) > 1).sum() < 2:
        raise DataError(
            f"Fewer than two groups have two rows with both {m!r} and {y!r}. What is within groups cannot be seen."
        )
    for name, column in ((m, first), (y, second)):
        check_varies(column[~np.isnan(column)], name, "A path needs values that vary.")
    return (
        two_scores(first, second, code, (), np.column_stack([np.ones(n_groups), values])),
        len(cause),
        int((~kept).sum()),
    )


def _covariances(roots: Floats) -> tuple[Floats, Floats]:
    a, b = (np.array([[r[0], 0.0], [r[1], r[2]]]) for r in roots.reshape(2, 3))
    return a @ a.T, b @ b.T


def _fit(data: TwoScores) -> Floats:
    """Roots of the covariances within and between groups that make the likelihood largest."""
    n, s = data.counts.sum(axis=0), data.squares
    total = data.sums.sum(axis=0)
    sds = [
        float(np.sqrt((s[i] + s[j]) / k - (t / k) ** 2))
        for i, j, k, t in ((0, 3, n[0] + n[1], total[0] + total[2]), (2, 4, n[0] + n[2], total[1] + total[3]))
    ]
    scale = np.array([sds[0], sds[1], sds[1]] * 2)
    starts = [np.r_[0.9, 0.0, 0.9, 0.4, 0.0, 0.4], np.r_[0.6, 0.1, 0.6, 0.7, 0.1, 0.7]]

    def f(r: Floats) -> float:
        unit, between = _covariances(r * scale)
        return solve(data, unit, [between], reml=False).deviance

    return scale * lowest(f, starts, "The mediation model")


def _joint(data: TwoScores, point: Floats) -> float:
    """-2 log-likelihood at given coefficients and roots."""
    unit, between = _covariances(point[4:])
    parts = quadratic(data, unit, [between])
    if parts is None:
        return float("inf")
    constant, right, information = parts
    return float(constant - 2 * right @ point[:4] + point[:4] @ information @ point[:4])


def _effects(point: Floats) -> Floats:
    """The estimates of `_NAMES` from coefficients and roots."""
    unit, between = _covariances(point[4:])
    a, total = point[1], point[3]
    b_between, b_within = between[0, 1] / between[0, 0], unit[0, 1] / unit[0, 0]
    return np.array([a, b_between, b_within, total - a * b_between, a * b_between, b_between - b_within])


def _findings(n: int, between: Floats) -> tuple[Finding, ...]:
    found = []
    if n < _FEW:
        message = say(
            "The effects between groups rest on {n:noun}, however many members they have. With fewer than {few} they are very uncertain.",
            n=Number(n, "integer", "group"),
            few=Number(_FEW, "integer"),
        )
        found.append(Finding("few_groups", "caution", message))
    if between[0, 1] ** 2 > (1 - 1e-6) * between[0, 0] * between[1, 1]:
        message = say(
            "Between groups the outcome has no variance of its own: its standard errors are not reliable."
        )
        found.append(Finding("boundary", "caution", message))
    return tuple(found)
