"""The tables of the early-alliance report."""

import pandas as pd

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    PERCENT,
    TEST,
    Draft,
    Estimate,
    coefficient_table,
    estimate_frame,
    models_table,
    reference,
    variance_table,
)
from alliance_longitudinal.analyses.kit.benchmarks import Benchmark
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.present import Column, Table

_EFFECTS = ("total", "within", "between", "contextual")


def early_tables(
    draft: Draft, design: EarlyDesign, models: EarlyModels, sensitivity: pd.DataFrame, published: Benchmark
) -> None:
    """In reading order; the first is the one a notebook shows beside the answer."""
    a, y = design.choices.alliance.instrument.label, design.choices.outcome.instrument.label
    time, rate = design.choices.time, design.choices.rate
    better = design.choices.good_sign < 0
    sign = " A negative number means that clients with a better alliance have a better outcome." * better
    points = [e for e in draft.estimates if e.id.endswith("_per_sd")]
    effects = {f"{kind}_{effect}" for kind in ("slope", "end") for effect in (*_EFFECTS, "within_same")}
    draft.table_of(
        "effects",
        "Effects of early alliance",
        "results",
        [e for e in draft.estimates if e.id in effects],
        [Column("label", "Effect"), *ESTIMATE, *TEST],
        f"In {y} points (per {time}) per {a} point.{sign} {_levels(design)} n: outcome scores ({rate}) or clients (last score).{_errors(models)}",
    )
    draft.table_of(
        "effects_in_points",
        f"Effects of one standard deviation (SD) of early alliance, in {y} points",
        "results",
        points,
        [Column("label", "Effect"), *ESTIMATE, COUNT],
        "Within: SD of clients around their therapist's mean. Between: SD of the therapists' means."
        if design.n_therapists
        else "SD: of all clients.",
    )
    _correlations(draft, design, published)
    shares = [e for e in draft.estimates if e.unit in ("share", "reliability")]
    if shares:
        draft.table_of(
            "variance_shares",
            "Who differs: shares of variance",
            "results",
            shares,
            [Column("label", "Share"), *PERCENT, Column("n", "n", "count")],
            "Outcome scores after the window, in models with time as the only predictor. A rate of "
            f"change has no session level. n: {'therapists, ' if design.n_therapists else ''}clients or sessions.",
        )
    draft.show(
        _sensitivity(sensitivity, "slope", rate, design),
        _sensitivity(sensitivity, "end", rate, design),
        against_truth(draft.study, design, draft.estimates),
        models_table(draft.fitted),
        coefficient_table(models.growth) if models.growth else None,
        coefficient_table(models.endpoint),
        variance_table([m for m in draft.fitted if not m.name.endswith("_same")]),
    )


def _levels(design: EarlyDesign) -> str:
    """What the rows compare."""
    if not design.n_therapists:
        return "Between clients: all clients compared, because no therapist is named."
    return "Within therapists: clients of the same therapist compared. Between therapists: therapists' means compared."


def _errors(models: EarlyModels) -> str:
    """Which errors the rows have, where they are not all the model's."""
    if not models.robust:
        return ""
    return (
        " Intervals within therapists and in total are cluster-robust (CR2): they hold whether the effect differs between therapists or not. "
        "The others are the model's; the row that says so holds only if the effect is the same for all therapists."
    )


def _correlations(draft: Draft, design: EarlyDesign, b: Benchmark) -> None:
    known = bool(design.n_therapists)
    whoever = ", whoever the therapist is" if known else ""
    robust = " to clients of one therapist being alike" if known else ""
    means = "A correlation between therapists is one of means, which vary less by chance than single clients, so it is usually larger. "
    own = [e for e in draft.estimates if e.id.startswith("r_")]
    own.sort(key=lambda e: e.id not in ("r_zero", "r_intake", "r_shrunken"))
    theirs = Estimate(
        "benchmark", f"{b.label} (benchmark, not this study)", b.r, ci_low=b.low, ci_high=b.high
    )
    frame = estimate_frame([*own, theirs]).astype({"n": object})
    frame.loc[frame["id"] == "benchmark", "n"] = None  # people of other studies
    draft.show(
        Table.from_frame(
            "correlations",
            "Effects of early alliance as correlations, compared with published studies",
            "results",
            frame,
            [Column("label", "Effect"), *ESTIMATE, COUNT],
            f"The first two are computed as published studies do: correlations of clients with the last score{whoever}. A positive "
            f"correlation means that a better alliance goes with a better outcome. Intervals of the first two are robust (CR2){robust}. "
            "Compare the unadjusted one with the published one. The others are partial correlations, given the adjustment variables. "
            + means * known
            + _place_words(b),
            row_ids=tuple(frame["id"]),
        )
    )


