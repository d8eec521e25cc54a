"""The figure and the tables of the report."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    estimate_frame,
    joined,
    say,
)
from alliance_longitudinal.analyses.lagged_effects.compute import Names, directions
from alliance_longitudinal.present import Column, FigureSpec, Table, plots

if TYPE_CHECKING:
    from alliance_longitudinal.methods.panel.riclpm import CrossLagged


def show(draft: Draft, names: Names, main: "CrossLagged") -> None:
    """Figure and tables."""
    keys = {d.key: d.words for d in directions(names)}
    effects = [
        (replace(e, label=e.label.replace(f": {title}", "")), title)
        for key, title in keys.items()
        for e in draft.estimates
        if e.id.endswith(key) and not e.id.startswith("anderson") and "longrun" not in e.id
    ]
    data = estimate_frame([e for e, _ in effects])[["label", "estimate", "ci_low", "ci_high", "n"]]
    data.insert(0, "direction", [title for _, title in effects])
    said = [
        say("{t}, {label}: {e} ({e:interval})", t=title, label=e.label, e=e.number()) for e, title in effects
    ]
    draft.show(
        FigureSpec(
            name="directions",
            title="Both directions, by estimator",
            caption="Points: effect of one point at a session on the next session; lines: 95 % intervals. "
            "The top row of each panel is the main estimate.",
            alt="Effects from one session to the next. " + joined(said, "; ") + ".",
            how_to_read="If the line of an estimate crosses zero, its direction is not clear. Estimates marked as biased are shown "
            "for comparison only.",
            section="answer",
            data=data,
            columns=(Column("direction", "Direction"), Column("label", "Estimator"), *ESTIMATE, COUNT),
            draw=partial(plots.forest, x_label="Points at the next session per point", panel="direction"),
        )
    )
    shown = [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST]
    for name, title, chosen in (
        (
            "main",
            "Main model",
            [e for e in draft.estimates if _is_main(e)],
        ),
        (
            "estimators",
            "Other estimators",
            [e for e in draft.estimates if not _is_main(e)],
        ),
    ):
        kept = [e for e in chosen if e.id != "equal_lags_p"]
        if kept:
            draft.table_of(
                name, title, "results", kept, shown, "n: clients; of mixed models, pairs of sessions."
            )
    draft.show(_fit_table(draft, main))


def _is_main(e: Estimate) -> bool:
    return e.id.startswith("riclpm_") and not e.id.startswith(("riclpm_trend", "riclpm_level"))


def _fit_table(draft: Draft, main: "CrossLagged") -> Table:
    test = draft["equal_lags_p"]
    row = {
        "model": "Main model",
        "chi2": main.chi2,
        "df": main.df,
        "p": main.p,
        "cfi": main.cfi,
        "rmsea": main.rmsea,
        "srmr": main.srmr,
        "equal": float("nan") if test is None else test.estimate,
        "n": main.nobs,
    }
    columns = [
        Column("model", "Model"),
        Column("chi2", "Chi-square", "number", of="n"),
        Column("df", "df", "integer"),
        Column("p", "p", "p"),
        Column("cfi", "CFI", "number", of="n"),
        Column("rmsea", "RMSEA", "number", of="n"),
        Column("srmr", "SRMR", "number", of="n"),
        Column("equal", "Equal effects (p)", "p"),
        COUNT,
    ]
    return Table.from_frame(
        "fit", "Fit of the main model", "models", pd.DataFrame([row]), columns, main.certificate
    )
