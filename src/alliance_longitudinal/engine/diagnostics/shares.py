"""Shares of variance: intraclass correlations and R2.

Conventions. The variance of a random term is its mean over the rows, ``mean of z' Psi z`` with divisor n (Johnson 2014,
Methods Ecol Evol 5:944-946, eq. 10), that of the residual the mean over the rows of ``scale / weight`` (times the squared
ratio of the row's stratum, where strata have variances of their own), that of the fixed part the sample variance of
``X beta`` with divisor n - 1 (Nakagawa and Schielzeth 2013, Methods Ecol Evol 4:133-142, by their code, as R's programs
have it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design, DesignSpec, matrix_of, split_effects
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.noise import noise_of_fit
from alliance_longitudinal.engine.fitted.tables import varcorr_values
from alliance_longitudinal.engine.inference.charts_shares import Rest
from alliance_longitudinal.engine.inference.profile_shares import share_intervals
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Weights:
    """How the variances of groupings are made of variance components.

    Attributes
    ----------
    groups : tuple of str
        Groupings in formula order; the residual is not among them.
    terms : tuple of tuple of int
        Terms of each grouping.
    moments : tuple of ndarray, shape (q_t, q_t)
        ``M`` of each term: its variance is ``tr(M Psi)``.
    rest : Rest
        What the residual's variance is multiplied with: a part of it with the other strata's squared ratios; nothing where
        the residual has no share.
    ratios : ndarray
        The other strata's estimated ratios of standard deviations.
    """

    groups: tuple[str, ...]
    terms: tuple[tuple[int, ...], ...]
    moments: tuple[Array, ...]
    rest: Rest
    ratios: Array

    @property
    def names(self) -> tuple[str, ...]:
        """What has a share: the groupings, and the residual if it has one."""
        return self.groups if self.rest.none else (*self.groups, "Residual")

    @property
    def matrix(self) -> Array:
        """Weights on the rows of the table of variance components, `names` by components."""
        sizes = [len(m) * (len(m) + 1) // 2 for m in self.moments]
        out = np.zeros((len(self.names), sum(sizes) + 1))
        starts = np.cumsum([0, *sizes])
        for g, terms in enumerate(self.terms):
            for t in terms:
                moment = self.moments[t]
                upper = moment[np.triu_indices(len(moment), 1)]
                out[g, starts[t] : starts[t + 1]] = np.concatenate([np.diag(moment), 2 * upper])
        if not self.rest.none:
            out[-1, -1] = self.residual(self.ratios)
        return out

    def residual(self, ratios: Array) -> Array:
        """What the residual's variance is multiplied with at ratios of standard deviations (..., strata)."""
        return np.asarray(self.rest.constant + np.square(ratios) @ np.asarray(self.rest.strata))

    def replicates(self, boot: Bootstrap) -> Array:
        """Variances of groupings and residual in every replicate, `names` by columns."""
        out = boot.varcorr.to_numpy() @ self.matrix.T
        if self.rest.strata:
            ratios = boot.residual.to_numpy()[:, -len(self.rest.strata) :]
            out[:, -1] *= self.residual(ratios) / self.residual(self.ratios)
        return np.asarray(out)


def mean_weights(fit: MixedFit) -> Weights:
    """Weights for the mean variances over the rows of the fit."""
    design = fit.design
    if _without_rows(fit):  # z'z / n = b'b, and no weights
        return _weights(fit, [b.T @ b for b in fit.basis.b], Rest(1.0), np.zeros(0))
    moments = []
    for term in design.terms:
        members = design.factors[term.factor].weights
        n = term.z.shape[0]
        squares = np.ones(n) if members is None else (members**2).sum(axis=1)
        moments.append(np.asarray((term.z * squares[:, None]).T @ term.z / n))
    rest, ratios = _residual(fit)
    return _weights(fit, moments, rest, ratios)


def _residual(fit: MixedFit) -> tuple[Rest, Array]:
    """The residual's part as a mean over the rows, and the strata's ratios."""
    noise = noise_of_fit(fit)
    if fit.residual is None or len(fit.residual.model.pattern.strata) == 1:
        return Rest(float(np.mean(noise))), np.zeros(0)
    pattern, tau = fit.residual.model.pattern, fit.residual.tau
    ratios = np.exp(tau[len(tau) - len(pattern.strata) + 1 :])
    share = np.bincount(pattern.stratum, noise[pattern.rows]) / len(noise) / np.append(1.0, ratios) ** 2
    return Rest(float(share[0]), tuple(map(float, share[1:]))), ratios


def weights_at(fit: MixedFit, spec: DesignSpec, at: Mapping[str, object]) -> Weights:
    """Weights for the variances at given values of the covariates that have random slopes (and prior weight one).

    Raises
    ------
    FitError
        A covariate that has random effects is not given, or one is given that has none.
    """
    used = tuple(dict.fromkeys(c for columns in spec.used_random for c in columns))
    groups = {c for term in spec.random for c in term.columns}
    needed = [c for c in used if c not in groups]
    for name in at:
        if name not in needed:
            there = f"there is {', '.join(map(repr, needed))}" if needed else "no covariate has"
            raise FitError(
                f"at: the variances do not depend on {name!r}, which has no random slope; {there}. Leave it out."
            )
    missing = [c for c in needed if c not in at]
    if missing:
        raise FitError(f"at: also give a value of {', '.join(map(repr, missing))}, which has a random slope.")
    row = pd.DataFrame({name: [value] for name, value in at.items()}, index=[0])
    moments = []
    for term in spec.random:
        moments += [z.T @ z for _, z in split_effects(matrix_of(term.effects, row), term.correlated)]
    return _weights(fit, moments, Rest(1.0), np.zeros(0))


