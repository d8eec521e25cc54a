"""The figures of the early-alliance report, each with the data behind it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.benchmarks import Benchmark
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.fits import Fitted, therapist_df
from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.counts import Number
from alliance_longitudinal.labels import MINUS, number
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.present import Column, FigureSpec, plots
from alliance_longitudinal.sentences import joined, say

#: An observed mean is drawn only if at least this many clients stand behind it.
SMALLEST_CELL = 10
#: Names of the correlations that are computed as in published studies.
_SHORT = {"r_zero": "As in published studies", "r_intake": "The same, given intake severity"}
_THIRDS = ("lowest third", "middle third", "highest third")


def course_figure(growth: Fitted, design: EarlyDesign, weeks: float) -> FigureSpec:
    """Course after the window for thirds of early alliance within therapists; observed means behind the model."""
    choices = design.choices
    a, y = choices.alliance.instrument.label, choices.outcome.instrument.label
    divided = "early_client" in design.predictors(split=True) and design.n_therapists > 0
    centres, third = _thirds(design)
    df = band_df(growth, design)
    data = pd.concat(
        [_model_lines(growth.judged, centres, weeks, df), _observed(growth, design, third, weeks)],
        ignore_index=True,
    )
    data["panel"] = "Clients of the same therapist" if divided else "Clients"
    two = divided and "early_therapist" in design.predictors(split=True)
    centre = "the therapist's mean" if divided else "the mean of all clients"
    names = [
        f"{_THIRDS[g]} ({f'{centres[g]:+.1f}'.replace('-', MINUS)} {a} points from {centre})"
        for g in range(3)
    ]
    data["label"] = data["group"].map(dict(enumerate(names)))
    ends = data[data["kind"] == "model"].groupby("group")["value"].last()
    if two:
        data = pd.concat([data, _therapist_panel(growth, design, weeks, df)], ignore_index=True)
    alt = (
        f"Line chart of {y} over {weeks:.0f} {choices.time}s after {choices.window}. Model-implied scores at the end: "
        + "; ".join(f"{_THIRDS[int(g)]} of early alliance {number(v)}" for g, v in ends.items())
        + "."
    )
    return FigureSpec(
        name="course",
        title=f"{y} after the early window, by early alliance"
        + (
            " among clients of the same therapist, and of therapists"
            if two
            else " among clients of the same therapist" * divided
        ),
        caption="Lines: scores that the model expects for clients with average values of the adjustment "
        f"variables; bands: 95 % intervals (t with {df:.0f} df). Points: observed means of each "
        f"{choices.time}, adjusted in the same way; larger points mean more clients. Means of fewer "
        f"than {SMALLEST_CELL} clients are not shown."
        + " Below: the same for therapists by their mean alliance."
        * (len(set(data["panel"])) > 1),
        alt=alt,
        how_to_read="If the lines move apart over time, clients with different early alliance have different "
        "rates of change.",
        section="answer",
        data=data,
        columns=(
            Column("panel", "Compared"),
            Column("label", "Early alliance"),
            Column("kind", "What"),
            Column("weeks", f"{choices.time.title()}s after the window", "number"),
            Column("value", f"{y}", "number", of="n"),
            Column("low", "95 % low", "number", of="n"),
            Column("high", "95 % high", "number", of="n"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(
            plots.lines,
            x="weeks",
            y="value",
            by="group",
            ordered=True,
            band=True,
            panel="panel" if len(set(data["panel"])) > 1 else "",
            x_label=f"{choices.time.title()}s after {choices.window}",
            y_label=f"{y} (points)",
        ),
    )


def _thirds(design: EarlyDesign) -> tuple[list[float], pd.Series]:
    """Mean client deviation of each third, and the third of each client."""
    column = "early_client" if "early_client" in design.predictors(split=True) else "early_total"
    rank = design.clients[column].rank(method="first")
    third = np.minimum((3 * (rank - 1) // len(rank)).astype(int), 2)
    centres = design.clients.groupby(third)[column].mean()
    return [float(centres.get(g, 0.0)) for g in range(3)], pd.Series(
        third.to_numpy(), index=design.clients["client"]
    )


def _therapist_panel(growth: Fitted, design: EarlyDesign, weeks: float, df: float) -> pd.DataFrame:
    """Courses of clients of therapists with a low, a middle and a high mean alliance, by the model; three thirds of the therapists."""
    means = design.clients.groupby("therapist")["early_therapist"].first()
    rank = means.rank(method="first")
    third = np.minimum((3 * (rank - 1) // len(rank)).astype(int), 2)
    centres = [float(v) for v in means.groupby(third).mean()]
    if len(centres) < len(_THIRDS):
        return pd.DataFrame()
    data = _model_lines(growth, centres, weeks, df, "early_therapist")
    a = design.choices.alliance.instrument.label
    names = [
        f"{_THIRDS[g]} of therapists ({f'{centres[g]:+.1f}'.replace('-', MINUS)} {a} points from the mean of all clients)"
        for g in range(3)
    ]
    return data.assign(
        label=data["group"].map(dict(enumerate(names))),
        group=data["group"] + 3,
        panel="Therapists compared with each other",
    )


def _alliance_column(growth: Fitted) -> str:
    names = [str(n) for n in growth.result.params.index]
    return "early_client" if "early_client" in names else "early_total"


def band_df(growth: Fitted, design: EarlyDesign) -> float:
    """One df for all bands of the figure: therapists (without them, clients) minus 1 minus predictors of that level.

    Satterthwaite's df differ from line to line, and can be below 2 for a line whose standard error is the smallest: then
    the middle third had the widest band.
    """
    if growth.structure.therapist:
        return therapist_df(design.n_therapists, design.therapist_predictors())
    return therapist_df(design.n_clients, len(design.predictors(split=True)))


def _model_lines(
    growth: Fitted, centres: list[float], weeks: float, df: float, column: str = ""
) -> pd.DataFrame:
    column = column or _alliance_column(growth)
    rows = []
    for group, centre in enumerate(centres):
        for week in np.linspace(0, weeks, 13):
            weights = {"Intercept": 1.0, "weeks": week, column: centre, f"weeks:{column}": centre * week}
            c = growth.combination(weights)
            c = t_inference(c["estimate"], c["se"], df)
            rows.append((group, "model", week, c["estimate"], c["ci_low"], c["ci_high"], np.nan))
    return pd.DataFrame(rows, columns=["group", "kind", "weeks", "value", "low", "high", "n"])


def _observed(growth: Fitted, design: EarlyDesign, third: pd.Series, weeks: float) -> pd.DataFrame:
    """Weekly means by third, with the effect of the other predictors taken out."""
    rows = design.rows.assign(group=design.rows["client"].map(third))
    column = _alliance_column(growth)
    other = [p for p in design.predictors(split=True) if p != column]
    params = growth.result.params
    adjust = sum(
        (rows[p] * (params[p] + params[f"weeks:{p}"] * rows["weeks"]) for p in other), start=0.0 * rows["y"]
    )
    rows = rows.assign(value=rows["y"] - adjust, week=rows["weeks"].round())
    rows = rows[rows["week"].between(1, weeks)]
    cells = (
        rows.groupby(["group", "week"]).agg(value=("value", "mean"), n=("client", "nunique")).reset_index()
    )
    cells = cells[cells["n"] >= SMALLEST_CELL].rename(columns={"week": "weeks"})
    return cells.assign(kind="observed", low=np.nan, high=np.nan)[
        ["group", "kind", "weeks", "value", "low", "high", "n"]
    ]


def correlation_figure(estimates: list[Estimate], b: Benchmark) -> FigureSpec:
    """The correlations beside the published one."""
    rows: list[dict[str, Any]] = [
        {
            "label": _SHORT.get(e.id, e.label.split(" (")[0].split(":")[0]),
            "estimate": e.estimate,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
            "n": e.n,
        }
        for e in estimates
        if e.id in {"r_zero", "r_intake", "r_total", "r_within", "r_between"}
    ]
    rows.sort(key=lambda row: row["label"] not in _SHORT.values())
    rows.append({"label": b.label, "estimate": b.r, "ci_low": b.low, "ci_high": b.high})
    data = pd.DataFrame(rows)
    told = [
        say(
            "{label} {r} ({r:interval})",
            label=r["label"],
            r=Number(r["estimate"], low=r["ci_low"], high=r["ci_high"], n=r.get("n", np.inf)),
        )
        for r in rows
    ]
    alt = "Estimates with 95 % intervals: " + joined(told, "; ")
    return FigureSpec(
        name="correlations",
        title="Early alliance and outcome as correlations, compared with published studies",
        caption="Points: correlations with the last score as published studies compute them, and partial correlations with the "
        "change from intake to the last score; lines: 95 % intervals. A positive number means that clients with a better "
        "alliance have a better outcome. Green band: the result of a published meta-analysis (total, not split), which is not "
        "part of this analysis.",
        alt=alt + ".",
        how_to_read="If a line crosses zero, the direction is not clear.",
        section="results",
        data=data,
        columns=(
            Column("label", "Effect"),
            Column("estimate", "r", "number", of="n"),
            Column("ci_low", "95 % low", "number", of="n"),
            Column("ci_high", "95 % high", "number", of="n"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(
            plots.forest,
            x_label="Correlation (r)",
            band=(b.low, b.high),
            band_label="published meta-analysis",
        ),
    )


def sensitivity_figure(table: pd.DataFrame, design: EarlyDesign) -> FigureSpec | None:
    """Effects within therapists on the course and on the end point under every window and adjustment, if there are any."""
    parts = []
    panels = {
        "slope": f"{design.choices.rate.capitalize()} per alliance point",
        "end": "Change from intake per alliance point",
    }
    for kind, panel in panels.items():
        if f"{kind}_within" not in table:
            continue
        part = pd.DataFrame(
            {
                "label": table["window"].str.replace("sessions ", "").str.replace("session ", "")
                + " · "
                + table["adjusted"],
                "panel": panel,
                "estimate": table[f"{kind}_within"],
                "ci_low": table[f"{kind}_within_low"],
                "ci_high": table[f"{kind}_within_high"],
                "main": table["main"],
                "clients": table["clients"],
            }
        )
        parts.append(part)
    if not parts:
        return None
    data = pd.concat(parts, ignore_index=True).dropna(subset=["estimate"])
    y = design.choices.outcome.instrument.label
    low, high = data.groupby("panel")["estimate"].min(), data.groupby("panel")["estimate"].max()
    alt = f"Effect of early alliance {design.among} under other windows and adjustments. " + " ".join(
        f"{p}: from {number(low[p])} to {number(high[p])}." for p in low.index
    )
    return FigureSpec(
        name="sensitivity",
        title="Does the answer depend on the window and on the adjustment?",
        caption=f"Points: effect of early alliance {design.among}; lines: 95 % intervals. Filled point: the main analysis.",
        alt=alt,
        how_to_read="If all points are on the same side of zero, the direction does not depend on these "
        "choices.",
        section="sensitivity",
        data=data,
        columns=(
            Column("label", "Window and adjustment"),
            Column("panel", "Effect on"),
            Column("estimate", "Estimate", "number", of="clients"),
            Column("ci_low", "95 % low", "number", of="clients"),
            Column("ci_high", "95 % high", "number", of="clients"),
            Column("main", "Main analysis"),
            Column("clients", "Clients", "count"),
        ),
        draw=partial(plots.forest, panel="panel", x_label=f"{y} points"),
    )
