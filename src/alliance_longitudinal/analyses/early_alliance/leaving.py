"""Would the answer hold if clients who left early have another course: completers, and an average over patterns."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels, effect_estimate
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    Count,
    Draft,
    Estimate,
    Number,
    Sentence,
    Share,
    joined,
    say,
)
from alliance_longitudinal.analyses.kit.early_design import MIN_CLIENTS, EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import split_effects
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.present import Column

#: A main effect that moves by more than this many of its standard errors depends on who left.
MOVED = 1.0
WITHIN, BETWEEN = "weeks:early_client", "weeks:early_therapist"


def leaving_effects(
    draft: Draft, design: EarlyDesign, models: EarlyModels, weeks: float, weighted: Sequence[Estimate] = ()
) -> None:
    """The effect within therapists in those who stayed, and averaged over those who stayed and those who left.

    The model of the course takes scores after leaving as missing at random. A pattern-mixture model does not: it gives those who
    left before the horizon a course, and an effect of alliance, of their own (Little 1993). ``weighted`` are the effects with weights for
    those who left before the window's end.
    """
    draft.estimate(*weighted)
    rows = with_pattern(design.rows, weeks)
    left = rows.groupby("client")["left"].first()
    main = draft["slope_within"]
    if main is None or models.growth is None:
        return
    found: list[Estimate] = []
    try:
        if min(int(left.sum()), int((1 - left).sum())) >= MIN_CLIENTS:
            found = leaving_estimates(design, models, rows)
    except AllianceError:
        draft.find(
            "no_pattern_mixture",
            "info",
            "Whether clients who left early change the answer could not be examined: the model with a course of their own cannot be "
            "fitted.",
            "leaving",
        )
    if not found and not weighted:
        return
    draft.estimate(*found)
    unit = "therapist" if design.n_therapists else "client"
    draft.table_of(
        "leaving",
        "If clients who left early have another course",
        "sensitivity",
        _in_parts(draft, [*found, *weighted]),
        [Column("label", "Effect"), *ESTIMATE, COUNT],
        f"Left: no outcome score in {design.choices.time} {weeks:.0f} after the window or later. The first row of each effect takes scores after leaving as "
        "missing at random. The others come from a model in which clients who left have a level, a course and an effect of alliance of their "
        "own, and an average that weights both groups by their sizes. Weighted rows are of clients who stayed to the end of the window, "
        f"so weighted that they resemble all clients in symptoms and alliance (robust errors by {unit}). If the rows agree, the answer does "
        "not depend on that assumption.",
    )
    if found:
        horizon = say("{time} {n}", time=design.choices.time, n=Number(weeks, "integer"))
        _tell(draft, main, draft["slope_within_pattern"] or main, left, horizon, design.among)
        draft.cite("little1993")
    if weighted:
        draft.cite("robins2000", "bell2002")


def _in_parts(draft: Draft, rows: Sequence[Estimate]) -> list[Estimate]:
    """The main effect within therapists with its other versions, then the same between."""
    out: list[Estimate] = []
    for effect in ("slope_within", "slope_between"):
        main = draft[effect]
        own = [e for e in rows if e.id.startswith(f"{effect}_")]
        out += [main, *own] if main is not None and own else own
    return out


def leaving_estimates(design: EarlyDesign, models: EarlyModels, rows: pd.DataFrame) -> list[Estimate]:
    """``slope_within_completers``, ``slope_within_pattern`` and the same between; intervals with the df of the main effects."""
    from alliance_longitudinal.methods import pattern_mixture

    assert models.growth is not None
    growth = models.growth
    clusters = "therapist" if growth.robust is not None else None
    mixture = pattern_mixture(growth.formula, rows, "left", WITHIN, "client", reml=True, cov_groups=clusters)
    found = {"within": mixture}
    main = split_effects(growth, design, "slope")
    if "between" in main:
        found["between"] = replace(mixture, model=mixture.model.with_errors("model")).of(BETWEEN)
    out = []
    for effect, average in found.items():
        for name, suffix, words in (
            ("completers", "_completers", ", clients who stayed"),
            ("average", "_pattern", ", averaged over clients who stayed and who left"),
        ):
            row = t_inference(float(average.params[name]), float(average.bse[name]), main[effect]["df"])
            n = int((rows["left"] == 0).sum()) if name == "completers" else len(rows)
            out.append(replace(effect_estimate(design, "slope", effect, row, suffix, words), n=n))
    return out


def with_pattern(rows: pd.DataFrame, weeks: float) -> pd.DataFrame:
    """The rows with ``left``: 1 for clients whose last score is before the horizon."""
    last = rows.groupby("client")["weeks"].transform("max")
    return rows.assign(left=(last < weeks).astype(int))


def _tell(
    draft: Draft, main: Estimate, average: Estimate, left: "pd.Series[int]", horizon: Sentence, among: str
) -> None:
    moved = abs(average.estimate - main.estimate) > MOVED * main.se
    turned = (main.ci_low > 0 or main.ci_high < 0) and average.ci_low <= 0 <= average.ci_high
    if not (moved or turned):
        return
    draft.find(
        "leaving_moves_the_answer",
        "caution",
        "{left:noun} ({share}) {left:has|have} no outcome score in {horizon} after the window or later. If they have a course of "
        "their own, the effect {among} is {value} (95 % interval {value:interval}). The answer depends on how those who "
        "left would have gone on.",
        "leaving",
        left=Count(int(left.sum()), "client"),
        share=Share(int(left.sum()), len(left)),
        horizon=horizon,
        among=among,
        value=average.number(),
    )


def changed_rows(draft: Draft, among: str) -> None:
    """Whether the sign, or whether the effect is clear, changes under any other assumption about all who left."""
    main = draft["slope_within"]
    if main is None:
        return
    names = [e for e in draft.estimates if e.id.startswith("slope_within_") and _about_leaving(e.id)]
    changed = [e for e in names if e.estimate * main.estimate < 0 or clear(e) != clear(main)]
    if not changed:
        return
    draft.find(
        "dropout_changes_answer",
        "caution",
        "Under {k:noun} about clients who left (of {all}), the effect {among} changes its direction or whether it is "
        "clear: {which}.",
        "leaving",
        among=among,
        k=Number(len(changed), "integer", "other assumption"),
        all=Number(len(names), "integer"),
        which=joined(
            [say("{e} ({e:interval}){words}", e=e.number(), words=_words(e, among)) for e in changed], "; "
        ),
    )


def clear(e: Estimate) -> bool:
    """Whether the interval leaves out zero."""
    return e.ci_low > 0 or e.ci_high < 0


def _about_leaving(identity: str) -> bool:
    kind = identity.removeprefix("slope_within_")
    alike = kind.startswith("delta_") and not kind.endswith(("_below", "_above"))
    return alike or kind in ("completers", "pattern", "ipw")


def _words(e: Estimate, among: str) -> str:
    """What the label says of those who left."""
    return e.label.removeprefix(among.capitalize()).rpartition(" (")[0]
