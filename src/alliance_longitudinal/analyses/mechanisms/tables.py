"""Tables and figures of the report on mechanisms."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    Number,
    estimate_frame,
    joined,
    models_table,
    say,
    variance_table,
)
from alliance_longitudinal.analyses.mechanisms.compute import Paths
from alliance_longitudinal.analyses.mechanisms.design import Asked, Cause
from alliance_longitudinal.analyses.mechanisms.estimates import estimates_of, place, scaled, shown
from alliance_longitudinal.present import Column, FigureSpec, Table, plots

RHO = np.linspace(-0.6, 0.6, 49)


def show(draft: Draft, every: Sequence[Paths], cause: Cause, asked: Asked) -> None:
    """Everything in reading order."""
    first = shown(every)[0]
    per_sd = [e for p in every for e in scaled(p, cause, asked, main=p is first)]
    rows = [
        e
        for p in every
        for e in estimates_of(p, cause, asked, main=p is first)
        if not e.id.endswith("_per_sd") and not e.id.startswith("rho_zero")
    ]
    draft.table_of(
        "paths_per_sd",
        "Paths to the outcome, for one standard deviation of the cause",
        "answer",
        per_sd,
        [Column("label", "Path"), Column("unit", "Unit"), *ESTIMATE, Column("n", "n", "count")],
        "Rates of change are multiplied by the follow-up of the median client. Below zero is a lower score.",
    )
    draft.table_of(
        "paths",
        "All paths",
        "results",
        rows,
        [Column("label", "Path"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        "Indirect: the product of a and b, within clients plus their covariance.",
    )
    draft.show(_confounding(every), _forest(per_sd, asked), _curve(every, asked))
    draft.show(models_table(draft.fitted) if draft.fitted else None, variance_table(draft.fitted))


def _confounding(every: Sequence[Paths]) -> Table | None:
    found = [p for p in every if p.confounding is not None]
    if not found:
        return None
    rows = [
        {
            "label": place(p),
            "rho": p.confounding.rho_zero,
            "half": float(p.confounding.indirect(p.confounding.rho_zero / 2)[0]) * p.sd * p.times,
            "indirect": p.rows["indirect"]["estimate"] * p.sd * p.times,
            "n": p.n,
        }
        for p in found
    ]
    columns = [
        Column("label", "Path"),
        Column("rho", "Correlation of errors that would make it zero", "number", of="n"),
        Column("indirect", "Indirect path per SD", "number", of="n"),
        Column("half", "With half of this correlation", "number", of="n"),
        Column("n", "n", "count"),
    ]
    note = (
        "If something unmeasured moves both the alliance and the outcome, their errors correlate, and the indirect path differs from the "
        "estimate. A small correlation in the first column means that little is needed to make the path zero."
    )
    return Table.from_rows("confounding", "Unmeasured confounding", "sensitivity", rows, columns, note)


def _forest(rows: Sequence[Estimate], asked: Asked) -> FigureSpec:
    said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in rows]
    return FigureSpec(
        name="paths",
        title="Paths to the outcome",
        caption="For one standard deviation of the cause, over the follow-up; 95 % intervals.",
        alt="Paths with 95 % intervals. " + joined(said, "; ") + ".",
        how_to_read="The point is the estimate, the line its 95 % interval. If the line crosses zero, the direction is not clear.",
        section="answer",
        data=estimate_frame(list(rows))[["label", "estimate", "ci_low", "ci_high", "n"]],
        columns=(Column("label", "Path"), *ESTIMATE, Column("n", "n", "count")),
        draw=partial(plots.forest, x_label=f"{asked.outcome.instrument.label} points"),
    )


def _curve(every: Sequence[Paths], asked: Asked) -> FigureSpec | None:
    found = [p for p in shown(every) if p.confounding is not None]
    if not found:
        return None
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "label": place(p),
                    "rho": RHO,
                    "indirect": p.confounding.indirect(RHO) * p.sd * p.times,
                    "n": p.n,
                }
            )
            for p in found
        ],
        ignore_index=True,
    )
    said = [
        say("{place} zero at {rho}", place=place(p), rho=Number(p.confounding.rho_zero, n=p.n)) for p in found
    ]
    return FigureSpec(
        name="confounding",
        title="The indirect path if something unmeasured moves alliance and outcome",
        caption="Lines: indirect path for one standard deviation of the cause, if the errors of alliance and outcome correlate as on the axis.",
        alt="Indirect path by correlation of errors: " + joined(said, "; ") + ".",
        how_to_read="At zero is the estimate of the report. Where a line crosses the level line, there is no indirect path.",
        section="sensitivity",
        data=data,
        columns=(
            Column("label", "Path"),
            Column("rho", "Correlation of errors", "number"),
            Column("indirect", "Indirect path", "number", of="n"),
            Column("n", "n", "count"),
        ),
        draw=partial(
            plots.lines,
            x="rho",
            y="indirect",
            by="label",
            band=True,
            reference=0.0,
            x_label="Correlation of the errors of alliance and outcome",
            y_label=f"{asked.outcome.instrument.label} points",
        ),
    )
