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
from alliance_longitudinal.analyses.lagged_effects.processes import Names, directions, paths
from alliance_longitudinal.present import Column, FigureSpec, Table, plots

if TYPE_CHECKING:
    from alliance_longitudinal.methods.panel.dynamic_panel import DynamicPanel
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
    draft.show(_paths(draft, names))
    draft.show(_fit_table(draft, main))
    instruments = _instruments(draft, names)
    if instruments is not None:
        draft.show(instruments)


def _paths(draft: Draft, names: Names) -> FigureSpec:
    """The main model as arrows from one session to the next."""
    found = [(path, e) for path in paths(names) if (e := draft[f"riclpm_{path.key}"]) is not None]
    data = estimate_frame([e for _, e in found])[["estimate", "ci_low", "ci_high", "n"]]
    data.insert(0, "lead", [path.lead for path, _ in found])
    data.insert(1, "follow", [path.follow for path, _ in found])
    said = [say("{w}: {e} ({e:interval})", w=path.words, e=e.number()) for path, e in found]
    return FigureSpec(
        name="paths",
        title="The main model: from one session to the next",
        caption="Numbers: points of what follows per point of what leads, both as deviations from the client's own "
        "level (or line), with 95 % intervals.",
        alt="Effects of the main model. " + joined(said, "; ") + ".",
        how_to_read="Level arrows: how much of a deviation carries over. Crossing arrows: effects of one on the other. Full arrows have "
        "an interval without zero; dashed grey arrows are not clear.",
        section="results",
        data=data,
        columns=(Column("lead", "At a session"), Column("follow", "At the next session"), *ESTIMATE, COUNT),
        draw=partial(plots.paths, heads=("at a session", "at the next session")),
    )


def _instruments(draft: Draft, names: Names) -> Table | None:
    """Instruments of the moment estimators and the tests of their assumptions."""
    from alliance_longitudinal.engine import distributions

    titles = {"gmm_difference": "GMM differences", "gmm_system": "GMM system"}
    rows = []
    for key, title in titles.items():
        for d in directions(names):
            model = draft.models.get(f"{key}_{d.key}")
            if isinstance(model, _panel_class()):
                tests = model.tests
                ps = {f"{k}_p": float(2 * distributions.norm.sf(abs(tests[k]))) for k in ("m1", "m2")}
                hansen = float(distributions.chi2.sf(tests["hansen"], tests["overidentification_df"]))
                row = {"model": d.said(title), "instruments": int(tests["n_instruments"]), "hansen_p": hansen}
                rows.append({**row, **ps, "n": model.n_persons})
    if not rows:
        return None
    columns = [
        Column("model", "Estimator"),
        Column("instruments", "Instruments", "integer"),
        Column("hansen_p", "Hansen (p)", "p"),
        Column("m1_p", "AR(1) (p)", "p"),
        Column("m2_p", "AR(2) (p)", "p"),
        COUNT,
    ]
    note = (
        "Instruments should be far fewer than clients. A small p of Hansen's test, or of AR(2), is evidence against the estimator; AR(1) is "
        "expected to be small."
    )
    return Table.from_frame("instruments", "Instruments", "models", pd.DataFrame(rows), columns, note)


def _panel_class() -> "type[DynamicPanel]":
    from alliance_longitudinal.methods.panel.dynamic_panel import DynamicPanel

    return DynamicPanel


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
