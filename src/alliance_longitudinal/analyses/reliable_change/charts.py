"""The figures of the reliable-change report, each with the data behind it."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.reliable_change.cells import grid_counts
from alliance_longitudinal.analyses.reliable_change.compute import AllMethods
from alliance_longitudinal.labels import number
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


def bars_figure(methods: AllMethods) -> FigureSpec:
    """Shares of the categories, one bar a method."""
    rows = [
        {
            "bar": name + " (against average)" * (name in RELATIVE),
            "part": part,
            "share": count / change.n,
            "n": count,
        }
        for name, change in methods.done.items()
        for part, count in change.counts.items()
    ]
    alt = "Stacked bars of the categories of change. " + "; ".join(
        f"{name}: " + ", ".join(f"{part} {number(n / c.n, 'percent')}" for part, n in c.counts.items())
        for name, c in methods.done.items()
    )
    return FigureSpec(
        name="change_by_method",
        title="Categories of change, by method",
        caption="The same clients; HLM needs three scores. Bars marked 'against average' compare clients with the average "
        "change of this sample.",
        alt=alt + ".",
        how_to_read="Bars that differ show how much the answer depends on the method.",
        section="results",
        data=pd.DataFrame(rows),
        columns=(
            Column("bar", "Method"),
            Column("part", "Category"),
            Column("share", "Share", "percent", of="n"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(plots.stacked, x_label="Share of clients", colours=_CATEGORY_COLOURS),
    )


def map_figure(methods: AllMethods, label: str, smallest: int) -> FigureSpec | None:
    """Scores before and after as counts of at least ``smallest`` clients; no client is a point."""
    change = methods.chosen
    if change.index is None:
        return None
    known = change.frame.dropna(subset=["pre", "post"])
    pre, post = known["pre"].to_numpy(float), known["post"].to_numpy(float)
    cells = grid_counts(pre, post, smallest)
    ends = np.array([min(pre.min(), post.min()), max(pre.max(), post.max())])
    low, high = change.index.band(ends)
    band = pd.DataFrame({"kind": "band", "pre": ends, "low": low, "high": high})
    data = pd.concat([band, cells.assign(kind="clients")], ignore_index=True)
    better = "below" if methods.direction < 0 else "above"
    shown = int(cells["n"].sum())
    cut = None if change.cut is None else change.cut.value
    return FigureSpec(
        name="change_map",
        title=f"{label} before and after treatment",
        caption=f"Circles: clients with similar scores, at least {smallest} in each ({number(shown / len(pre), 'percent')} of "
        f"{len(pre)} clients); smaller groups are not shown. Grey band: no reliable change by method {methods.main}; line: no "
        "change at all" + ("; dashed: cut-off." if cut is not None else "."),
        alt=f"{label} before (across) and after (up) treatment. Circles {better} the grey band are reliably better: "
        + ", ".join(f"{name} {n}" for name, n in change.counts.items())
        + f" of {change.n} clients.",
        how_to_read=f"Circles {better} the band improved reliably; the further from the line, the more they changed.",
        section="answer",
        data=data,
        columns=(
            Column("kind", "What"),
            Column("pre", "Before", "number"),
            Column("post", "After", "number"),
            Column("n", "Clients", "count"),
            Column("low", "Band low", "number"),
            Column("high", "Band high", "number"),
        ),
        draw=partial(
            plots.points,
            x="pre",
            y="post",
            x_label=f"{label} before (points)",
            y_label=f"{label} after (points)",
            cut=cut,
        ),
    )
