"""The tables of the early-alliance report."""

import pandas as pd

from alliance_longitudinal.analyses.early_parts.design import EarlyDesign
from alliance_longitudinal.analyses.early_parts.effects import EarlyModels
from alliance_longitudinal.analyses.kit.benchmarks import ALLIANCE_OUTCOME
from alliance_longitudinal.analyses.kit.checks import coefficient_table, models_table, variance_table
from alliance_longitudinal.analyses.kit.fits import Fitted
from alliance_longitudinal.analyses.result import Estimate, estimate_frame
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.present import Column, Table

_NUMBERS = [
    Column("estimate", "Estimate", "number"),
    Column("ci_low", "95 % low", "number"),
    Column("ci_high", "95 % high", "number"),
]
_TEST = [
    Column("se", "SE", "number"),
    Column("df", "df", "df"),
    Column("p", "p", "p"),
    Column("n", "n", "count"),
]


def early_tables(
    study: Study,
    design: EarlyDesign,
    models: EarlyModels,
    fitted: list[Fitted],
    estimates: list[Estimate],
    sensitivity: pd.DataFrame,
) -> tuple[Table, ...]:
    """In reading order; the first is the one a notebook shows beside the answer."""
    frame = estimate_frame(estimates)
    a, y = design.choices.alliance.instrument.label, design.choices.outcome.instrument.label
    time = design.choices.time
    sign = (
        " A negative number means that better alliance goes with a better outcome."
        if design.choices.good_sign < 0
        else ""
    )
    is_effect = frame["id"].str.match(r"(slope|end)_[a-z]+$")
    per_sd = frame["id"].str.endswith("_per_sd")
    tables = [
        Table.from_frame(
            "effects",
            "Effects of early alliance",
            "results",
            frame[is_effect],
            [Column("label", "Effect"), *_NUMBERS, *_TEST],
            f"In {y} points (a {time}) per {a} point.{sign} n: outcome scores ({design.choices.rate}) or clients (last score).",
        ),
        Table.from_frame(
            "effects_in_points",
            f"The same in {y} points",
            "results",
            frame[per_sd],
            [Column("label", "Difference that goes with"), *_NUMBERS],
            "Within: standard deviation of clients around their therapist's mean. Between: of therapists' means.",
        ),
        _correlations(frame),
        Table.from_frame(
            "variance_shares",
            "Who differs: shares of variance",
            "results",
            frame[frame["unit"].isin(["share", "reliability"])],
            [
                Column("label", "Share"),
                *(Column(c.key, c.label, "percent") for c in _NUMBERS),
                Column("n", "Units", "integer"),
            ],
            "Outcome scores after the window, no predictors but time. A rate of change has no session level.",
        ),
        _sensitivity(sensitivity, "slope", design.choices.rate),
        _sensitivity(sensitivity, "end", design.choices.rate),
    ]
    truth = against_truth(study, design, estimates)
    variances = variance_table(fitted)
    tables += [
        t
        for t in (
            truth,
            models_table(fitted),
            coefficient_table(models.growth),
            coefficient_table(models.endpoint),
            variances,
        )
        if t
    ]
    return tuple(tables)


def _correlations(frame: pd.DataFrame) -> Table:
    b = ALLIANCE_OUTCOME
    own = frame[frame["id"].str.startswith("r_")]
    bench = pd.DataFrame(
        [
            {
                "label": f"{b.label} (benchmark, not this study)",
                "estimate": b.r,
                "ci_low": b.low,
                "ci_high": b.high,
            }
        ]
    )
    return Table.from_frame(
        "correlations",
        "As correlations, beside the published figure",
        "results",
        pd.concat([own, bench], ignore_index=True),
        [Column("label", "Effect"), *_NUMBERS],
        "Partial correlations given the adjustment variables. Only the undivided one compares like with like to the benchmark; "
        "one between therapists is a correlation of means, which are less noisy than single clients, and is usually larger. "
        f"Benchmark (correlations of clients, mostly unadjusted, with the outcome at the end): {b.reference}.",
    )


def _sensitivity(frame: pd.DataFrame, kind: str, rate: str) -> Table:
    wanted = [
        Column("window", "Window"),
        Column("adjusted", "Adjusted for"),
        Column("clients", "Clients", "count"),
        Column(f"{kind}_within", "Within", "number"),
        Column(f"{kind}_within_low", "low", "number"),
        Column(f"{kind}_within_high", "high", "number"),
        Column(f"{kind}_between", "Between", "number"),
        Column(f"{kind}_between_low", "low", "number"),
        Column(f"{kind}_between_high", "high", "number"),
        Column("problem", "Not fitted because"),
    ]
    columns = [
        c for c in wanted if c.key in frame and not (c.key == "problem" and (frame[c.key] == "").all())
    ]
    shown = frame.assign(window=frame["window"] + frame["main"].map({True: " (main analysis)", False: ""}))
    words = {"slope": f"{rate} after the window", "end": "change from intake to the last score"}[kind]
    note = "The same models with other windows and adjustments; per alliance point. low, high: 95 % interval."
    title = f"Other windows, other adjustments: effect on the {words}"
    return Table.from_frame(f"sensitivity_{kind}", title, "sensitivity", shown, columns, note)


def against_truth(study: Study, design: EarlyDesign, estimates: list[Estimate]) -> Table | None:
    """For simulated data: the estimates beside the parameters that made the data."""
    truth = (study.simulated or {}).get("truth") or {}
    c = design.choices
    # The truth is that of the model with both adjustments; without them the estimates are meant to differ from it.
    as_made = (c.window.first, c.window.last) == (1, 5) and c.adjust_intake and c.adjust_early_change
    if not ({"within", "between"} <= set(truth) and as_made):
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
        *_NUMBERS,
        Column("truth", "Truth", "number"),
        Column("inside", "Inside the interval"),
    ]
    note = "Simulated data: the parameters that made them are known. One interval in twenty misses the truth."
    return Table.from_frame(
        "against_truth", "Estimates beside the truth", "checks", pd.DataFrame(rows), columns, note
    )
