"""Two scores of the same people, as counted cells."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.drawn import Drawn


def points(
    data: pd.DataFrame, *, x: str, y: str, x_label: str, y_label: str, cut: float | None = None
) -> "Drawn":
    """Scores before and after, with the band of no change and a cut-off.

    Parameters
    ----------
    data : DataFrame
        ``kind`` (``clients`` or ``band``), ``x``; for clients ``y`` (centre of the cell) and ``n``; for the band ``low`` and
        ``high``.
    cut : float or None
        Where a dashed line divides both axes.
    """
    figure, (ax,) = style.new(4.8)
    band = data[data["kind"] == "band"]
    cells = data[data["kind"] == "clients"]
    ax.fill_between(band[x], band["low"], band["high"], color=style.GREY, alpha=0.16, linewidth=0)
    ax.plot(band[x], band[x], color=style.GREY, linewidth=1)
    if cut is not None:
        ax.axhline(cut, color=style.ORANGE, linestyle="--", linewidth=1.3)
        ax.axvline(cut, color=style.ORANGE, linestyle="--", linewidth=1.3)
    if len(cells):
        size = 900 * cells["n"] / cells["n"].max()
        ax.scatter(cells[x], cells[y], s=size, color=style.BLUE, alpha=0.45, linewidth=0)
        for across, up, n in zip(cells[x], cells[y], cells["n"], strict=True):
            ax.text(across, up, f"{n:.0f}", ha="center", va="center", fontsize=9)
    span = float(band[x].min()), float(band[x].max())
    if span[0] == span[1]:  # everybody has the same score before and after
        span = span[0] - 1, span[1] + 1
    ax.set(xlabel=style.text(x_label), ylabel=style.text(y_label), xlim=span, ylim=span)
    return figure
