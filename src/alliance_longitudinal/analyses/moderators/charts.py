"""The figures of the report on moderators."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import ESTIMATE, Estimate, Number, estimate_frame, joined, say
from alliance_longitudinal.analyses.moderators.compute import Model
from alliance_longitudinal.analyses.moderators.estimates import Numbers, per
from alliance_longitudinal.analyses.moderators.probe import Line
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Steps of the moderator whose clients are counted at the foot of the figure.
STEPS = 12


def figures(main: Model, numbers: Mapping[str, Numbers], weeks: float) -> list[FigureSpec]:
    """The effect by the main moderator, and how much it differs by each of them."""
    own = next(iter(numbers.values()))
    y, unit = main.design.asked.outcome.instrument.label, per(main)
    if own.line is not None:
        first = line_figure(main, own.line, unit)
    else:
        first = forest_figure(
            "slope",
            f"The effect of the alliance, by {main.design.moderator.label}",
            own.slopes,
            unit,
            "Effect of early alliance among clients of the same therapist in each category, with 95 % intervals.",
        )
    scaled = [e for other in numbers.values() for e in other.scaled]
    over = f" over {weeks:.0f} {main.design.asked.time}s" if main.kind == "slope" else ""
    second = forest_figure(
        "differences",
        "How much the effect of the alliance differs",
        scaled,
        f"{y} points{over}",
        "Difference in the effect of one standard deviation of early alliance: for one standard deviation more of a number, or between "
        "categories; 95 % intervals, not corrected for the number of moderators.",
    )
    return [first, second]


def line_figure(model: Model, line: Line, unit: str) -> FigureSpec:
    """The effect of the alliance along a number with its band; points at the foot are the clients."""
    design = model.design
    label, table = design.moderator.label, line.slopes
    low, high = float(table["lower"].min()), float(table["upper"].max())
    foot = low - 0.08 * (high - low)
    curve = pd.DataFrame(
        {
            "kind": "model",
            "value": line.values,
            "slope": table["estimate"].to_numpy(),
            "low": table["lower"].to_numpy(),
            "high": table["upper"].to_numpy(),
            "n": np.nan,
        }
    )
    data = pd.concat([curve, _clients(model, line, foot)], ignore_index=True)
    ends = [
        say(
            "{slope} at {value}",
            slope=Number(float(table["estimate"].iloc[k]), n=design.n),
            value=Number(float(line.values[k]), n=design.n),
        )
        for k in (0, -1)
    ]
    return FigureSpec(
        name="slope",
        title=f"The effect of the alliance, by {label}",
        caption="Line: effect of early alliance among clients of the same therapist, along the moderator; band: 95 % interval at each value. "
        "Points at the foot: clients by their value; larger points mean more clients.",
        alt=f"The effect of early alliance along {label}: " + joined(ends, ", ") + ".",
        how_to_read="Where the band does not include zero, the effect is clear. A sloping line means that the effect differs.",
        section="answer",
        data=data,
        columns=(
            Column("kind", "What"),
            Column("value", label, "number"),
            Column("slope", "Effect of the alliance", "number"),
            Column("low", "95 % low", "number"),
            Column("high", "95 % high", "number"),
            Column("n", "Clients", "count"),
        ),
        draw=partial(
            plots.lines,
            x="value",
            y="slope",
            band=True,
            reference=0.0,
            x_label=label,
            y_label=f"Effect ({unit})",
        ),
    )


def _clients(model: Model, line: Line, foot: float) -> pd.DataFrame:
    """Clients in steps of the moderator."""
    raw = model.design.clients["moderator"].to_numpy(float)
    counts, edges = np.histogram(raw, bins=STEPS, range=(line.values[0], line.values[-1]))
    middles = (edges[:-1] + edges[1:]) / 2
    seen = counts > 0
    return pd.DataFrame(
        {
            "kind": "observed",
            "value": middles[seen],
            "slope": foot,
            "low": np.nan,
            "high": np.nan,
            "n": counts[seen],
        }
    )


def forest_figure(name: str, title: str, rows: Sequence[Estimate], x_label: str, caption: str) -> FigureSpec:
    """Effects with intervals, one line each."""
    said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in rows]
    return FigureSpec(
        name=name,
        title=title,
        caption=caption,
        alt="Estimates with 95 % intervals. " + joined(said, "; ") + ".",
        how_to_read="The point is the estimate, the line its 95 % interval. If the line crosses zero, the direction is not clear.",
        section="answer",
        data=estimate_frame(list(rows))[["label", "estimate", "ci_low", "ci_high", "n"]],
        columns=(Column("label", "Of"), *ESTIMATE, Column("n", "Rows", "count")),
        draw=partial(plots.forest, x_label=x_label),
    )
