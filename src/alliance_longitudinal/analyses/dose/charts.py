"""The figures of the report on dose."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dose.compute import Times, improved
from alliance_longitudinal.analyses.dose.design import Dose
from alliance_longitudinal.analyses.kit import Number, curves_figure, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Fewest scores behind a mean that is shown.
FEW = 10


def improvement_figure(times: Times, n: int) -> FigureSpec:
    """Share with a reliable improvement by session, in treatment and as if nobody had left."""
    parts = []
    for label, found in (
        ("improved while in treatment", times.competing),
        ("as if nobody had left", times.km),
    ):
        table = improved(found)[["time", "estimate", "lower", "upper"]]
        table = table.rename(columns={"time": "session", "lower": "low", "upper": "high"})
        start = pd.DataFrame({"session": [0.0], "estimate": [0.0], "low": [0.0], "high": [0.0]})
        parts.append(pd.concat([start, table], ignore_index=True).assign(label=label, n=n))
    return curves_figure(
        pd.concat(parts, ignore_index=True),
        name="improvement",
        title="Reliable improvement by session",
        caption="Lines: share of clients whose score had improved reliably at least once; bands: 95 % intervals. Lower line: clients who left "
        "without improvement have not improved. Upper line (Kaplan-Meier): as if they had gone on like the others.",
        alt="Share of clients with a reliable improvement by the last session: ",
        how_to_read="The line rises where clients improve for the first time. The gap between the lines shows how much depends on those who left.",
        heads=("Share", "Session", "Improved reliably"),
    )


def length_figure(dose: Dose, label: str) -> FigureSpec | None:
    """Mean scores by session for treatments of different length; None with fewer than two lengths."""
    scores = dose.scores
    lengths = scores.groupby("client")["length"].first()
    if lengths.nunique() < 3:
        return None
    cuts = np.quantile(lengths, [1 / 3, 2 / 3])
    if cuts[0] == cuts[1]:
        return None
    third = np.searchsorted(cuts, scores["length"].to_numpy(float), side="left")
    whole = (lengths + dose.mean_length).to_numpy(float)
    ends = [whole.min(), *(cuts + dose.mean_length), whole.max()]
    names = [
        f"ended by session {ends[1]:.0f}",
        f"ended in sessions {ends[1] + 1:.0f} to {ends[2]:.0f}",
        f"ended after session {ends[2]:.0f}",
    ]
    rows = scores.assign(part=third).groupby(["part", "session"])["y"].agg(["size", "mean"]).reset_index()
    rows = rows[rows["size"] >= FEW].assign(label=lambda d: [names[k] for k in d["part"]])
    if rows["label"].nunique() < 2:
        return None
    data = rows.rename(columns={"size": "n", "mean": "y"})[["label", "session", "n", "y"]]
    last = data.groupby("label", sort=False).tail(1)
    said = [
        say(
            "{label}: {y} at session {s}",
            label=r.label,
            y=Number(float(r.y), n=int(r.n)),
            s=str(int(r.session)),
        )
        for r in last.itertuples()
    ]
    return FigureSpec(
        name="length",
        title=f"{label} by length of treatment",
        caption="Lines: mean scores at each session, by thirds of the length of treatment. Means of few scores are left out.",
        alt=f"Mean {label} by session and length of treatment. " + joined(said, "; ") + ".",
        how_to_read="If the lines of short treatments fall faster and end at about the same level, clients may have stayed until they were well "
        "enough. If all lines fall alike, those who stay longer improve more in all.",
        section="answer",
        data=data,
        columns=(
            Column("label", "Length of treatment"),
            Column("session", "Session", "integer"),
            Column("n", "Scores", "count"),
            Column("y", "Mean", "number", of="n"),
        ),
        draw=partial(
            plots.lines, x="session", y="y", by="label", ordered=True, x_label="Session", y_label=label
        ),
    )
