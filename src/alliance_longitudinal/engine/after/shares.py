"""Shares of variance: intraclass correlations and R2.

Conventions. The variance of a random term is its mean over the rows, ``mean of z' Psi z`` with divisor n (Johnson 2014,
Methods Ecol Evol 5:944-946, eq. 10), that of the residual the mean over the rows of ``scale / weight`` (times the squared
ratio of the row's stratum, where strata have variances of their own), that of the fixed part the sample variance of
``X beta`` with divisor n - 1 (Nakagawa and Schielzeth 2013, Methods Ecol Evol 4:133-142, by their code, as R's programs
have it).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine.after.noise import noise_of_fit
from alliance_longitudinal.engine.design.design import DesignSpec, matrix_of, split_effects
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.inference.profile_shares import share_intervals
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.engine.show.tables import varcorr_values
from alliance_longitudinal.errors import FitError

Array = NDArray[np.float64]


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
    residual : float
        What the residual's variance is multiplied with; zero where it has no share.
    """

    groups: tuple[str, ...]
    terms: tuple[tuple[int, ...], ...]
    moments: tuple[Array, ...]
    residual: float

    @property
    def names(self) -> tuple[str, ...]:
        """What has a share: the groupings, and the residual if it has one."""
        return (*self.groups, "Residual") if self.residual else self.groups

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
        if self.residual:
            out[-1, -1] = self.residual
        return out


def mean_weights(fit: MixedFit) -> Weights:
    """Weights for the mean variances over the rows of the fit."""
    design = fit.design
    moments = []
    for term in design.terms:
        members = design.factors[term.factor].weights
        n = term.z.shape[0]
        squares = np.ones(n) if members is None else (members**2).sum(axis=1)
        moments.append(np.asarray((term.z * squares[:, None]).T @ term.z / n))
    return _weights(fit, moments, float(np.mean(noise_of_fit(fit))))


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
    return _weights(fit, moments, 1.0)


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
    return Weights(tuple(groups), tuple(terms), tuple(moments), 0.0)


def _weights(fit: MixedFit, moments: list[Array], residual: float) -> Weights:
    groups = tuple(dict.fromkeys(t.group for t in fit.design.terms))
    terms = tuple(tuple(t for t, term in enumerate(fit.design.terms) if term.group == g) for g in groups)
    return Weights(groups, terms, tuple(moments), residual)


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
    _refuse_strata(boot)
    replicates = boot.varcorr.to_numpy() @ weights.matrix.T
    with np.errstate(invalid="ignore"):
        shares = replicates / replicates.sum(axis=1, keepdims=True)
    lower, upper = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    out = table.assign(lower=lower, upper=upper)
    out.attrs["n_failed"] = boot.n_failed
    return out


def with_profile(table: pd.DataFrame, fit: MixedFit, weights: Weights, alpha: float) -> pd.DataFrame:
    """Intraclass correlations with profile-likelihood limits ``lower, upper, criterion, note``."""
    limits = share_intervals(fit, list(weights.moments), weights.residual, list(weights.terms), alpha)
    return table.join(limits)


def r_squared(fit: MixedFit) -> pd.Series:
    """``marginal`` (fixed part) and ``conditional`` (fixed and random part) share of the total variance.

    Nakagawa and Schielzeth (2013), Methods Ecol Evol 4:133-142, eq. 29 and 30, with Johnson's (2014) mean random-effect
    variance for random slopes.
    """
    vcov, _ = varcorr_values(fit.psi, fit.scale)
    values = _shares_of(fit, fit.beta[None, :], vcov[None, :])[0]
    return pd.Series(values, index=["marginal", "conditional"], name="r2")


def r_squared_intervals(fit: MixedFit, boot: Bootstrap, alpha: float) -> pd.DataFrame:
    """``r2, lower, upper`` by percentiles of a bootstrap.

    Percentiles lean upwards: noise adds to the variance of the fixed part in every replicate.
    """
    _refuse_strata(boot)
    shares = _shares_of(fit, boot.params.to_numpy(), boot.varcorr.to_numpy())
    lower, upper = np.nanquantile(shares, [alpha / 2, 1 - alpha / 2], axis=0)
    return pd.DataFrame({"r2": r_squared(fit), "lower": lower, "upper": upper})


def _refuse_strata(boot: Bootstrap) -> None:
    """Stop where the share of the residual depends on ratios that differ between replicates."""
    if any(str(name).startswith("sd(") for name in boot.residual.columns):
        raise FitError(
            "Intervals of shares of variance are not available where strata have residual variances of their own. Ask "
            "without n_boot, or fit without VarIdent."
        )


def _shares_of(fit: MixedFit, beta: Array, vcov: Array) -> Array:
    """Marginal and conditional R2 of B sets of estimates, shape (B, 2)."""
    x = fit.design.x - fit.design.x.mean(axis=0)
    spread = x.T @ x / (len(x) - 1)
    fixed = np.einsum("ba,ac,bc->b", beta, spread, beta)
    variance = vcov @ mean_weights(fit).matrix.T
    total = fixed + variance.sum(axis=1)
    return np.column_stack([fixed / total, (total - variance[:, -1]) / total])
