"""What a reader must know: designs that are refused before a fit, findings before and after it."""

from itertools import permutations

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Factor, pairs
from alliance_longitudinal.engine.statistics.nested import nested_in
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import Sentence, joined, say

#: Fewer groups than this cannot carry a variance (the rule of lme4's check).
FEW_LEVELS = 5
#: More correlated effects of one term need gigabytes: the second derivatives grow with the eighth power of their number.
MOST_EFFECTS = 14


def refuse_impossible(design: Design, crossed: bool) -> None:
    """Stop where no answer would mean what the user asked.

    Parameters
    ----------
    crossed : bool
        The user has said that factors which look like restarting counters are crossed.

    Raises
    ------
    FitError
        One group only, more effects than rows, the same effect or the same grouping twice, ids that restart.
    """
    n, p = design.n, len(design.names)
    if n <= p:
        raise FitError(
            f"{n} complete rows are too few to estimate {p} fixed effects and a residual. Leave out fixed terms."
        )
    for term in design.terms:
        count = design.factors[term.factor].size * len(term.names)
        if count >= n:
            raise FitError(
                f"The random term ({' + '.join(term.names)} | {term.group}) has {count} random effects for {n} rows; "
                "these cannot be separated from the residual. Use fewer effects or a coarser grouping."
            )
        if len(term.names) > MOST_EFFECTS:
            entries = len(term.names) * (len(term.names) + 1) // 2
            raise FitError(
                f"The random term over {term.group!r} has {len(term.names)} correlated effects with {entries} variances and "
                f"covariances; at most {MOST_EFFECTS} effects can be fitted. Use fewer random slopes, or write '||' for effects "
                "without correlations."
            )
    refuse_groupings(design, crossed)


def refuse_groupings(design: Design, crossed: bool) -> None:
    """Stop where the groupings are not what the user means; ``crossed`` as in `refuse_impossible`.

    Raises
    ------
    FitError
        One group only, the same effect or the same grouping twice, ids that restart.
    """
    for group in design.factors:
        if group.size == 1:
            raise FitError(
                f"The grouping {group.name!r} has one level only ({group.levels[0]!r}); its variance cannot be "
                "estimated. Leave the term out."
            )
    _refuse_twice(design)
    if not crossed:
        for fine, coarse in permutations(design.factors, 2):
            _refuse_recycled(fine, coarse)


def _refuse_twice(design: Design) -> None:
    seen: set[tuple[str, str]] = set()
    for term in design.terms:
        for name in term.names:
            if (term.group, name) in seen:
                raise FitError(
                    f"The effect {name!r} varies over {term.group!r} in two random terms. Keep one of them."
                )
            seen.add((term.group, name))
    plain = [i for i, f in enumerate(design.factors) if f.weights is None]
    for a, b in permutations(plain, 2):
        if a < b and nested_in(design, a, b) and nested_in(design, b, a):
            raise FitError(
                f"The groupings {design.factors[a].name!r} and {design.factors[b].name!r} divide the rows in the same way; "
                "their variances cannot be separated. Keep one of them."
            )


def _refuse_recycled(inner: Factor, outer: Factor) -> None:
    """Refuse ids that look like a counter starting again inside every level of another factor.

    They do when they are whole numbers that run from 0 or 1 without a gap in at least four of five levels, and pairs
    have several rows. A crossed design with all pairs, replicated, looks the same: hence ``crossed=True``.
    """
    if inner.weights is not None or outer.weights is not None:
        return
    if len(inner.columns) > 1 or len(outer.columns) > 1 or inner.size <= 2:
        return
    labels = pd.to_numeric(pd.Series(inner.levels.astype(str)), errors="coerce").to_numpy()
    if np.isnan(labels).any() or (labels % 1 != 0).any() or labels.min() not in (0, 1):
        return
    holders, units = pairs(outer.codes, inner.codes, inner.size)
    repeats = len(inner.codes) / len(units)
    within = pd.Series(labels[units]).groupby(holders).agg(["min", "max", "size"])
    restarts = (
        (within["min"] == labels.min()) & (within["max"] - within["min"] + 1 == within["size"])
    ).mean()
    shared = np.bincount(units).mean()
    if repeats >= 2 and restarts >= 0.8 and shared >= 2:
        raise FitError(
            f"The ids in {inner.name!r} start again at {labels.min():g} within the levels of {outer.name!r}: "
            f"{inner.size} ids stand for {len(units)} pairs of {outer.name} and {inner.name}. If the same id "
            f"means different units, write (1 | {outer.name}/{inner.name}). If it is the same unit everywhere, "
            "pass crossed=True to from_formula."
        )


def before(design: Design) -> tuple[Finding, ...]:
    """Findings that need no fit."""
    findings = []
    lost = design.lost
    if lost:
        findings.append(
            Finding(
                "rows_dropped",
                "info",
                say(
                    "{lost} of {all:noun} {lost:has|have} a missing value in a column of the model and "
                    "{lost:was|were} left out{missing}.",
                    lost=Count(lost, "row"),
                    all=Count(design.n + lost, "row"),
                    missing=say(" ({words})", words=missing_words(design)) if design.missing else "",
                ),
            )
        )
    if design.dropped:
        findings.append(
            Finding(
                "rank_deficient",
                "caution",
                say(
                    "These columns of the fixed part are combinations of others and are left out: {names}.",
                    names=", ".join(design.dropped),
                ),
            )
        )
    few = [f for f in design.factors if f.size < FEW_LEVELS]
    if few:
        sizes = [say("{name} has {n:noun}", name=f.name, n=Count(f.size, "level")) for f in few]
        its = "its variance" if len(few) == 1 else "their variances"
        findings.append(
            Finding(
                "few_levels",
                "underpowered",
                say(
                    "{sizes}. Fewer than {least} are too few to estimate {its}.",
                    sizes=joined(sizes, ", "),
                    least=Number(FEW_LEVELS, "integer"),
                    its=its,
                ),
                where=", ".join(f.name for f in few),
            )
        )
    return (*findings, *_partly_crossed(design))


def missing_words(design: Design) -> Sentence:
    """How many rows each column lacks, in words."""
    counts = sorted(design.missing.items(), key=lambda item: -item[1][0])
    several = sum(lacks for _, (lacks, _) in counts) > design.lost
    lacking = [say("{name} in {n:noun}", name=name, n=Count(lacks, "row")) for name, (lacks, _) in counts]
    return say(
        "missing: {lacking}{several}",
        lacking=joined(lacking, ", "),
        several="; some rows lack several" if several else "",
    )


def _partly_crossed(design: Design) -> list[Finding]:
    """Units that mostly, but not always, lie in one level of a coarser factor."""
    findings = []
    for inner, outer in permutations(design.factors, 2):
        if inner.size <= outer.size or inner.weights is not None or outer.weights is not None:
            continue
        units = pairs(outer.codes, inner.codes, inner.size)[1]
        several = int((np.bincount(units) > 1).sum())
        if 0 < several <= 0.5 * inner.size:
            findings.append(
                Finding(
                    "partly_crossed",
                    "info",
                    say(
                        "{several} of {all:noun} of {inner} {several:occurs|occur} in more than "
                        "one level of {outer}. Each is treated as one unit.",
                        several=Count(several, "level"),
                        all=Count(inner.size, "level"),
                        inner=inner.name,
                        outer=outer.name,
                    ),
                    where=inner.name,
                )
            )
    return findings
