"""The figures of the report on therapists' development."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Number, joined, say
from alliance_longitudinal.analyses.therapist_development.compute import Change
from alliance_longitudinal.analyses.therapist_development.design import TEN, steps_of
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Points of a line; with more, the rounded numbers of a shareable report would look like a staircase.
_POINTS = 7


def course_figure(change: Change, label: str, better: str, smallest: int) -> FigureSpec:
    """The average therapist's scores over cases, with means of the clients in steps of ten cases."""
    data = _course(change, smallest)
    seen = data[data["kind"] == "observed"]
    said = [
        say("about case {x}: {y}", x=Number(float(r.x), "integer"), y=Number(float(r.y), n=float(r.n)))
        for r in seen.itertuples()
    ]
    kind = "alliance" if change.outcome == "alliance" else "symptoms"
    adjusted = " The means are adjusted for the score at intake." if change.outcome == "end" else ""
    return FigureSpec(
        name=f"{kind}_over_cases",
        title=f"{label} over therapists' cases",
        caption="Line: average change within therapists, with its 95 % interval. Points: means of the clients in steps of ten cases or more; the "
        f"larger, the more clients.{adjusted}",
        alt=f"{label} by case number. " + joined(said, "; ") + ".",
        how_to_read=f"A line that {better} means that later clients of a therapist do better than earlier ones. Means of late cases come only from "
        "therapists with many clients.",
        section="answer",
        data=data,
        columns=(
            Column("kind", "What"),
            Column("x", "Case number", "number"),
            Column("y", label, "number", of="n"),
            Column("low", "95 % low", "number"),
            Column("high", "95 % high", "number"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(
            plots.lines, x="x", y="y", band=True, x_label="Case number of the therapist", y_label=label
        ),
    )


def _course(change: Change, smallest: int) -> pd.DataFrame:
    rows = change.rows
    middle, most = float(rows["case"].mean()), float(rows["case"].max())
    grid = np.linspace(1.0, most, _POINTS)
    line = []
    for x in grid:
        row = change.fitted.combination({"Intercept": 1.0, "time": (x - middle) / TEN}, change.max_df)
        line.append(
            {
                "kind": "model",
                "x": x,
                "y": row["estimate"],
                "low": row["ci_low"],
                "high": row["ci_high"],
                "n": np.nan,
            }
        )
    values = rows[change.outcome].astype(float)
    if change.outcome == "end":
        slope = change.fitted.result.params.get("intake_c", 0.0)  # none where all begin alike
        values = values - float(slope) * rows["intake_c"]
    step = steps_of(rows["case"], smallest)
    means = (
        pd.DataFrame({"x": rows["case"], "y": values})
        .groupby(step, observed=True)
        .agg(x=("x", "mean"), y=("y", "mean"), n=("y", "size"))
    )
    seen = means.assign(kind="observed", low=np.nan, high=np.nan)
    return pd.concat([pd.DataFrame(line), seen], ignore_index=True)


def therapists_figure(change: Change, label: str, unit: str) -> FigureSpec | None:
    """The change of every therapist, drawn towards the mean by what is known of each; None if it is the same for all."""
    if not change.sd > 0:
        return None
    frame = change.fitted.result.caterpillar("therapist").frame
    own = frame[frame["effect"] == "time"].sort_values("mode").reset_index(drop=True)
    mean = float(change.fitted.result.params["time"])
    data = pd.DataFrame(
        {
            "place": np.arange(1, len(own) + 1),
            "value": mean + own["mode"],
            "low": mean + own["lower"],
            "high": mean + own["upper"],
        }
    )
    kind = "alliance" if change.outcome == "alliance" else "symptoms"
    above = int((data["value"] > 0).sum())
    return FigureSpec(
        name=f"therapists_{kind}",
        title=f"Change of {label}, therapist by therapist",
        caption="Each mark: the change of one therapist over ten cases, in order, drawn towards the mean, the more so the less is known about "
        "the therapist; lines: 95 % intervals. Therapists are not named.",
        alt=f"Change of {label} over ten cases of {len(data)} therapists; above zero for {above}.",
        how_to_read="If all lines overlap, the data do not show that therapists differ in their change.",
        section="checks",
        data=data,
        columns=(
            Column("place", "Place", "integer"),
            Column("value", "Change over ten cases", "number"),
            Column("low", "95 % low", "number"),
            Column("high", "95 % high", "number"),
        ),
        draw=partial(plots.lines, x="place", y="value", x_label="Therapist, in order", y_label=unit),
        single_people=True,
    )
