"""The figures about therapists, for people who may see the data. No therapist is named."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Number, joined, say
from alliance_longitudinal.analyses.variance_partition.therapists import (
    MIN_OWN_CLIENTS,
    Therapists,
)
from alliance_longitudinal.labels import listing
from alliance_longitudinal.language import translated
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Fewer marks than this are no picture of an order.
_FEWEST = 3
#: Points of the curves of a funnel.
_CURVE = 40


def caterpillar_figure(every: list[Therapists]) -> FigureSpec | None:
    """Therapists in order, those that may be shown; None if no model has three of them."""
    parts = []
    for own in every:
        shown = own.frame[own.frame["shown"]]
        if len(shown) >= _FEWEST:
            parts.append(
                pd.DataFrame(
                    {
                        "panel": own.divided.words,
                        "place": np.arange(1, len(shown) + 1),
                        "estimate": shown["mode"].to_numpy(),
                        "low": shown["lower"].to_numpy(),
                        "high": shown["upper"].to_numpy(),
                        "compare_low": shown["compare_lower"].to_numpy(),
                        "compare_high": shown["compare_upper"].to_numpy(),
                        "clients": shown["clients"].to_numpy(),
                    }
                )
            )
    if not parts:
        return None
    data = pd.concat(parts, ignore_index=True)
    instruments = [own.divided.measure.instrument for own in every]
    worse = [i.label for i in instruments if i.direction == "higher_worse"]
    said = [
        say(
            "{panel}: {n} of {all:noun}, from {low} to {high}",
            panel=part["panel"].iloc[0],
            n=Number(len(part), "integer"),
            all=Number(len(own.frame), "integer", "therapist"),
            low=Number(float(part["estimate"].min())),
            high=Number(float(part["estimate"].max())),
        )
        for part, own in zip(parts, [o for o in every if o.frame["shown"].sum() >= _FEWEST], strict=True)
    ]
    return FigureSpec(
        name="therapists",
        title="Therapists in order",
        caption=say(
            "Each mark: one therapist's estimated difference from the average, in points of the scale{worse}. Estimates of few clients are "
            "pulled towards the average. Only therapists with at least {n} clients and a reliability of at least one half are shown, and "
            "nobody is named.",
            n=Number(MIN_OWN_CLIENTS, "integer"),
            worse=say(" (more {labels} points are worse)", labels=listing(worse)) if worse else "",
        ),
        alt=say("Therapists' estimates in order. {said}.", said=joined(said, "; ")),
        how_to_read="A therapist differs clearly from the average if the thin line does not cross zero. Two therapists differ clearly "
        "if their thick lines do not overlap.",
        section="results",
        data=data,
        columns=(
            Column("panel", "Model"),
            Column("place", "Place", "integer"),
            Column("clients", "Clients", "count"),
            Column("estimate", "Estimate", "number", of="clients"),
            Column("low", "95 % low", "number", of="clients"),
            Column("high", "95 % high", "number", of="clients"),
            Column("compare_low", "To compare, low", "number", of="clients"),
            Column("compare_high", "To compare, high", "number", of="clients"),
        ),
        draw=partial(
            plots.caterpillar,
            panel="panel",
            names=(translated("95 % interval"), translated("interval to compare two therapists")),
            x_label=translated("Therapists, in order"),
            y_label=translated("Difference from the average"),
        ),
        single_people=True,
    )


def funnel_figure(own: Therapists) -> FigureSpec | None:
    """Therapists' means by their number of clients, between the limits of chance; None with fewer than three."""
    frame = own.frame
    if len(frame) < _FEWEST or not np.isfinite(own.sigma):
        return None
    n = np.unique(np.geomspace(frame["clients"].min(), frame["clients"].max(), _CURVE).round())
    chance = 1.96 * own.sigma / np.sqrt(n)
    band = pd.DataFrame({"kind": "model", "clients": n, "mean": 0.0, "low": -chance, "high": chance, "n": 1})
    marks = frame.sort_values("clients", kind="stable")
    points = pd.DataFrame({"kind": "observed", "clients": marks["clients"], "mean": marks["mean"], "n": 1})
    outside = int((frame["mean"].abs() > 1.96 * own.sigma / np.sqrt(frame["clients"])).sum())
    return FigureSpec(
        name="funnel",
        title=say("{what}: therapists by their number of clients", what=own.divided.words),
        caption="Each mark: the average of one therapist's clients, less what is expected of clients with their intake scores (and "
        "covariates). Band: where 95 % of the averages would be if therapists did not differ. Nobody is named.",
        alt=say(
            "Therapists' averages by number of clients; {outside} of {all:noun} {outside:is|are} outside the limits of chance.",
            outside=Number(outside, "integer"),
            all=Number(len(frame), "integer", "therapist"),
        ),
        how_to_read="Averages of few clients vary more by chance, so the band is wide on the left. One in twenty marks is outside the "
        "band by chance alone.",
        section="results",
        data=pd.concat([band, points], ignore_index=True),
        columns=(
            Column("kind", "What"),
            Column("clients", "Clients", "count"),
            Column("mean", "Average", "number", of="clients"),
            Column("low", "Band low", "number", of="clients"),
            Column("high", "Band high", "number", of="clients"),
            Column("n", "Therapists", "integer"),
        ),
        draw=partial(
            plots.lines,
            x="clients",
            y="mean",
            band=True,
            x_label=translated("Clients of the therapist"),
            y_label=say("{label} points", label=own.divided.measure.instrument.label),
        ),
        single_people=True,
    )
