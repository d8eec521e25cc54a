"""How much each group bears on a fit: what changes when it is left out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Private
from alliance_longitudinal.engine.arrays import Array, Mask
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.diagnostics.leave_out import GroupPart, Tree, tree_of, without_each
from alliance_longitudinal.engine.diagnostics.refits_without import Without, refits_without
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.tables import varcorr_keys, varcorr_values
from alliance_longitudinal.engine.search.optimize import DESCENT
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: A Newton step that promises a gain above this, in deviance units, is too long for one step: the group is refitted. Below
#: it DFBETAS were within 0.003 of those of refits over 45 simulated groups with slopes at two levels.
LONG_STEP = 0.2
#: Groupings with more levels are not refitted level by level unless that is asked for.
MOST_REFITS = 200
_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Influence:
    """What leaving out each group of a grouping changes; frames by level of the grouping.

    Attributes
    ----------
    group, method : str
    frame : DataFrame
        ``rows, cook, covratio, refitted``. Cook's distance is that of Christensen, Pearson and Johnson (1992), Technometrics
        34:38-45, eq. 3: ``(b - b_i)' Cov(b)^-1 (b - b_i) / p`` with the covariance of the whole fit; ``b_i`` are the
        coefficients without the group. COVRATIO is ``det Cov(b_i) / det Cov(b)``: below 1 the group makes the
        coefficients less precise. ``refitted`` tells which groups were left out by a full refit.
    dfbetas : DataFrame
        ``(b - b_i) / se(b_i)`` by term (Belsley, Kuh and Welsch 1980): positive where the group raises the coefficient.
    params : DataFrame
        Coefficients without the group.
    varcorr : DataFrame
        Variances and covariances without the group; columns ``(group, term1, term2)`` as in a bootstrap.
    findings : tuple of Finding
    """

    group: str
    method: str
    frame: pd.DataFrame
    dfbetas: pd.DataFrame
    params: pd.DataFrame
    varcorr: pd.DataFrame
    findings: tuple[Finding, ...]


def influence(fit: MixedFit, group: str, method: str) -> Influence:
    """Leave out each group of a grouping.

    Parameters
    ----------
    group : str
        Name of a grouping of the model.
    method : {"auto", "one-step", "fixed", "refit"}
        The variances without the group by one Newton step from those of the whole fit (exact gradient), held as they are,
        or by a full refit. The first two are exact in all else at those variances, cost no refit, and need nested
        groupings. One step is close where no single group bears much on the variances; ``"auto"`` refits the groups for
        which the step promises more than `LONG_STEP`, and all (up to `MOST_REFITS`) where there is no such step.

    Raises
    ------
    FitError
        Unknown grouping; without ``method="refit"`` a step, or very many groups, where groupings are crossed or residuals
        have a structure.
    """
    names = [f.name for f in fit.design.factors]
    if group not in names:
        raise FitError(f"There is no grouping {group!r}. There are: {', '.join(names)}.")
    factor = fit.design.factors[names.index(group)]
    if method == "refit":
        found = refits_without(fit, factor, np.arange(factor.size))
    else:
        tree = tree_of(fit) if fit.residual is None else None
        if tree is not None:
            found = _at_once(fit, tree, names.index(group), method)
        elif method == "auto" and factor.size <= MOST_REFITS:
            found = refits_without(fit, factor, np.arange(factor.size))
        else:
            raise FitError(
                f"Groups of {group!r} can be left out without a refit only where all groupings are nested in each other and "
                f"the residuals are independent. Use method='refit', a refit for each of its {factor.size} groups."
            )
    return _measures(fit, factor, method, found)


def _measures(fit: MixedFit, factor: Factor, method: str, found: Without) -> Influence:
    levels, names = factor.levels, list(fit.design.names)
    change = fit.beta - found.beta
    cook = np.einsum("jp,jp->j", change @ np.linalg.inv(fit.cov), change) / len(names)
    ratio = np.exp(_logdet(found.cov) - np.linalg.slogdet(fit.cov)[1])
    se = np.sqrt(np.einsum("jpp->jp", found.cov))
    table = {
        "rows": np.bincount(factor.members[factor.members >= 0], minlength=factor.size),
        "cook": cook,
        "covratio": ratio,
        "refitted": found.refitted,
    }
    lost = [str(level) for level, value in zip(levels, cook, strict=True) if np.isnan(value)]
    findings: tuple[Finding, ...] = ()
    if lost:
        one = len(lost) == 1
        few = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
        each = f"each of these {len(lost)} groups"
        findings = (
            Finding(
                "influence_missing",
                "caution",
                say(
                    "Without {few} of {name} the model cannot be estimated: it rests on {them} alone for some coefficient or "
                    "variance.",
                    few=Private(few, "one group" if one else "some groups"),
                    name=factor.name,
                    them="this group" if one else Private(each, "each of these groups"),
                ),
                where=factor.name,
            ),
        )
    return Influence(
        factor.name,
        method,
        pd.DataFrame(table, index=levels),
        pd.DataFrame(change / se, index=levels, columns=names),
        pd.DataFrame(found.beta, index=levels, columns=names),
        pd.DataFrame(
            found.vcov, index=levels, columns=pd.MultiIndex.from_frame(varcorr_keys(fit.design).fillna(""))
        ),
        findings,
    )


def _logdet(cov: Array) -> Array:
    out = np.full(len(cov), np.nan)
    fine = np.isfinite(cov).all(axis=(1, 2))
    sign, value = np.linalg.slogdet(cov[fine])
    out[fine] = np.where(sign > 0, value, np.nan)
    return out


def _at_once(fit: MixedFit, tree: Tree, factor: int, method: str) -> Without:
    level = [step.factor for step in tree.steps].index(factor)
    best = fit.record.best
    order = [t for step in tree.steps for t in step.terms]
    left, _ = without_each(tree, list(best.relative), level)
    nu: Array = np.asarray(fit.blocks.n - tree.steps[level].rows - (tree.p if fit.reml else 0), dtype=float)
    theta = np.tile(best.theta, (len(nu), 1))
    promise = np.zeros(len(nu))
    if method != "fixed" and len(best.theta):
        step, promise = _newton(fit, tree, level, order, left, nu)
        theta = theta + step
    found = _estimates(fit, left, nu, theta, order)
    if method == "auto":
        lost = ~np.isfinite(found.beta).all(axis=1)
        again = np.flatnonzero((promise > LONG_STEP) | lost | _leaves_boundary(fit, left, nu, order))
        exact = refits_without(fit, fit.design.factors[factor], again)
        for mine, theirs in ((found.beta, exact.beta), (found.cov, exact.cov), (found.vcov, exact.vcov)):
            mine[again] = theirs[again]
        found.refitted[again] = True
    return found


def _newton(
    fit: MixedFit, tree: Tree, level: int, order: list[int], left: GroupPart, nu: Array
) -> tuple[Array, Array]:
    """Newton step of the Cholesky parameters without each group (J, m), and the gain in deviance it promises (J,).

    Hessians are central differences of the exact gradient.
    """
    best = fit.record.best
    m = len(best.theta)
    gradient = _gradient(fit, left, nu, best.theta, order)
    hessian: Array = np.empty((len(nu), m, m))
    for i in range(m):
        ends = []
        for sign in (1, -1):
            theta = best.theta.copy()
            theta[i] += sign * _STEP
            moved, _ = without_each(tree, best.face.covariances(theta), level)
            ends.append(_gradient(fit, moved, nu, theta, order))
        hessian[:, i] = (ends[0] - ends[1]) / (2 * _STEP)
    hessian = 0.5 * (hessian + hessian.transpose(0, 2, 1))
    fine = np.isfinite(hessian).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
    hessian[~fine], gradient[~fine] = np.eye(m), 0.0
    values, vectors = np.linalg.eigh(hessian)
    along = np.einsum("jmi,jm->ji", vectors, gradient)
    size = np.maximum(np.abs(values), 1e-8)
    return -np.einsum("jmi,ji->jm", vectors, along / size), np.sum(along**2 / size, axis=1)


def _gradient(fit: MixedFit, left: GroupPart, nu: Array, theta: Array, order: list[int]) -> Array:
    """Gradient of the criterion without each group in the Cholesky parameters, shape (J, m)."""
    return np.asarray(_entry_gradient(fit, left, nu, order) @ fit.record.best.face.jacobian(theta))


def _entry_gradient(fit: MixedFit, left: GroupPart, nu: Array, order: list[int]) -> Array:
    """Gradient of the criterion without each group in the covariances' entries, shape (J, entries)."""
    beta, cov, rss = _solved(left.s)
    r = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    drss = np.einsum("ja,jmab,jb->jm", r, left.ds, r)
    entries = left.dlogdet + (nu / rss)[:, None] * drss
    if fit.reml:
        entries = entries + np.einsum("jab,jmba->jm", cov, left.ds[:, :, :-1, :-1])
    return _in_face_order(fit, entries, order)


