"""The figures of the sudden-gains report."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Number, found_and_expected, joined, say
from alliance_longitudinal.analyses.sudden_gains.compute import Gains
from alliance_longitudinal.methods.basics.inference import half_width
from alliance_longitudinal.methods.psychometrics.gains.events import AROUND
from alliance_longitudinal.present import Column, FigureSpec, plots

_PLACES = ("N \u2212 2", "N \u2212 1", "N", "N + 1", "N + 2", "N + 3")


def around_figure(gains: Gains, label: str) -> FigureSpec | None:
    """Mean scores around each client's first gain; None where fewer than two clients have one."""
    scores = gains.ordered["score"].to_numpy(float)
    values = gains.found.values(scores)[gains.found.testable]
    gained = gains.table[gains.table["gain"]]
    first = gained.groupby("client").head(1).index.to_numpy()
    if len(first) < 2:
        return None
    rows: list[dict[str, Any]] = []
    for k, offset in enumerate(AROUND):
        own = values[first, k]
        own = own[~np.isnan(own)]
        half = half_width(own) if len(own) > 1 else np.nan
        mean = float(own.mean()) if len(own) else np.nan
        rows.append(
            {
                "place": _PLACES[k],
                "offset": offset,
                "mean": mean,
                "low": mean - half,
                "high": mean + half,
                "n": len(own),
            }
        )
    data = pd.DataFrame(rows)
    means = [say("session {place} {mean}", place=r["place"], mean=Number(r["mean"], n=r["n"])) for r in rows]
    alt = f"Mean {label} around the first sudden gain: " + joined(means, ", ")
    return FigureSpec(
        name="around_gains",
        title=f"{label} around the first sudden gain of each client",
        caption="Points: means of the clients; lines: 95 % t intervals. Shaded: the gain, between sessions "
        "N and N + 1. Clients were selected because they had a gain, so the change from N to N + 1 "
        "is there by definition.",
        alt=alt + ".",
        how_to_read="If gains last, the means after session N + 1 stay near that of session N + 1. If gains "
        "fade, they return towards the level before.",
        section="results",
        data=data,
        columns=(
            Column("place", "Session"),
            Column("offset", "From N", "integer"),
            Column("mean", "Mean", "number", of="n"),
            Column("low", "95 % low", "number", of="n"),
            Column("high", "95 % high", "number", of="n"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(
            plots.lines,
            x="offset",
            y="mean",
            names="place",
            span=(0, 1),
            x_label="Session",
            y_label=f"{label} (points)",
        ),
    )


def rules_figure(gains: Gains) -> FigureSpec | None:
    """Clients with a gain by each set of rules, beside what gradual change alone would produce."""
    if gains.main.expected is None:
        return None
    rows: list[dict[str, Any]] = []
    for v in gains.variants:
        if v.expected is not None:
            low, high = np.quantile(v.expected.gain_clients, [0.025, 0.975])
            rows.append(
                {
                    "label": v.words,
                    "whole": gains.clients,
                    "found": v.gain_clients,
                    "expected": float(np.mean(v.expected.gain_clients)),
                    "low": float(low),
                    "high": float(high),
                }
            )
    return found_and_expected(
        rows,
        {
            "rule": "Rules",
            "whole": "Clients",
            "found": "Clients with a gain",
            "bars": "expected from gradual change",
            "x": "Share of clients with a sudden gain",
        },
        title="Sudden gains found, and expected if everybody changed gradually",
        caption="Dots: share of clients with a gain. Grey bars: the middle 95 % of data sets that were "
        "simulated from gradual change and random fluctuation.",
        alt="Clients with a sudden gain, found and expected from gradual change.",
        how_to_read="A dot within its bar: no more gains than random fluctuation alone would produce.",
    )
