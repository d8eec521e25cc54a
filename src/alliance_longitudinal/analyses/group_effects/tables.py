"""Tables and figures of the report on what clients share."""

from collections.abc import Sequence
from functools import partial

from alliance_longitudinal.analyses.group_effects.compute import Arms
from alliance_longitudinal.analyses.group_effects.design import Shared
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    PERCENT,
    TEST,
    Draft,
    Estimate,
    estimate_frame,
    joined,
    models_table,
    say,
    variance_table,
)
from alliance_longitudinal.present import Column, FigureSpec, plots


def show(draft: Draft, shared: Shared, arms: Arms | None) -> None:
    """Everything in reading order."""
    shares = _of(draft, "icc", "mm_share", "main_share")
    effect = _of(draft, "design_effect", "se_ratio")
    compared = _of(draft, "arm")
    ratings = _of(draft, "cohesion_")
    if compared:
        draft.table_of(
            "arms",
            "Comparison of arms",
            "answer",
            compared,
            [Column("label", "Comparison"), Column("unit", "Unit"), *ESTIMATE, *TEST],
            "The first row of each comparison allows for what clients of an arm share, and for variances of each arm.",
        )
    draft.table_of(
        "shares",
        "What is shared",
        "answer",
        shares,
        [Column("label", "Share"), *PERCENT, COUNT],
        f"Shares of variance between {shared.unit}s."
        + (
            " Those of an arm are from the model that compares arms and have no interval." if compared else ""
        ),
    )
    if ratings:
        draft.table_of(
            "ratings",
            "The member and the rest of the group",
            "results",
            ratings,
            [Column("label", "Effect"), Column("unit", "Unit"), *ESTIMATE, *TEST],
            "The first two rows are from one model, the last two from another: the same ratings, split in two ways.",
        )
    draft.table_of(
        "factors",
        "What sharing changes",
        "results",
        effect,
        [Column("label", "Factor"), *ESTIMATE, COUNT],
        "A design effect of two means that twice as many clients are needed for the same precision of a mean.",
    )
    variances = _of(draft, "mm_var", "main_var")
    if variances:
        draft.table_of(
            "several",
            f"Several {shared.unit}s per client",
            "results",
            variances,
            [
                Column("label", "Variance"),
                Column("unit", "Unit"),
                Column("estimate", "Estimate", "number", of="n"),
                COUNT,
            ],
            f"If clients with several {shared.unit}s count for one of them only, differences between {shared.unit}s look smaller.",
        )
    draft.show(_figure(compared, shared) if compared else None)
    draft.show(_figure(ratings, shared, "ratings") if ratings else None)
    draft.show(_shares_figure(shares) if shares and not compared and not ratings else None)
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))


def _of(draft: Draft, *starts: str) -> list[Estimate]:
    found = [e for e in draft.estimates if e.id.startswith(starts)]
    return [e for e in found if draft.groups is None or not e.id.startswith("icc_") or "arm" in e.id]


def _figure(rows: Sequence[Estimate], shared: Shared, name: str = "arms") -> FigureSpec:
    said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in rows]
    title = (
        "Arms, with and without what clients share"
        if name == "arms"
        else "The member and the rest of the group"
    )
    return FigureSpec(
        name=name,
        title=title,
        caption="Estimates with their 95 % intervals.",
        alt="Estimates with 95 % intervals. " + joined(said, "; ") + ".",
        how_to_read="The point is the estimate, the line its 95 % interval. If the line crosses zero, the direction is not clear.",
        section="answer",
        data=estimate_frame(list(rows))[["label", "estimate", "ci_low", "ci_high", "n"]],
        columns=(Column("label", "Estimate of"), *ESTIMATE, Column("n", "Rows", "count")),
        draw=partial(plots.forest, x_label=rows[0].unit),
    )


def _shares_figure(rows: Sequence[Estimate]) -> FigureSpec | None:
    rows = [e for e in rows if e.ci_low == e.ci_low]
    if not rows:
        return None
    said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number("percent")) for e in rows]
    return FigureSpec(
        name="shares",
        title="How alike clients are",
        caption="Share of the variance of change that lies between groups or therapists, with its 95 % interval.",
        alt="Shares with 95 % intervals. " + joined(said, "; ") + ".",
        how_to_read="The further to the right, the more alike are clients who share a group or therapist.",
        section="answer",
        data=estimate_frame(list(rows))[["label", "estimate", "ci_low", "ci_high"]],
        columns=(Column("label", "Share"), *PERCENT),
        draw=partial(
            plots.forest, x_label="Share of variance", reference=None, scale="percent", limits=(0, None)
        ),
    )