def weights_of(fit: MixedFit, effect: str) -> Weights:
    """Weights for the variance of one random effect, such as a slope; a residual has none.

    Raises
    ------
    FitError
        The effect does not differ between at least two groupings.
    """
    moments, groups, terms = [], [], []
    for t, term in enumerate(fit.design.terms):
        moments.append(np.diag([float(name == effect) for name in term.names]))
        if effect in term.names:
            groups.append(term.group)
            terms.append((t,))
    if len(groups) < 2:
        there = dict.fromkeys(name for term in fit.design.terms for name in term.names)
        raise FitError(
            f"of: {effect!r} is a random effect of {f'one grouping only ({groups[0]})' if groups else 'no grouping'}, so that "
            f"its variance cannot be shared between groupings. The random effects are: {', '.join(there)}."
        )
    return Weights(tuple(groups), tuple(terms), tuple(moments), Rest(0.0), np.zeros(0))


def _weights(fit: MixedFit, moments: list[Array], rest: Rest, ratios: Array) -> Weights:
    groups = tuple(dict.fromkeys(t.group for t in fit.design.terms))
    terms = tuple(tuple(t for t, term in enumerate(fit.design.terms) if term.group == g) for g in groups)
    return Weights(groups, terms, tuple(moments), rest, ratios)


def intraclass(fit: MixedFit, weights: Weights) -> pd.DataFrame:
    """Share of the variance at each grouping and in the residual: ``group, variance, icc``."""
    vcov, _ = varcorr_values(fit.psi, fit.scale)
    variance = weights.matrix @ vcov
    with np.errstate(invalid="ignore"):  # no variance anywhere has no shares
        return pd.DataFrame(
            {"group": list(weights.names), "variance": variance, "icc": variance / variance.sum()}
        )


def with_percentiles(table: pd.DataFrame, weights: Weights, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """Intraclass correlations with percentile limits ``lower, upper``; ``attrs["n_failed"]`` counts refits left out."""
    replicates = weights.replicates(boot)
    with np.errstate(invalid="ignore"):
        shares = replicates / replicates.sum(axis=1, keepdims=True)
    lower, upper = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    out = table.assign(lower=lower, upper=upper)
    out.attrs["n_failed"] = boot.n_failed
    return out


def with_profile(table: pd.DataFrame, fit: MixedFit, weights: Weights, alpha: float) -> pd.DataFrame:
    """Intraclass correlations with profile-likelihood limits ``lower, upper, criterion, note``."""
    limits = share_intervals(fit, list(weights.moments), weights.rest, list(weights.terms), alpha)
    return table.join(limits)


def r_squared(fit: MixedFit) -> pd.Series:
    """``marginal`` (fixed part) and ``conditional`` (fixed and random part) share of the total variance.

    Nakagawa and Schielzeth (2013), Methods Ecol Evol 4:133-142, eq. 29 and 30, with Johnson's (2014) mean random-effect
    variance for random slopes.
    """
    vcov, _ = varcorr_values(fit.psi, fit.scale)
    variance = vcov[None, :] @ mean_weights(fit).matrix.T
    values = _shares_of(fit, fit.beta[None, :], variance)[0]
    return pd.Series(values, index=["marginal", "conditional"], name="r2")


def r_squared_intervals(fit: MixedFit, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """``r2, lower, upper`` by percentiles of a bootstrap.

    Percentiles lean upwards: noise adds to the variance of the fixed part in every replicate.
    """
    shares = _shares_of(fit, boot.params.to_numpy(), mean_weights(fit).replicates(boot))
    lower, upper = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    return pd.DataFrame({"r2": r_squared(fit), "lower": lower, "upper": upper})


def _shares_of(fit: MixedFit, beta: Array, variance: Array) -> Array:
    """Marginal and conditional R2 of B sets of coefficients and variances of groupings and residual, shape (B, 2)."""
    spread = _spread(fit)
    fixed = np.einsum("ba,ac,bc->b", beta, spread, beta)
    total = fixed + variance.sum(axis=1)
    return np.column_stack([fixed / total, (total - variance[:, -1]) / total])


def _spread(fit: MixedFit) -> Array:
    """Sample covariance of the columns of the fixed part, divisor n - 1."""
    names = fit.design.names
    if _without_rows(fit) and "Intercept" in names:
        gram, n = fit.basis.r_x.T @ fit.basis.r_x, fit.design.n
        mean = gram[names.index("Intercept")]
        return np.asarray((gram - np.outer(mean, mean)) * (n / (n - 1)))
    x = fit.design.x - fit.design.x.mean(axis=0)
    return np.asarray(x.T @ x / (len(x) - 1))


def _without_rows(fit: MixedFit) -> bool:
    """Whether the fit has sums that stand for its rows; those of weighted rows do not."""
    given: object = fit.design
    return not isinstance(given, Design) and not cast(Any, given).weighted