def _leaves_boundary(fit: MixedFit, left: GroupPart, nu: Array, order: list[int]) -> Mask:
    """Whether without a group the deviance falls off the boundary on which the whole fit lies, shape (J,)."""
    face, relative = fit.record.best.face, fit.record.best.relative
    out = np.zeros(len(nu), dtype=bool)
    entries = _entry_gradient(fit, left, nu, order)
    fine = np.flatnonzero(np.isfinite(entries).all(axis=1))
    for t, (size, rank) in enumerate(zip(face.sizes, face.ranks, strict=True)):
        if rank < size:
            null = np.linalg.eigh(relative[t])[1][:, : size - rank]
            gammas = np.array([face.gammas(entries[j])[t] for j in fine]).reshape(-1, size, size)
            out[fine] |= np.linalg.eigvalsh(null.T @ gammas @ null)[:, 0] < DESCENT
    return out


def _in_face_order(fit: MixedFit, entries: Array, order: list[int]) -> Array:
    """Entries stacked by the tree's terms, brought to the order of the fit's parameters."""
    counts = {t: len(fit.psi[t]) * (len(fit.psi[t]) + 1) // 2 for t in order}
    begin = dict(zip(order, np.cumsum([0, *(counts[t] for t in order)]), strict=False))
    at = [begin[t] + i for t in fit.record.best.face.entry_order for i in range(counts[t])]
    return np.asarray(entries[:, at])


def _solved(s: Array) -> tuple[Array, Array, Array]:
    """Coefficients, ``(X'V^-1 X)^-1`` and residual sum of squares of stacked cross-products; nan where singular."""
    xx = s[:, :-1, :-1]
    values = np.linalg.eigvalsh(xx)
    fine = values[:, 0] > 1e-9 * values[:, -1]
    cov = np.full_like(xx, np.nan)
    cov[fine] = np.linalg.inv(xx[fine])
    beta = np.einsum("jab,jb->ja", cov, s[:, :-1, -1])
    rss = s[:, -1, -1] - np.einsum("ja,ja->j", beta, s[:, :-1, -1])
    return beta, cov, np.where(rss > 0, rss, np.nan)


def _estimates(fit: MixedFit, left: GroupPart, nu: Array, theta: Array, order: list[int]) -> Without:
    """Estimates at parameters near the optimum, the cross-products carried there by their derivatives."""
    face, basis = fit.record.best.face, fit.basis
    here = face.covariances(fit.record.best.theta)
    s = left.s.copy()
    relative = [face.covariances(each) for each in theta]
    for j, there in enumerate(relative):
        moves = [(there[t] - here[t])[np.tril_indices(len(here[t]))] for t in order]
        s[j] += np.tensordot(np.concatenate(moves), left.ds[j], axes=1)
    beta, cov, rss = _solved(s)
    scale = basis.y_scale**2 * rss / np.maximum(nu, 1)
    back = np.linalg.inv(basis.r_x)
    inverse = [np.linalg.inv(b) for b in basis.b]
    vcov = [
        varcorr_values(tuple(v * e @ d @ e.T for e, d in zip(inverse, there, strict=True)), v)[0]
        for v, there in zip(scale, relative, strict=True)
    ]
    return Without(
        basis.beta_ols + basis.y_scale * beta @ back.T,
        scale[:, None, None] * (back @ cov @ back.T),
        np.array(vcov),
        np.zeros(len(nu), dtype=bool),
    )
