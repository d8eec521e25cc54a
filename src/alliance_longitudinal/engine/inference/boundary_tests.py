"""Tests that variances of random effects are zero, by distributions that know that a variance cannot be negative.

The statistic is the restricted likelihood ratio of the fit with and without the effects, whatever the fit's method. Its
usual chi-squared distribution is wrong because the null value lies on the boundary of the parameters; p values from it are
too large. A Wald z for a variance is wrong altogether and not offered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit, fit_mixed
from alliance_longitudinal.engine.inference.family import (
    Family,
    Source,
    best_over,
    extra_of,
    source_of,
    statistics_at,
)
from alliance_longitudinal.engine.inference.reduced import Reduction
from alliance_longitudinal.engine.inference.restricted_lrt import MOST_GROUPS, eigenvalues, simulate_null
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.draws import draws_of
from alliance_longitudinal.engine.resampling.refits import careful, start_of
from alliance_longitudinal.engine.resampling.structured import structured_draws
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.residual import FittedResidual
from alliance_longitudinal.errors import FitError

#: With fewer, an early end makes p too coarse.
FEWEST_EXCEEDANCES = 10


@dataclass(frozen=True, slots=True)
class Removal:
    """Effects that a test leaves out, and what is left."""

    reduction: Reduction
    group: str
    effects: str
    df: int
    value: float
    relative: list[Array]
    extra: Array


def mixture_p(statistic: float, df: int) -> float:
    """P value of one effect among ``df`` correlated ones: half chi-squared with ``df - 1``, half with ``df``.

    Stram and Lee (1994), Biometrics 50:1171-1177, case 3; Self and Liang (1987). With one effect alone this is half a
    point mass at zero and half chi-squared with 1. Holds for many groups.
    """
    lower = float(stats.chi2.sf(statistic, df - 1)) if df > 1 else float(statistic <= 0)
    return 0.5 * (lower + float(stats.chi2.sf(statistic, df)))


def variance_tests(
    fit: MixedFit,
    method: str,
    n_sim: int,
    seed: int | None,
    group: str | None = None,
    effects: str | None = None,
    exceedances: int | None = None,
) -> pd.DataFrame:
    """One row for each random effect (with its correlations) and for each term of several effects.

    Parameters
    ----------
    method : {"exact", "mixture", "bootstrap"}
    n_sim : int
        Draws of the null distribution, or refits of the bootstrap.
    seed : int or None
    group : str or None
        Only effects of this grouping.
    effects : str or None
        Only the test of these effects, as the table names them.
    exceedances : int or None
        The bootstrap ends once so many of its refits reach the statistic.

    Returns
    -------
    DataFrame
        ``group, effects, deviance_without, statistic, df, p, distribution``.

    Raises
    ------
    FitError
        Too few draws; a model without the effects that has no verified optimum; no such grouping or effects.
    """
    refuse_unknown(fit, group)
    if n_sim < 100:
        raise FitError(
            f"The null distribution needs at least 100 draws, not {n_sim}; 10000 for p values near 0.01."
        )
    if exceedances is not None and not (method == "bootstrap" and exceedances >= FEWEST_EXCEEDANCES):
        raise FitError(
            f"exceedances is {exceedances!r}; it ends a bootstrap early and is at least {FEWEST_EXCEEDANCES}. Other methods have none."
        )
    rng = generator(seed)
    fit = _restricted(fit)
    rows = []
    for removal in _removals(fit, group, effects):
        statistic = max(removal.value - fit.record.best.value, 0.0)
        p, words = _p(fit, removal, statistic, method, n_sim, rng, exceedances)
        shift = fit.deviance - fit.record.best.value
        rows.append((removal.group, removal.effects, removal.value + shift, statistic, removal.df, p, words))
    columns = ["group", "effects", "deviance_without", "statistic", "df", "p", "distribution"]
    return pd.DataFrame(rows, columns=columns)


def _restricted(fit: MixedFit) -> MixedFit:
    """The fit by REML."""
    if fit.reml:
        return fit
    if fit.residual is not None:
        return fit_mixed(fit.design, True, True, structure=fit.residual.full.pattern.structure)

    def evaluate(relative: list[Array], order: int) -> Criterion:
        return profiled(fit.blocks, relative, True, order)

    best = careful(evaluate, fit.record.best.face.full(), start_of(fit))
    if best is None:
        raise FitError(
            "The model has no verified optimum by REML, which tests of variances need. Leave out a "
            "random effect."
        )
    criterion = profiled(fit.blocks, list(best.relative), True)
    deviance = criterion.value + 2 * criterion.nu * np.log(fit.basis.y_scale) - fit.basis.log_weights
    deviance += 2 * np.log(np.diag(fit.basis.r_x)).sum()
    return replace(
        fit, reml=True, record=replace(fit.record, best=best), criterion=criterion, deviance=float(deviance)
    )


def refuse_unknown(fit: MixedFit, group: str | None) -> None:
    """Refuse a grouping that no random effect of the fit has."""
    known = list(dict.fromkeys(term.group for term in fit.design.terms))
    if group is not None and group not in known:
        raise FitError(f"There is no grouping {group!r}. There are: {', '.join(known)}.")


def _removals(fit: MixedFit, group: str | None, asked: str | None) -> list[Removal]:
    out = []
    known = []
    for t, term in enumerate(fit.design.terms):
        if group not in (None, term.group):
            continue
        q = len(term.names)
        alone = [i for i, name in enumerate(term.names) if q == 1 or name != "Intercept"]
        chosen = [(i,) for i in alone] + ([tuple(range(q))] if q > 1 else [])
        for effects in chosen:
            known.append(", ".join(term.names[i] for i in effects))
            if asked not in (None, known[-1]):
                continue
            reduction = Reduction.of(fit, t, effects)
            start = reduction.start(list(fit.record.best.relative))
            found = reduction.optimum(source_of(fit), start, True, extra_of(fit))
            names = known[-1]
            if found is None:
                raise FitError(
                    f"The model without {names} over {term.group} has no verified optimum, so it "
                    "cannot be tested. Leave out another random effect."
                )
            left = q - len(effects)
            df = q * (q + 1) // 2 - left * (left + 1) // 2
            out.append(Removal(reduction, term.group, names, df, *found))
    if asked is not None and not out:
        raise FitError(f"There is no test of {asked!r}. There are tests of: {'; '.join(known)}.")
    return out


def _p(
    fit: MixedFit,
    removal: Removal,
    statistic: float,
    method: str,
    n_sim: int,
    rng: np.random.Generator,
    exceedances: int | None = None,
) -> tuple[float, str]:
    term, effects = removal.reduction.term, removal.reduction.effects
    q = len(fit.design.terms[term].names)
    if method == "bootstrap":
        return _bootstrap(fit, removal, statistic, n_sim, rng, exceedances)
    groups = fit.design.factors[fit.design.terms[term].factor].size
    if method == "exact" and q == 1 and groups <= MOST_GROUPS and fit.residual is None:
        mu = eigenvalues(fit, term, removal.relative)
        draws = simulate_null(mu, fit.blocks.n, fit.blocks.p, n_sim, rng)
        words = "exact restricted likelihood ratio"
        if len(fit.design.terms) > 1:
            words += ", with the other relative variances treated as known"
        return float((1 + (draws >= statistic - 1e-9).sum()) / (1 + n_sim)), f"{words}, {n_sim} draws"
    if len(effects) == 1:
        parts = f"chi2({removal.df - 1}) and chi2({removal.df})" if removal.df > 1 else "0 and chi2(1)"
        return mixture_p(statistic, removal.df), f"equal mixture of {parts}, for many groups"
    return float(stats.chi2.sf(statistic, removal.df)), (
        f"chi2({removal.df}), an upper bound of p: no mixture is known for {len(effects)} effects at once; "
        "method='bootstrap' has one"
    )


class _Exceeded(Exception):
    """The fit with the effects is already better by the statistic; its optimum can only be better still."""


def _bootstrap(
    fit: MixedFit,
    removal: Removal,
    statistic: float,
    n_sim: int,
    rng: np.random.Generator,
    exceedances: int | None,
) -> tuple[float, str]:
    """Parametric bootstrap under the null hypothesis, from cross-products.

    Ended by so many ``exceedances`` after ``done`` refits, p is their share: valid too (Besag and Clifford 1991, Biometrika
    78:301-304), and a large p needs few refits.
    """
    draw = _null(fit, removal)
    reduction, face = removal.reduction, fit.record.best.face.full()
    start_null = reduction.start(removal.relative)
    exceed, done, failed = 0, 0, 0
    while done + failed < n_sim and exceed != exceedances:
        sample = draw(rng)
        without = reduction.optimum(sample, start_null, True, removal.extra)
        if without is None:
            failed += 1
            continue
        enough = without[0] - statistic

        def evaluate(  # type: ignore[no-untyped-def]
            relative: list[Array], order: int, extra: Array | tuple[()] = (), sample=sample, enough=enough
        ) -> Criterion:
            criterion = profiled(statistics_at(sample, np.asarray(extra)), relative, True, order)
            if criterion.value <= enough:
                raise _Exceeded
            return criterion

        start = [d + 0.02 * np.eye(len(d)) for d in without[1]]
        try:
            whole = best_over(sample, evaluate, face, start, removal.extra)
        except _Exceeded:
            done, exceed = done + 1, exceed + 1
            continue
        if whole is None:
            failed += 1
            continue
        done += 1
        exceed += without[0] - whole.value >= statistic - 1e-8
    words = f"parametric bootstrap without the effects, {done} refits"
    words += f" ({failed} more failed)" if failed else ""
    if exceed == exceedances:
        return exceed / done, f"{words}, ended by {exceed} that reach the statistic"
    return (1 + exceed) / (1 + done), words


def _null(fit: MixedFit, removal: Removal) -> Callable[[np.random.Generator], Source]:
    """Draws of the sufficient statistics from the fit without the effects."""
    criterion = profiled(statistics_at(source_of(fit), removal.extra), removal.relative, True)
    best = replace(fit.record.best, relative=tuple(removal.relative))
    null = replace(fit, criterion=criterion, record=replace(fit.record, best=best))
    if fit.residual is None:
        return draws_of(null).draw
    full = fit.residual.full
    held = FittedResidual(full, Family(full).tau(removal.extra), False, full)
    source = structured_draws(replace(null, residual=held), internal=True)
    return lambda rng: Family(full.with_response(source.draw(rng)[full.pattern.rows]))
