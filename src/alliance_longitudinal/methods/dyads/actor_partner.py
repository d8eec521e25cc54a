"""Actor and partner effects: what one's own and the other's rating say of the outcome of each member of a case."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.curvature import hessian, jacobian, lowest
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_once,
    groups,
    names_of,
)
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.sentences import say


class Distinguishable(NamedTuple):
    """Likelihood-ratio test of equal means, effects and variances of all roles (ML)."""

    chi2: float
    df: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class ActorPartner(Estimates):
    """Actor and partner effects.

    Attributes
    ----------
    actor, partner : float or Series
        With roles a Series by role.
    distinguishable : Distinguishable or None
        Test that roles differ; None without roles.
    rho : float
        Correlation of the residuals of two members of a case.
    sigma : float or Series
        Residual standard deviation; with roles by role.
    llf : float
        Restricted log-likelihood, with the constants of R's nlme.
    n, cases, n_dropped : int
    """

    actor: "float | pd.Series"
    partner: "float | pd.Series"
    distinguishable: Distinguishable | None
    rho: float
    sigma: "float | pd.Series"
    llf: float
    n: int
    cases: int
    n_dropped: int

    def _title(self) -> str:
        return "Actor and partner effects"

    def _facts(self) -> list[str]:
        facts = [
            f"{self.n} persons in {self.cases} cases, {self.n_dropped} rows without a value; residual correlation {self.rho:.4f}"
        ]
        if self.distinguishable is not None:
            chi2, df, p = self.distinguishable
            facts.append(f"Roles differ: chi2({df}) = {chi2:.2f}, p = {p:.4f}")
        return facts


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows by case and role. The residuals of a case have standard deviations by role and one correlation."""

    y: Floats
    x: Floats
    case: Codes
    size: Floats
    role: Codes

    @property
    def roles(self) -> int:
        return int(self.role.max()) + 1

    def white(self, theta: Floats) -> tuple[Floats, Floats, float]:
        """Rows whose residuals are independent with variance sigma2, and the log-determinant of the covariance over sigma2.

        theta is the correlation on its scale (see `rho_of`), then the log ratios of the other roles' standard deviations to the first.
        """
        rho = rho_of(theta[0], float(self.size.max()))
        ratio = np.exp(np.concatenate([[0.0], theta[1:]]))[self.role]
        m = self.size
        shrink = 1 - np.sqrt((1 - rho) / (1 + (m - 1) * rho))
        rows = np.column_stack([self.y, self.x]) / ratio[:, None]
        sums = np.column_stack([np.bincount(self.case, c, len(m)) for c in rows.T])
        rows = (rows - (shrink / m)[self.case, None] * sums[self.case]) / np.sqrt(1 - rho)
        logdet = 2 * float(np.log(ratio).sum()) + float(
            np.sum((m - 1) * np.log1p(-rho) + np.log1p((m - 1) * rho))
        )
        return rows[:, 0], rows[:, 1:], logdet


def rho_of(value: float, largest: float) -> float:
    """A correlation between ``-1 / (largest - 1)`` and 1 from a number without limits."""
    low = -1 / (largest - 1)
    return float(low + (1 - low) / (1 + np.exp(-value)))


@dataclass(frozen=True, slots=True)
class _Fit:
    theta: Floats
    beta: Floats
    cov: Floats
    sigma2: float
    deviance: float


def _solve(pairs: _Pairs, theta: Floats, reml: bool) -> _Fit:
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
    return _Fit(theta, beta, cov * squares / free, squares / free, float(deviance))


def _fit(pairs: _Pairs, reml: bool) -> _Fit:
    starts = [np.r_[value, np.zeros(pairs.roles - 1)] for value in (0.0, 1.0)]
    theta = lowest(lambda t: _solve(pairs, t, reml).deviance, starts, "The actor-partner model")
    return _solve(pairs, theta, reml)


def _satterthwaite(pairs: _Pairs, fit: _Fit) -> Floats:
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


