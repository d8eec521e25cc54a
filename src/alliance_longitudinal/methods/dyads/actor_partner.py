"""Actor and partner effects: what one's own and the other's rating say of the outcome of each member of a case."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_once,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.methods.dyads.pairs import Fit, Pairs, fit_pairs, rho_of, satterthwaite
from alliance_longitudinal.sentences import say

Missing = Literal["listwise", "fiml"]


class Distinguishable(NamedTuple):
    """Likelihood-ratio test (by ML) that means, effects and variances are the same for all roles."""

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
    distinguishable_few : Distinguishable or None
        The same for few cases: the statistic times ``1 - c / n``, with n cases of two members and more and ``c`` the coefficients of a role
        plus half the number of roles (Bartlett's correction). With 40 cases and a covariate the uncorrected test rejects equal roles in
        9 % instead of 5 %, with 20 in 17 %; the corrected one in 4 to 5 %.
    rho : float
        Correlation of the residuals of two members of a case.
    sigma : float or Series
        Residual standard deviation; with roles by role.
    group_sd : float
        Standard deviation of the effects of the groups; missing without groups.
    llf : float
        Restricted log-likelihood, with the constants of R's nlme; by full information that of all members' values.
    n, cases, n_dropped : int
    """

    actor: "float | pd.Series"
    partner: "float | pd.Series"
    distinguishable: Distinguishable | None
    distinguishable_few: Distinguishable | None
    rho: float
    sigma: "float | pd.Series"
    group_sd: float
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


