"""The figures of the multiverse report."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Number, say
from alliance_longitudinal.analyses.multiverse.compute import Multiverse
from alliance_longitudinal.analyses.multiverse.grid import AXES
from alliance_longitudinal.present import Column, FigureSpec, plots


def main_curve(found: Multiverse) -> FigureSpec | None:
    """The curve of the main question, over what it would be without an effect."""
    rows = np.array([q == found.question for q in found.questions])
    curve = found.of(found.question)
    if curve is None or len(curve.table) < 2:
        return None
    table = curve.table.assign(main=(np.arange(len(rows)) == found.main)[rows])
    data = _ordered(table)
    band = curve.null_band()
    data = data.assign(low=band["lower"].to_numpy(), high=band["upper"].to_numpy())
    return _figure(
        "curve",
        f"Every analysis of the main question: {found.question}",
        "Points: estimates in order, lines: their 95 % intervals; grey band: where the curve lies in 95 % of permuted data, in "
        "which the alliance has no effect. The marks below show the choices behind each estimate.",
        "If the curve lies outside the grey band, chance does not explain it. If a kind of mark is on one side only, this "
        "choice moves the answer.",
        "answer",
        data,
        _options(found),
        [*_NULL],
    )


def every_curve(found: Multiverse) -> FigureSpec | None:
    """All analyses, whatever they ask."""
    table = found.curve.table.assign(main=np.arange(len(found.questions)) == found.main)
    data = _ordered(table)
    if len(set(found.questions)) < 2 or len(data) < 2:
        return None
    return _figure(
        "every_curve",
        "Every analysis, whatever part of the alliance and whichever clients it is about",
        "Points: estimates in order, lines: their 95 % intervals. The analyses do not all ask the same question, so the figure "
        "shows what the choices do, not the size of one effect.",
        "If a kind of mark is on one side only, this choice moves the answer.",
        "sensitivity",
        data,
        _options(found),
        [],
    )


def _options(found: Multiverse) -> dict[str, list[str]]:
    """The options of each choice in the order of the grid."""
    return {c: list(dict.fromkeys(found.curve.table[c])) for c in AXES if c in found.curve.table}


_NULL = (
    Column("low", "Without an effect, low", "number", of="n"),
    Column("high", "Without an effect, high", "number", of="n"),
)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    known = table.dropna(subset=["estimate"]).sort_values("estimate", kind="stable", ignore_index=True)
    return known.rename(columns={"lower": "ci_low", "upper": "ci_high"}).astype({"n": int})


def _figure(
    name: str,
    title: str,
    caption: str,
    how_to_read: str,
    section: str,
    data: pd.DataFrame,
    order: dict[str, list[str]],
    more: list[Column],
) -> FigureSpec:
    choices = {c: AXES[c] for c in AXES if c in data and len(set(data[c])) > 1}
    fixed = [c for c in AXES if c in data and c not in choices]
    keys = [*choices, *fixed, "main", "estimate", "ci_low", "ci_high", "n", *(c.key for c in more)]
    alt = say(
        "{k} estimates from {low} to {high} standard deviations, median {median}.",
        k=Number(len(data), "integer"),
        low=Number(float(data["estimate"].min())),
        high=Number(float(data["estimate"].max())),
        median=Number(float(data["estimate"].median())),
    )
    return FigureSpec(
        name=name,
        title=title,
        caption=caption,
        alt=alt,
        how_to_read=how_to_read,
        section="answer" if section == "answer" else "sensitivity",
        data=data[keys],
        columns=(
            *(Column(c, AXES[c]) for c in (*choices, *fixed)),
            Column("main", "Main analysis"),
            Column("estimate", "Estimate", "number", of="n"),
            Column("ci_low", "95 % low", "number", of="n"),
            Column("ci_high", "95 % high", "number", of="n"),
            Column("n", "Clients", "count"),
            *more,
        ),
        draw=partial(
            plots.curve,
            y_label="Standard deviations of outcome per SD of alliance",
            choices=choices,
            order={c: [o for o in order[c] if o in set(data[c])] for c in choices},
            band_label="without an effect" if more else "",
        ),
    )
