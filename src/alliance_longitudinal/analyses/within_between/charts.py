"""The figures of the report."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import COUNT, ESTIMATE, Draft, Estimate, Fitted, Number, joined, say
from alliance_longitudinal.analyses.within_between.compute import TIME, slope_group
from alliance_longitudinal.analyses.within_between.design import Detrend
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column, FigureSpec, plots

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS = {
    "within": "Within clients: better than usual",
    "client": "Between clients",
    "therapist": "Between therapists",
}


def effects_figure(draft: Draft, a: Measure, y: Measure, detrend: tuple[Detrend, ...]) -> FigureSpec:
    """The three levels, each under every way to remove time."""
    marks = list(_marks(draft, detrend))
    data = pd.DataFrame(
        [
            {
                "level": PANELS[level],
                "label": words,
                "estimate": e.estimate,
                "ci_low": e.ci_low,
                "ci_high": e.ci_high,
                "n": e.n,
            }
            for level, words, e in marks
        ]
    )
    said = [
        say("{level}, {words}: {e} ({e:interval})", level=PANELS[level], words=words, e=e.number())
        for level, words, e in marks
    ]
    unit = f"{y.instrument.label} points per {a.instrument.label} point"
    return FigureSpec(
        name="levels",
        title="Three levels, by how time is removed",
        caption="Points: effect of one point of the alliance; lines: 95 % intervals. Each panel has its own scale.",
        alt="Effects of the alliance by level. " + joined(said, "; ") + ".",
        how_to_read="If the lines of a panel lie far apart, the result depends on how time is removed. If a line crosses zero, "
        "the direction is not clear.",
        section="answer",
        data=data,
        columns=(Column("level", "Level"), Column("label", "Time"), *ESTIMATE, COUNT),
        draw=partial(plots.forest, panel="level", x_label=unit),
    )


def _marks(draft: Draft, detrend: tuple[Detrend, ...]) -> "Iterator[tuple[str, str, Estimate]]":
    for d in detrend:
        if (e := draft[f"within_{d}"]) is not None:
            yield "within", TIME[d], e
    for level in ("client", "therapist"):
        for d in detrend:
            identity = level if d == "common" else f"{level}_detrend_{d}"
            if (e := draft[identity]) is not None:
                yield level, TIME[d], e
    if (e := draft["therapist_latent_ml"]) is not None:
        yield "therapist", f"{TIME['common']}; latent means", e


def slopes_figure(fitted: Fitted, a: Measure, y: Measure) -> FigureSpec | None:
    """Effects of single clients in order; None where they do not differ. Not for outsiders."""
    group = slope_group(fitted)
    if group is None:
        return None
    random, spread = fitted.result.random_effects[group], fitted.result.random_effects_sd[group]
    own, sd = random["within"].to_numpy(float), spread["within"].to_numpy(float)
    if not np.ptp(own) > 0:
        return None
    order = np.argsort(own, kind="stable")
    mean = float(fitted.result.params["within"])
    half = 1.959963984540054 * sd[order]
    data = pd.DataFrame({"rank": np.arange(1, len(own) + 1), "estimate": mean + own[order]})
    data = data.assign(low=data["estimate"] - half, high=data["estimate"] + half)
    return FigureSpec(
        name="slopes",
        title="Effect within each client, in order",
        caption="Line: predicted effect of each client with the common course; band: 95 % prediction intervals. Predictions are "
        "drawn towards the mean, so clients differ more than the line shows.",
        alt=say(
            "Predicted effects within clients, from {low} to {high}.",
            low=Number(float(data["estimate"].iloc[0])),
            high=Number(float(data["estimate"].iloc[-1])),
        ),
        how_to_read="If the band of nearly all clients contains the mean, these data cannot say for which clients the effect differs.",
        section="results",
        data=data,
        columns=(
            Column("rank", "Client, in order", "integer"),
            Column("estimate", "Effect", "number"),
            Column("low", "95 % low", "number"),
            Column("high", "95 % high", "number"),
        ),
        draw=partial(
            plots.lines,
            x="rank",
            y="estimate",
            band=True,
            x_label="Clients, in order of the effect",
            y_label=f"{y.instrument.label} points per {a.instrument.label} point",
        ),
        single_people=True,
    )