def actor_partner(
    frame: pd.DataFrame,
    y: str,
    x: str,
    partner_x: str,
    person: str,
    case: str,
    role: str | None = None,
    *,
    covariates: str | Sequence[str] = (),
    group: str | None = None,
    missing: Missing = "listwise",
    few: bool = False,
) -> ActorPartner:
    """Effects of one's own (actor) and of the other member's rating (partner) on an outcome.

    ``y = b0 + actor x + partner x' + e``; the residuals of the members of a case correlate at ``rho``, which
    may be negative. With roles (woman and man, adolescent and parent), every role has its own means, effects
    and residual variance (Kenny, Kashy & Cook 2006, Dyadic Data Analysis, chapter 7). The model is fitted by
    REML, with Satterthwaite's degrees of freedom. The test of distinguishable roles compares both models by
    maximum likelihood.

    With ``missing="fiml"``, both members' ratings, covariates and outcomes are jointly normal, and every member
    with at least one value contributes. Standard errors come from the observed information, and tests use the
    normal distribution. Without roles, the members' means and covariances are equal, so that it does not matter
    who is first.

    Parameters
    ----------
    frame : DataFrame
        One row per person, with the other member's rating in ``partner_x``. Not changed. Rows with a missing
        value are left out (``"listwise"``); a member whose partner is left out stays.
    y, x, partner_x : str
        Outcome, own rating, the other member's rating.
    person, case : str
        Columns; a person occurs once in a case.
    role : str, optional
        Column of roles; each role occurs at most once in a case.
    covariates : str or sequence of str
        Numeric columns of each person, with an effect on the person's own outcome; by role, if there are roles.
    group : str, optional
        Groups of cases, such as therapists: a random effect that all rows of a group share. With ``"fiml"``,
        standard errors come from the sandwich of the groups' scores, and the degrees of freedom are the number
        of groups minus one.
    missing : {"listwise", "fiml"}
        ``"fiml"`` assumes values missing at random, and needs cases of two members.
    few : bool
        With ``"fiml"``, standard errors for few cases. With groups they come from leaving out one group at a
        time (jackknife) instead of the sandwich, whose errors are too small with few groups. Without groups,
        the covariance is multiplied by ``m / (m - k)`` and has ``m - k`` degrees of freedom, with m cases that
        have both outcomes and k coefficients of a member. REML needs neither.

    Returns
    -------
    ActorPartner
        ``params``: ``intercept, actor, partner`` and the covariates, with roles ``intercept_<role>`` and so on.

    Raises
    ------
    DataError
        If columns are missing, a person or a role occurs twice in a case, no case has two members, or a rating
        does not vary.
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
    extra = (covariates,) if isinstance(covariates, str) else tuple(covariates)
    numeric = {"y": y, "x": x, "partner_x": partner_x} | {f"c{k}": c for k, c in enumerate(extra)}
    ids = {"case": case, "person": person} | ({} if role is None else {"role": role})
    ids |= {} if group is None else {"group": group}
    if missing not in get_args(Missing):
        raise DataError(f"missing is {missing!r}. It is 'listwise' or 'fiml'.")
    names_of([*numeric.values(), case, person, *([] if group is None else [group])], "the arguments")
    check_columns(frame, [*numeric.values(), *ids.values()])
    labels = _roles(frame, case, person, role)
    if missing == "fiml":
        return _full(frame, numeric, ids, labels, extra, few=few)
    rows = complete_rows(frame, numeric, ids, least=6)
    for name, column in numeric.items():
        check_varies(
            rows.values(name), column, "Actor and partner effects need values that differ between persons."
        )
    code, _ = pd.factorize(rows.data["case"])
    size = np.bincount(code).astype(float)
    if size.max() < 2:
        raise DataError(f"No {case} has two members with all values. Actor and partner effects need pairs.")
    together = None if group is None else _groups(rows.data, case, group)
    design = _design(rows.data, None, len(extra))
    alike = Pairs(
        rows.values("y"), design, code.astype(np.int64), size, np.zeros(len(code), dtype=np.int64), together
    )
    if np.linalg.matrix_rank(alike.x) < alike.x.shape[1]:
        raise DataError(
            f"{x!r} and {partner_x!r} determine each other{' or a covariate' if extra else ''}. Their effects cannot be separated."
        )
    findings = _alone(size, case)
    if role is None:
        return _result(
            alike, fit_pairs(alike, reml=True), ("",), extra, (None, None), rows.n_dropped, findings
        )
    roles = rows.data["role"].map({f"g{k}": k for k in range(len(labels))}).to_numpy(np.int64)
    apart = replace(alike, x=_design(rows.data, roles, len(extra)), role=roles)
    if len(np.unique(roles)) < len(labels) or np.linalg.matrix_rank(apart.x) < apart.x.shape[1]:
        raise DataError(f"Too few persons of one {role} have all values. Leave role out, or give more cases.")
    ratio = max(fit_pairs(alike, reml=False).deviance - fit_pairs(apart, reml=False).deviance, 0.0)
    test = _tests(ratio, len(labels), len(extra), int((size >= 2).sum()))
    return _result(apart, fit_pairs(apart, reml=True), labels, extra, test, rows.n_dropped, findings)


def _tests(ratio: float, roles: int, covariates: int, n: int) -> tuple[Distinguishable, Distinguishable]:
    """The likelihood-ratio test, and the same for few cases."""
    df = (4 + covariates) * (roles - 1)
    less = max(1 - (3 + covariates + roles / 2) / n, 0.0)
    one, few = (Distinguishable(x, df, float(distributions.chi2.sf(x, df))) for x in (ratio, less * ratio))
    return one, few


def _groups(data: pd.DataFrame, case: str, group: str) -> Codes:
    """Codes of the groups; a case lies in one of them."""
    if data[["case", "group"]].drop_duplicates()["case"].duplicated().any():
        raise DataError(f"A {case} lies in more than one {group}. Give each {case} one {group}.")
    codes, _ = pd.factorize(data["group"])
    return np.asarray(codes, dtype=np.int64)


def _full(
    frame: pd.DataFrame,
    numeric: dict[str, str],
    ids: dict[str, str],
    labels: tuple[str, ...],
    extra: tuple[str, ...],
    *,
    few: bool,
) -> ActorPartner:
    """The model by full information."""
    from alliance_longitudinal.methods.dyads.full_information import cases, fit_full

    values = {name: numbers(frame, column) for name, column in numeric.items()}
    code = groups(frame, ids["case"])[0]
    if int(np.bincount(code).max()) > 2 or len(labels) > 2:
        raise DataError("missing='fiml' needs cases of two members. Use missing='listwise' for larger ones.")
    if labels:
        slot = groups(frame, ids["role"])[0]
    else:
        slot = pd.Series(code).groupby(code).cumcount().to_numpy(np.int64)
    columns = np.column_stack([values["x"], *(values[f"c{k}"] for k in range(len(extra))), values["y"]])
    wide = cases(slot, code, columns, values["partner_x"])
    known = ~np.isnan(wide)
    both = int((known[:, -2:].all(axis=1)).sum())
    if both < 6:
        raise DataError(
            "Fewer than six cases have the outcomes of both members. Full information needs more."
        )
    for at, column in ((0, numeric["x"]), (wide.shape[1] - 2, numeric["y"])):
        check_varies(
            wide[known[:, at], at],
            column,
            "Actor and partner effects need values that differ between persons.",
        )
    cluster = None
    if "group" in ids:
        of = pd.DataFrame({"case": code, "group": groups(frame, ids["group"])[0]})
        cluster = _groups(of, ids["case"], ids["group"])[np.unique(code, return_index=True)[1]]
    every = np.ones(len(labels) or 1)
    found = fit_full(wide, roles=bool(labels), equal_effects=False, cluster=cluster, jackknifed=few)
    test: tuple[Distinguishable | None, Distinguishable | None] = (None, None)
    if labels:
        equal = fit_full(wide, roles=True, equal_effects=True, cluster=None)
        test = _tests(max(equal.deviance - found.deviance, 0.0), 2, len(extra), both)
    dof, wider = np.inf, 1.0
    if cluster is not None:
        dof = float(len(np.unique(cluster)) - 1)
    elif few:
        dof = max(both - len(found.beta) / 2, 1.0)
        wider = both / dof
    empty = int(np.isnan(columns).all(axis=1).sum())
    members = labels or ("",)
    return ActorPartner(
        params=pd.Series(found.beta, index=_names(members, extra), name="estimate"),
        covariance=found.cov * wider,
        dof=dof,
        findings=(),
        actor=_by_role(found.beta[len(every) : 2 * len(every)], members),
        partner=_by_role(found.beta[2 * len(every) : 3 * len(every)], members),
        distinguishable=test[0],
        distinguishable_few=test[1],
        rho=found.rho,
        sigma=_by_role(np.sqrt(found.variance), members),
        group_sd=float("nan"),
        llf=-found.deviance / 2,
        n=len(frame) - empty,
        cases=len(np.unique(code)),
        n_dropped=empty,
    )


def _names(labels: tuple[str, ...], extra: tuple[str, ...]) -> list[str]:
    parts = ("intercept", "actor", "partner", *extra)
    return [f"{part}_{label}" if label else part for part in parts for label in labels]


def _by_role(values: Floats, labels: tuple[str, ...]) -> Any:
    return float(values[0]) if labels == ("",) else pd.Series(values, index=list(labels))


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


def _design(data: pd.DataFrame, roles: Codes | None, covariates: int) -> Floats:
    own = [data[f"c{k}"] for k in range(covariates)]
    plain = np.column_stack([np.ones(len(data)), data["x"], data["partner_x"], *own]).astype(float)
    if roles is None:
        return plain
    return np.column_stack(
        [
            plain[:, [k]] * (roles == r)[:, None]
            for k in range(plain.shape[1])
            for r in range(int(roles.max()) + 1)
        ]
    )


def _result(
    pairs: Pairs,
    fit: Fit,
    labels: tuple[str, ...],
    extra: tuple[str, ...],
    test: tuple[Distinguishable | None, Distinguishable | None],
    n_dropped: int,
    findings: tuple[Finding, ...],
) -> ActorPartner:
    k = len(labels)
    sigma = np.sqrt(fit.sigma2) * np.exp(np.concatenate([[0.0], fit.theta[1:k]]))
    group_sd = float("nan") if pairs.group is None else float(np.sqrt(fit.sigma2) * abs(fit.theta[-1]))
    return ActorPartner(
        params=pd.Series(fit.beta, index=_names(labels, extra), name="estimate"),
        covariance=fit.cov,
        dof=satterthwaite(pairs, fit),
        findings=findings,
        actor=_by_role(fit.beta[k : 2 * k], labels),
        partner=_by_role(fit.beta[2 * k : 3 * k], labels),
        distinguishable=test[0],
        distinguishable_few=test[1],
        rho=rho_of(fit.theta[0], float(pairs.size.max())),
        sigma=_by_role(sigma, labels),
        group_sd=group_sd,
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