def _place_words(b: Benchmark) -> str:
    """Where the published figure is from, and whether the clinic can be placed among the studies."""
    if b.placed:
        named = f" Published: {b.source}." if b.source else ""
        return (
            "The benchmark was given by the user, with the variance of true correlations between studies. The correlation drawn towards "
            f"their mean weighs this clinic's by its precision (empirical Bayes).{named}"
        )
    return (
        "We cannot say where this clinic lies among published studies, because we do not know how much their true correlations differ; "
        "give a benchmark with tau2 to place it. Published: correlations of clients, mostly unadjusted, with the outcome at the end: "
        f"{reference(b.key)}."
    )


def _sensitivity(frame: pd.DataFrame, kind: str, rate: str, design: EarlyDesign) -> Table | None:
    if not {f"{kind}_within", f"{kind}_between"} & set(frame):
        return None
    wanted = [
        Column("window", "Window"),
        Column("adjusted", "Adjusted for"),
        Column("clients", "Clients", "count"),
        Column(f"{kind}_within", "Within" if design.n_therapists else "Effect", "number", of="clients"),
        Column(f"{kind}_within_low", "low", "number", of="clients"),
        Column(f"{kind}_within_high", "high", "number", of="clients"),
        Column(f"{kind}_between", "Between", "number", of="clients"),
        Column(f"{kind}_between_low", "low", "number", of="clients"),
        Column(f"{kind}_between_high", "high", "number", of="clients"),
        Column("problem", "Not fitted because"),
    ]
    columns = [
        c for c in wanted if c.key in frame and not (c.key == "problem" and (frame[c.key] == "").all())
    ]
    shown = frame.assign(window=frame["window"] + frame["main"].map({True: " (main analysis)", False: ""}))
    words = {"slope": f"{rate} after the window", "end": "change from intake to the last score"}[kind]
    note = (
        "The same models with other windows and adjustments. Effects per alliance point; low and high: "
        "95 % interval."
    )
    title = f"Other windows, other adjustments: effect on the {words}"
    return Table.from_frame(f"sensitivity_{kind}", title, "sensitivity", shown, columns, note)


def against_truth(study: Study, design: EarlyDesign, estimates: list[Estimate]) -> Table | None:
    """For simulated data: the estimates beside the parameters that made the data."""
    truth = (study.simulated or {}).get("truth") or {}
    c = design.choices
    # The truth is that of the model with both adjustments; without them the estimates are meant to differ from it.
    as_made = (c.window.first, c.window.last) == (1, 5) and c.adjust_intake and c.adjust_early_change
    if not ({"within", "between"} <= set(truth) and as_made and design.n_therapists):
        return None
    expected = {
        "slope_within": truth["within"],
        "slope_between": truth["between"],
        "slope_contextual": truth["between"] - truth["within"],
    }
    rows = [
        {
            "label": e.label,
            "estimate": e.estimate,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
            "n": e.n,
            "truth": expected[e.id],
        }
        | {"inside": "yes" if e.ci_low <= expected[e.id] <= e.ci_high else "no"}
        for e in estimates
        if e.id in expected
    ]
    if not rows:
        return None
    columns = [
        Column("label", "Effect"),
        *ESTIMATE,
        COUNT,
        Column("truth", "Truth", "number"),
        Column("inside", "Inside the interval"),
    ]
    note = (
        "The data are simulated, so the true effects are known. About one interval in twenty does not "
        "contain the truth."
    )
    return Table.from_frame(
        "against_truth", "Estimates compared with the truth", "checks", pd.DataFrame(rows), columns, note
    )
