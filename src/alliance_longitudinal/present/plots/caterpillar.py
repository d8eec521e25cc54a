"""Groups in order, each with two intervals."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn


def caterpillar(
    data: pd.DataFrame, *, panel: str, names: tuple[str, str], x_label: str, y_label: str
) -> "Drawn":
    """Estimates in rising order, with a long interval to read and a short one to compare by; one panel each.

    Parameters
    ----------
    data : DataFrame
        ``panel``, ``place`` (1, 2, ...), ``estimate``, ``low, high`` and ``compare_low, compare_high``.
    panel : str
        Column with the names of the panels, which are written above them.
    names : tuple of str
        Names of the long and of the short intervals.
    x_label, y_label : str
    """
    panels = list(dict.fromkeys(data[panel]))
    figure, axes = style.new(0.7 + 2.6 * len(panels), rows=len(panels))
    for ax, name in zip(axes, panels, strict=True):
        part = data[data[panel] == name]
        ax.axhline(0.0, color=style.DARK, linewidth=1)
        ax.vlines(part["place"], part["low"], part["high"], color=style.BLUE, linewidth=1.4, label=names[0])
        ax.vlines(
            part["place"],
            part["compare_low"],
            part["compare_high"],
            color=style.GREY,
            alpha=0.5,
            linewidth=6,
            label=names[1],
        )
        ax.scatter(part["place"], part["estimate"], color=style.BLUE, s=18, zorder=3)
        ax.set_title("\n".join(style.lines_of(name, 60)), fontsize=10)
        ax.set_ylabel("\n".join(style.lines_of(y_label, 26)))
        ax.set_xlabel(style.text(x_label) if name == panels[-1] else "")
        ax.locator_params(axis="x", integer=True, nbins=9)
        ax.grid(visible=False, axis="x")
    style.legend(figure, 2)
    return figure
