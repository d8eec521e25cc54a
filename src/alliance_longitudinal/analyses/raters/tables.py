"""The tables of the report on raters."""

from collections.abc import Sequence

import pandas as pd

from alliance_longitudinal.analyses.kit import COUNT, ESTIMATE, TEST, Draft, Estimate
from alliance_longitudinal.analyses.raters.design import Pair
from alliance_longitudinal.analyses.raters.sources import Surface
from alliance_longitudinal.present import Column, Table

#: From this standard error of its slope on, nobody knows where a ridge is: one of equal ratings has a slope of one.
STEEP = 5.0
_SHOWN = (Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST)


def gap_tables(draft: Draft, gap: Sequence[Estimate], moderators: Sequence[Estimate], pair: Pair) -> None:
    """The gap and its moderators."""
    first, second = pair.first.rater, pair.second.rater
    draft.table_of(
        "gap",
        "Who rates higher, and who follows whom",
        "answer",
        gap,
        _SHOWN,
        f"From a model of the {second}'s rating on the {first}'s (truth and bias). A tracking of one means that the {second}'s rating "
        f"rises by one point where the {first}'s does; of zero, that it does not follow at all. Errors of the {first}'s single "
        "ratings lower the tracking within clients.",
    )
    if moderators:
        draft.table_of(
            "moderators",
            "What the gap and the tracking depend on",
            "results",
            moderators,
            _SHOWN,
            f"The gap at the same rating by the {first}, per unit of the moderator. All moderators are in one model. Numbers are "
            "centred on their mean. How the gap changes from session to session is in the table of the gap.",
        )


def recip_tables(draft: Draft, recip: Sequence[Estimate], variances: pd.DataFrame, pair: Pair) -> None:
    """Reciprocities and variances by level."""
    if recip:
        draft.table_of(
            "reciprocity",
            "Do both see the same?",
            "results",
            recip,
            [Column("label", "Correlation"), *ESTIMATE, COUNT],
            "Correlations of both raters' ratings at each level, without the error of single ratings at the upper levels. Limits for "
            "clients and therapists are from the profile of the likelihood. n: clients, therapists or sessions.",
        )
    words = {
        "therapist": "Therapists",
        "client": "Clients of one therapist",
        "session": "Sessions of one client",
    }
    frame = variances.reset_index()
    frame["level"] = frame["level"].map(words)
    shares = {}
    for k, measure in enumerate((pair.first, pair.second)):
        values = frame[measure.rater].to_numpy(float)
        frame[f"v_{k}"], shares[f"s_{k}"] = values, values / values.sum()
    frame = frame.assign(**shares)
    columns = [Column("level", "Differences between")]
    for k, measure in enumerate((pair.first, pair.second)):
        columns += [
            Column(f"v_{k}", f"Variance, {measure.rater}", "number"),
            Column(f"s_{k}", f"Share, {measure.rater}", "percent", modelled=True),
        ]
    note = "Where the ratings of each rater differ. A therapist's own way of rating all clients is in the first row."
    draft.show(Table.from_frame("variances", "Where ratings differ", "results", frame, columns, note))


def source_tables(draft: Draft, sources: Sequence[Estimate], both: Sequence[Estimate]) -> None:
    """Correlations by source, and both raters in one model."""
    if sources:
        draft.table_of(
            "sources",
            "Alliance and outcome by who rated them",
            "answer",
            sources,
            [Column("label", "Source"), *ESTIMATE, *TEST],
            "Correlations of the early alliance with the last score after the early window, within therapists and given the last score "
            "within it. Above zero: clients with a better alliance had a better outcome. All rows are of the same clients. A cross-source "
            "correlation is free of what one rater adds to both ratings, but it is not unbiased: it is lowered by everything that raters "
            "do not see alike. The corrected row says how large it would be without that, if errors of raters are independent.",
        )
    if both:
        draft.table_of(
            "both_raters",
            "Both raters' alliance in one model",
            "results",
            both,
            _SHOWN,
            "Each rating given the other, between clients of the same therapist. Two outcomes on one questionnaire are in one model, in which their "
            "remaining differences correlate (actor-partner model). Outcome: the last score after the early window, given the "
            "last score within it; above zero is better.",
        )


def surface_tables(draft: Draft, estimates: Sequence[Estimate], surface: Surface) -> None:
    """Features of the surface, and the conditions of congruence."""
    draft.table_of(
        "surface",
        "Response surface: does agreement itself matter?",
        "results",
        estimates,
        [Column("label", "Feature"), *ESTIMATE, *TEST],
        "Outcome (above zero is better) by both raters' early alliance, centred on their common mean.",
    )
    words = {
        "p10 = 0": "The ridge goes through the middle",
        "p11 = 1": "The ridge lies where both ratings are equal",
        "a4 < 0": "Outcomes are worse where the ratings differ",
        "a3 = 0": "It does not matter who rates higher",
    }
    ridge, errors = surface.main.ridge, surface.main.ridge_se
    known = bool(errors[1] < STEEP)
    rows = []
    for key, text in words.items():
        held = "yes" if surface.main.conditions[key] else "no"
        if key.startswith("p1") and not known:
            rows.append({"what": text, "held": "not known", "value": float("nan"), "se": float("nan")})
        else:
            rows.append({"what": text, "held": held, **_ridge(key, ridge, errors)})
    frame = pd.DataFrame(rows)
    columns = [
        Column("what", "Condition"),
        Column("held", "Compatible with the data"),
        Column("value", "Estimate", "number"),
        Column("se", "SE", "number"),
    ]
    note = (
        "Agreement itself matters only if all four conditions hold (Humberg et al.). The curvature has to be clearly below zero; the "
        "others only have to be compatible with the data, which is easily so with few clients. Where the surface has no clear ridge, it is not known "
        "where the ridge is."
    )
    draft.show(Table.from_frame("congruence", "Conditions of congruence", "results", frame, columns, note))


def _ridge(key: str, values: tuple[float, float], errors: tuple[float, float]) -> dict[str, float]:
    place = {"p10 = 0": 0, "p11 = 1": 1}.get(key)
    if place is None:
        return {"value": float("nan"), "se": float("nan")}
    return {"value": values[place], "se": errors[place]}
