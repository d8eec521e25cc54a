"""Figures that more than one analysis shows."""

from functools import partial
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.labels import interval, number
from alliance_longitudinal.present import Column, FigureSpec, plots


def shares_figure(estimates: list[Estimate], bars: dict[str, str], title: str) -> FigureSpec:
    """Shares of variance; ``bars`` maps an id prefix to the name of its bar."""
    words = {"therapist": "therapists", "client": "clients", "session": "sessions"}
    rows: list[dict[str, Any]] = [
        {"bar": name, "part": words[e.level], "share": e.estimate, "ci_low": e.ci_low, "ci_high": e.ci_high}
        for prefix, name in bars.items()
        for e in estimates
        if e.id.startswith(f"{prefix}_") and e.unit == "share"
    ]
    data = pd.DataFrame(rows)
    alt = "Shares of variance. " + "; ".join(
        f"{r['bar']}, {r['part']}: {number(r['share'], 'percent')} ({interval(r['ci_low'], r['ci_high'], 'percent')})"
        for r in rows
    )
    return FigureSpec(
        name="variance_shares",
        title=title,
        caption="Bars: percent of the variance at each level. A part too narrow for its number is in the "
        "table, which also gives the intervals.",
        alt=alt + ".",
        how_to_read="The longer a part of a bar, the more of the differences lie at that level.",
        section="results",
        data=data,
        columns=(
            Column("bar", "Variance of"),
            Column("part", "Between"),
            Column("share", "Share", "percent", modelled=True),
            Column("ci_low", "95 % low", "percent", modelled=True),
            Column("ci_high", "95 % high", "percent", modelled=True),
        ),
        draw=partial(plots.stacked, x_label="Share of variance"),
    )
