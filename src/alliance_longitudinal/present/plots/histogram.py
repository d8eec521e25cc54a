"""How values are distributed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn


def histogram(
    data: pd.DataFrame,
    *,
    panel: str,
    x_label: str,
    y_label: str,
    ends: Mapping[str, tuple[float, float]] | None = None,
) -> "Drawn":
    """Histograms, one panel each; the ends of the possible range are marked.

    Parameters
    ----------
    data : DataFrame
        ``panel``, ``low`` and ``high`` (ends of a bar), ``share``. Bars may differ in width, so their height is the share
        per point of the scale.
    x_label : str
        ``{panel}`` in it is the panel's name.
    ends : mapping
        Lowest and highest possible value, by panel.
    """
    panels = list(dict.fromkeys(data[panel]))
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure, axes = style.new(2.7 * rows, columns, rows)
    for k, (ax, name) in enumerate(zip(axes, panels, strict=False)):
        part = data[data[panel] == name]
        width = part["high"] - part["low"]
        ax.bar(
            part["low"],
            part["share"] / width,
            width=width,
            align="edge",
            color=style.BLUE,
            alpha=0.75,
            edgecolor="white",
            linewidth=0.5,
        )
        for end in (ends or {}).get(str(name), ()):
            ax.axvline(end, color=style.GREY, linestyle="--", linewidth=1)
        ax.set_xlabel(
            "\n".join(style.lines_of(x_label.replace("{panel}", str(name)), 26 if columns == 2 else 60))
        )
        ax.set_ylabel(style.text(y_label) if k % columns == 0 else "")
        ax.yaxis.set_major_formatter(style.percent)
        ax.locator_params(axis="x", nbins=5)
        ax.grid(visible=False, axis="x")
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    return figure
