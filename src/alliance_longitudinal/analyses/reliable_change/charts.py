"""The figures of the reliable-change report, each with the data behind it."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Count, Share, joined, say
from alliance_longitudinal.analyses.reliable_change.compute import AllMethods
from alliance_longitudinal.methods.psychometrics.change.classify import RELATIVE
from alliance_longitudinal.present import Column, FigureSpec, plots
from alliance_longitudinal.present.plots import style

#: From best to worst.
_CATEGORY_COLOURS = {
    "recovered": style.GREEN,
    "improved": style.PALE_GREEN,
    "unchanged": style.PALE_GREY,
    "deteriorated": style.PALE_ORANGE,
    "harmed": style.ORANGE,
}


#: What a bar is called, where the method's own name says too little.
_BARS = {"points": "published points"}


def bars_figure(methods: AllMethods) -> FigureSpec:
    """Shares of the categories, one bar a method."""
    rows = [
        {
            "bar": _BARS.get(name, name) + " (compared with average)" * (name in RELATIVE),
            "part": part,
            "share": count / change.n,
            "n": count,
            "clients": change.n,
        }
        for name, change in methods.done.items()
        for part, count in change.counts.items()
    ]
    told = [
        joined([say("{part} {share}", part=part, share=Share(n, c.n)) for part, n in c.counts.items()], ", ")
        for c in methods.done.values()
    ]
    named = [say("{name}: {parts}", name=name, parts=t) for name, t in zip(methods.done, told, strict=True)]
    alt = "Stacked bars of the categories of change. " + joined(named, "; ")
    return FigureSpec(
        name="change_by_method",
        title="Categories of change, by method",
        caption="Bars: percent of clients in each category. A part too narrow for its number is in the "
        "table. All methods classify the same clients, but HLM needs three scores. Bars marked "
        "'compared with average' compare each client with the average change of this sample.",
        alt=alt + ".",
        how_to_read="The more the bars differ, the more the answer depends on the method.",
        section="results",
        data=pd.DataFrame(rows),
        columns=(
            Column("bar", "Method"),
            Column("part", "Category"),
            Column("share", "Share", "percent", of="n"),
            Column("n", "Clients", "count", total="clients"),
            Column("clients", "Of clients", "count"),
        ),
        draw=partial(plots.stacked, x_label="Share of clients", colours=_CATEGORY_COLOURS),
    )


def map_figure(methods: AllMethods, label: str) -> FigureSpec | None:
    """Scores of all clients before and after: a circle for each pair of scores, larger for more clients."""
    change = methods.chosen
    if change.index is None:
        return None
    known = change.frame.dropna(subset=["pre", "post", "category"])
    circles = known.groupby(["pre", "post", "category"], observed=True).size().rename("n").reset_index()
    ends = np.array([known[["pre", "post"]].min().min(), known[["pre", "post"]].max().max()], float)
    low, high = change.index.band(ends)
    band = pd.DataFrame({"kind": "band", "pre": ends, "low": low, "high": high})
    data = pd.concat([band, circles.assign(kind="clients")], ignore_index=True)
    better = "below" if methods.direction < 0 else "above"
    cut = None if change.cut is None else change.cut.value
    return FigureSpec(
        name="change_map",
        title=f"{label} before and after treatment",
        caption="Each circle stands for the clients with the same two scores; larger circles mean more "
        f"clients. Grey band: no reliable change by method {methods.main}. Diagonal line: no change "
        "at all" + (". Dashed lines: cut-off." if cut is not None else "."),
        alt=f"{label} before (across) and after (up) treatment. Circles {better} the grey band are reliably better: "
        + joined(
            [say("{name} {n}", name=name, n=Count(n, "client")) for name, n in change.counts.items()], ", "
        )
        + say(" of {n:noun}.", n=Count(change.n, "client")),
        how_to_read=f"Clients {better} the band improved reliably. The further from the line, the greater the "
        "change.",
        section="answer",
        data=data,
        columns=(
            Column("kind", "What"),
            Column("pre", "Before", "number"),
            Column("post", "After", "number"),
            Column("category", "Category"),
            Column("n", "Clients", "count"),
            Column("low", "Band low", "number"),
            Column("high", "Band high", "number"),
        ),
        draw=partial(
            plots.points,
            x="pre",
            y="post",
            by="category",
            colours=_CATEGORY_COLOURS | {"unchanged": style.GREY},
            x_label=f"{label} before (points)",
            y_label=f"{label} after (points)",
            cut=cut,
        ),
        single_people=True,
    )
