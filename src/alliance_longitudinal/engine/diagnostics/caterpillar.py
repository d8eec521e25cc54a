"""Groups in order of their modes, with intervals to read and to compare by."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from alliance_longitudinal.counts import Count
from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.equations import equations
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Fewer groups than this are said to be few to rank.
FEW_GROUPS = 10
#: Most standard deviations, evenly spread over their ranks, that stand for all in the average over pairs.
_PAIRS = 1000
#: Most numbers in the table of simulated ranks.
_CELLS = 20_000_000


@dataclass(frozen=True, slots=True)
class Caterpillar:
    """Modes of one grouping.

    Attributes
    ----------
    group : str
    frame : DataFrame
        By effect, rising: ``effect, level, mode, sd, lower, upper, compare_lower, compare_upper, rank, rank_lower,
        rank_upper``. ``lower, upper`` hold the group's effect with probability ``1 - alpha``; two groups differ at about
        ``alpha`` where their ``compare_`` intervals do not overlap; ``rank`` is the expected rank (1 the lowest).
    factor : dict of str to float
        By effect: half width of the comparison intervals in standard deviations, 1.39 when all are alike.
    findings : tuple of Finding
    """

    group: str
    frame: pd.DataFrame
    factor: dict[str, float]
    findings: tuple[Finding, ...]


def caterpillar(
    fit: MixedFit, group: str, fixed_uncertainty: bool, alpha: float, n_draws: int, seed: int | None
) -> Caterpillar:
    """Modes with their spreads, comparison intervals and ranks.

    Parameters
    ----------
    group : str
    fixed_uncertainty : bool
        Whether the standard deviations include the uncertainty of the coefficients (Henderson's prediction error).
    alpha : float
    n_draws : int
        Draws for the intervals of ranks.
    seed : int or None

    Raises
    ------
    FitError
        Unknown grouping.
    """
    names = [f.name for f in fit.design.factors]
    if group not in names:
        raise FitError(f"There is no grouping {group!r}. There are: {', '.join(names)}.")
    factor = fit.design.factors[names.index(group)]
    rng = generator(seed)
    extra = _of_coefficients(fit) if fixed_uncertainty else None
    frames, factors, findings = [], {}, []
    for t, term in enumerate(fit.design.terms):
        if term.group != group:
            continue
        variance = np.einsum("jqq->jq", fit.modes[t].variances)
        variance = variance if extra is None else variance + extra[t]
        for j, effect in enumerate(term.names):
            sd = np.sqrt(np.maximum(variance[:, j], 0.0))
            factors[effect] = comparison_factor(sd, alpha)
            frames.append(_of_effect(fit.modes[t].values[:, j], sd, factors[effect], alpha, n_draws, rng))
            frames[-1].insert(0, "level", factor.levels)
            frames[-1].insert(0, "effect", effect)
            if fit.psi[t][j, j] <= 0:
                findings.append(_no_variance(group, effect))
    if factor.size < FEW_GROUPS:
        findings.append(_few(group, factor.size))
    frame = pd.concat([f.sort_values("mode", kind="stable") for f in frames], ignore_index=True)
    return Caterpillar(group, frame, factors, tuple(findings))


def comparison_factor(sd: Array, alpha: float) -> float:
    """Half width ``c`` at which intervals ``mode +- c sd`` of two equal groups fail to overlap in a share ``alpha``.

    On average over all pairs (Goldstein and Healy 1995, J R Stat Soc A 158:175-177, eq. 2): the intervals of a pair do not
    overlap with probability ``2 Phi(-c (sd_i + sd_j) / sqrt(sd_i^2 + sd_j^2))``.
    """
    sd = np.sort(sd[sd > 0])
    if len(sd) < 2:
        return float(stats.norm.ppf(1 - alpha / 2) / np.sqrt(2))
    if len(sd) > _PAIRS:
        sd = np.quantile(sd, (np.arange(_PAIRS) + 0.5) / _PAIRS)
    i, j = np.triu_indices(len(sd), 1)
    ratio = (sd[i] + sd[j]) / np.hypot(sd[i], sd[j])
    top = float(stats.norm.ppf(1 - alpha / 2)) + 1e-9
    from scipy import optimize  # heavy, and seldom needed

    return float(optimize.brentq(lambda c: 2 * special.ndtr(-c * ratio).mean() - alpha, 0.0, top))


def _of_effect(
    mode: Array, sd: Array, factor: float, alpha: float, n_draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    half = stats.norm.ppf(1 - alpha / 2) * sd
    columns = {
        "mode": mode,
        "sd": sd,
        "lower": mode - half,
        "upper": mode + half,
        "compare_lower": mode - factor * sd,
        "compare_upper": mode + factor * sd,
        "rank": expected_rank(mode, sd),
    }
    draws = min(n_draws, _CELLS // max(1, len(mode)))
    drawn = mode[:, None] + sd[:, None] * rng.standard_normal((len(mode), draws))
    if sd.min(initial=np.inf) > 0:  # no ties
        ranks = drawn.argsort(axis=0).argsort(axis=0) + 1.0
    else:
        ranks = stats.rankdata(drawn, axis=0)
    low, high = np.quantile(ranks, [alpha / 2, 1 - alpha / 2], axis=1)
    return pd.DataFrame(columns | {"rank_lower": low, "rank_upper": high})


def expected_rank(mode: Array, sd: Array) -> Array:
    """``1 + sum over others of P(other < own)``, modes taken as independent (Laird and Louis 1989, J Educ Stat 14:29-46)."""
    out = np.empty(len(mode))
    for i in range(len(mode)):
        spread = np.hypot(sd[i], sd)
        gap = mode[i] - mode
        below = np.where(
            spread > 0, special.ndtr(gap / np.where(spread > 0, spread, 1.0)), (gap > 0) + 0.5 * (gap == 0)
        )
        out[i] = 0.5 + below.sum()  # the group itself counts one half
    return out


def _of_coefficients(fit: MixedFit) -> list[Array]:
    """What the coefficients' uncertainty adds to the variance of each term's modes, shapes (groups, q)."""
    system = equations(fit)
    spread = system.lower @ system.through
    out = []
    for t, term in enumerate(fit.design.terms):
        q, start = len(term.names), system.columns.starts[t]
        size = fit.design.factors[term.factor].size
        own = spread[start : start + size * q].reshape(size, q, -1)
        rows = np.einsum("rq,jqp->jrp", np.linalg.inv(fit.basis.b[t]), own)
        out.append(fit.scale * np.einsum("jqp,ps,jqs->jq", rows, system.phi, rows))
    return out


def _few(group: str, size: int) -> Finding:
    return Finding(
        "few_to_rank",
        "caution",
        say(
            "{n:noun} of {group} {n:is|are} few. Their estimates are pulled towards the mean by a "
            "variance that is itself uncertain. Read the intervals, not the order.",
            n=Count(size, "level"),
            group=group,
        ),
        where=group,
        reference="Goldstein and Spiegelhalter 1996",
    )


def _no_variance(group: str, effect: str) -> Finding:
    return Finding(
        "nothing_to_rank",
        "caution",
        say(
            "The estimated variance of {effect} over {group} is zero, so all estimates are equal "
            "and their order means nothing.",
            effect=effect,
            group=group,
        ),
        where=group,
    )
