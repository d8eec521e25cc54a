"""Two scores of the same people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn

#: Area of the largest and of the smallest circle, in square points.
_LARGEST, _SMALLEST, _IN_LEGEND = 190.0, 14.0, 60.0


def points(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str,
    colours: Mapping[str, str],
    x_label: str,
    y_label: str,
    cut: float | None = None,
) -> "Drawn":
    """Scores before and after, with the band of no change and a cut-off.

    Parameters
    ----------
    data : DataFrame
        ``kind`` (``clients`` or ``band``), ``x``; for clients ``y``, ``by`` and ``n`` (how many have these scores, which is
        the area of the circle); for the band ``low`` and ``high``.
    by : str
        Column whose values have a colour and a place in the legend.
    colours : mapping
        Colour of each value of ``by``, in the order of the legend.
    cut : float or None
        Where a dashed line divides both axes.
    """
    from matplotlib.collections import PathCollection

    band = data[data["kind"] == "band"]
    circles = data[data["kind"] == "clients"]
    figure, (ax,) = style.new(5.2)
    ax.fill_between(band[x], band["low"], band["high"], color=style.GREY, alpha=0.16, linewidth=0)
    ax.plot(band[x], band[x], color=style.GREY, linewidth=1)
    if cut is not None:
        ax.axhline(cut, color=style.DARK, linestyle="--", linewidth=1.1)
        ax.axvline(cut, color=style.DARK, linestyle="--", linewidth=1.1)
    most = float(circles["n"].max()) if len(circles) else 1.0
    for name, colour in colours.items():
        own = circles[circles[by] == name]
        if len(own):
            size = _SMALLEST + (_LARGEST - _SMALLEST) * (own["n"].astype(float) - 1) / max(most - 1, 1)
            ax.scatter(
                own[x],
                own[y].astype(float),
                s=size,
                label=style.text(name),
                color=colour,
                alpha=0.75,
                edgecolor=style.DARK,
                linewidth=0.4,
            )
    low, high = float(band[x].min()), float(band[x].max())
    room = 0.03 * (high - low) or 1.0  # everybody has the same score before and after
    ends = low - room, high + room
    ax.set(xlabel=style.text(x_label), ylabel=style.text(y_label), xlim=ends, ylim=ends)
    if len(circles):
        style.legend(figure, 3)
        for circle in figure.legends[0].legend_handles:
            if isinstance(circle, PathCollection):  # the size says how many clients, not which category
                circle.set_sizes([_IN_LEGEND])
    return figure