def actor_partner(
    frame: pd.DataFrame,
    y: str,
    x: str,
    partner_x: str,
    person: str,
    case: str,
    role: str | None = None,
) -> ActorPartner:
    """Effects of one's own (actor) and of the other member's rating (partner) on an outcome.

    ``y = b0 + actor x + partner x' + e``; the residuals of the members of a case correlate by ``rho``, which may be negative,
    and with roles (woman and man, adolescent and parent) every role has its own means, effects and residual variance
    (Kenny, Kashy & Cook 2006, Dyadic Data Analysis, chapter 7). REML, with Satterthwaite's degrees of freedom. The test of
    distinguishable roles compares both models by maximum likelihood.

    Parameters
    ----------
    frame : DataFrame
        One row per person, with the other member's rating in ``partner_x``. Not changed. Rows with a missing value are left out;
        a member who is left alone in a case stays.
    y, x, partner_x : str
        Outcome, own rating, the other member's rating.
    person, case : str
        Columns: a person comes once in a case.
    role : str, optional
        Column of roles: each role at most once in a case.

    Returns
    -------
    ActorPartner
        ``params``: ``intercept, actor, partner``, with roles ``intercept_<role>`` and so on.

    Raises
    ------
    DataError
        If columns are missing, a person or a role comes twice in a case, no case has two members, or a rating does not vary.
    FitError
        If the model does not converge.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> own = rng.normal(size=(60, 2))
    >>> out = 0.5 * own + 0.2 * own[:, ::-1] + rng.normal(size=(60, 1)) + rng.normal(size=(60, 2))
    >>> couples = pd.DataFrame({"couple": np.repeat(range(60), 2), "person": range(120), "own": own.ravel(),
    ...                         "other": own[:, ::-1].ravel(), "outcome": out.ravel()})
    >>> found = methods.actor_partner(couples, "outcome", "own", "other", "person", "couple")
    >>> round(found.actor, 2), round(found.partner, 2), round(found.rho, 2)
    (0.56, 0.36, 0.32)
    """
    numeric = {"y": y, "x": x, "partner_x": partner_x}
    ids = {"case": case, "person": person} | ({} if role is None else {"role": role})
    names_of([*numeric.values(), case, person], "the arguments")
    check_columns(frame, [*numeric.values(), *ids.values()])
    labels = _roles(frame, case, person, role)
    rows = complete_rows(frame, numeric, ids, least=6)
    for name, column in numeric.items():
        check_varies(
            rows.values(name), column, "Actor and partner effects need values that differ between persons."
        )
    code, _ = pd.factorize(rows.data["case"])
    size = np.bincount(code).astype(float)
    if size.max() < 2:
        raise DataError(f"No {case} has two members with all values. Actor and partner effects need pairs.")
    alike = _Pairs(
        rows.values("y"),
        _design(rows.data, None),
        code.astype(np.int64),
        size,
        np.zeros(len(code), dtype=np.int64),
    )
    if np.linalg.matrix_rank(alike.x) < 3:
        raise DataError(f"{x!r} and {partner_x!r} determine each other. Their effects cannot be separated.")
    findings = _alone(size, case)
    if role is None:
        return _result(alike, _fit(alike, reml=True), ("",), None, rows.n_dropped, findings)
    roles = rows.data["role"].map({f"g{k}": k for k in range(len(labels))}).to_numpy(np.int64)
    apart = _Pairs(alike.y, _design(rows.data, roles), alike.case, size, roles)
    if len(np.unique(roles)) < len(labels) or np.linalg.matrix_rank(apart.x) < apart.x.shape[1]:
        raise DataError(f"Too few persons of one {role} have all values. Leave role out, or give more cases.")
    ratio = max(_fit(alike, reml=False).deviance - _fit(apart, reml=False).deviance, 0.0)
    df = 4 * (len(labels) - 1)
    test = Distinguishable(ratio, df, float(distributions.chi2.sf(ratio, df)))
    return _result(apart, _fit(apart, reml=True), labels, test, rows.n_dropped, findings)


def _roles(frame: pd.DataFrame, case: str, person: str, role: str | None) -> tuple[str, ...]:
    """Names of the roles, after the checks of persons and roles in cases."""
    cases, ids = groups(frame, case)
    people, _ = groups(frame, person)
    check_once(cases, people.astype(float), ids, case, person)
    if role is None:
        return ()
    roles, names = groups(frame, role)
    if len(names) < 2:
        raise DataError(f"Column {role!r} holds one role only. Leave role out.")
    check_once(cases, roles.astype(float), ids, case, role)
    return tuple(str(name) for name in names)


def _design(data: pd.DataFrame, roles: Codes | None) -> Floats:
    plain = np.column_stack([np.ones(len(data)), data["x"], data["partner_x"]]).astype(float)
    if roles is None:
        return plain
    return np.column_stack(
        [plain[:, [k]] * (roles == r)[:, None] for k in range(3) for r in range(int(roles.max()) + 1)]
    )


def _result(
    pairs: _Pairs,
    fit: _Fit,
    labels: tuple[str, ...],
    test: Distinguishable | None,
    n_dropped: int,
    findings: tuple[Finding, ...],
) -> ActorPartner:
    names = [
        f"{part}_{label}" if label else part for part in ("intercept", "actor", "partner") for label in labels
    ]
    k = len(labels)

    def by_role(values: Floats) -> Any:
        return float(values[0]) if labels == ("",) else pd.Series(values, index=list(labels))

    sigma = np.sqrt(fit.sigma2) * np.exp(np.concatenate([[0.0], fit.theta[1:]]))
    return ActorPartner(
        params=pd.Series(fit.beta, index=names, name="estimate"),
        covariance=fit.cov,
        dof=_satterthwaite(pairs, fit),
        findings=findings,
        actor=by_role(fit.beta[k : 2 * k]),
        partner=by_role(fit.beta[2 * k :]),
        distinguishable=test,
        rho=rho_of(fit.theta[0], float(pairs.size.max())),
        sigma=by_role(sigma),
        llf=-fit.deviance / 2,
        n=len(pairs.y),
        cases=len(pairs.size),
        n_dropped=n_dropped,
    )


def _alone(size: Floats, case: str) -> tuple[Finding, ...]:
    alone = int((size == 1).sum())
    if not alone:
        return ()
    message = say(
        "{n:noun} {n:has|have} one member with all values. They add to the effects, but not to the correlation within a {case}.",
        n=Count(alone, "case"),
        case=case,
    )
    return (Finding("members_alone", "info", message),)
