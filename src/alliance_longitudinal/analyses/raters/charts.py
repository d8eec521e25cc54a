"""The figures of the report on raters."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from alliance_longitudinal.analyses.kit import COUNT, ESTIMATE, Estimate, Number, estimate_frame, joined, say
from alliance_longitudinal.analyses.raters.design import Pair, Rated
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Fewest clients of a session whose difference is shown.
FEW = 10


def difference_figure(rated: Rated, pair: Pair) -> FigureSpec | None:
    """Mean difference by session with the limits of agreement (Bland & Altman); None with one session or scales of their own."""
    grouped = rated.rows.groupby("session")["apart"]
    data = pd.DataFrame({"n": grouped.size(), "mean": grouped.mean(), "sd": grouped.std()}).reset_index()
    data = data[data["n"] >= FEW].reset_index(drop=True)
    if pair.apart or len(data) < 2:
        return None
    data = data.assign(low=data["mean"] - 1.96 * data["sd"], high=data["mean"] + 1.96 * data["sd"])
    first, second = pair.first.rater, pair.second.rater
    said = [
        say(
            "session {s} {m}",
            s=str(int(r.session)),
            m=Number(float(r.mean), n=int(r.n)),
        )
        for r in data.itertuples()
    ]
    return FigureSpec(
        name="difference",
        title=f"{second.capitalize()} less {first}, by session",
        caption=f"Line: mean of the {second}'s rating less the {first}'s. Band: limits of agreement, within which 95 % of the single "
        "differences are expected. Sessions that few clients reached are left out.",
        alt=f"Mean of the {second}'s rating less the {first}'s: " + joined(said, ", ") + ".",
        how_to_read=f"Below zero the {second} rates lower. The wider the band, the less a single rating by one says about the other's.",
        section="answer",
        data=data[["session", "n", "mean", "low", "high"]],
        columns=(
            Column("session", "Session", "integer"),
            Column("n", "Clients", "count"),
            Column("mean", "Mean difference", "number", of="n"),
            Column("low", "Lower limit of agreement", "number", of="n"),
            Column("high", "Upper limit of agreement", "number", of="n"),
        ),
        draw=partial(
            plots.lines,
            x="session",
            y="mean",
            band=True,
            x_label="Session",
            y_label=f"Difference in {pair.unit}",
        ),
    )


def source_figure(estimates: Sequence[Estimate]) -> FigureSpec | None:
    """Forest of the correlations by source."""
    shown = [
        e
        for e in estimates
        if e.id.startswith(("source_", "cross_source_corrected")) and e.unit == "correlation"
    ]
    if not shown:
        return None
    shown.sort(key=lambda e: e.id == "cross_source_corrected")  # last
    said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in shown]
    return FigureSpec(
        name="sources",
        title="Early alliance and outcome, by who rated them",
        caption="Correlations within therapists with their 95 % intervals, given the score at the end of the early window. Above zero: clients with a "
        "better alliance had a better outcome.",
        alt="Correlations of alliance and outcome by source. " + joined(said, "; ") + ".",
        how_to_read="If the row with one rater of both lies far above the rows with two raters, part of the link may come from the rater "
        "and not from alliance and outcome.",
        section="answer",
        data=estimate_frame(shown)[["label", "estimate", "ci_low", "ci_high", "n"]],
        columns=(Column("label", "Source"), *ESTIMATE, COUNT),
        draw=partial(plots.forest, x_label="Correlation"),
    )
