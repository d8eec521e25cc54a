"""Shares that make up a whole, one bar each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn

#: Parts in order of their appearance, if nobody says their colours.
_COLOURS = (style.ORANGE, style.BLUE, "#bdbdbd", style.GREEN, style.PALE_BLUE, style.PALE_ORANGE)
#: A part needs this much of the bar for its number to be written into it.
_SMALLEST_WRITTEN = 0.06


def stacked(
    data: pd.DataFrame,
    *,
    x_label: str,
    bar: str = "bar",
    part: str = "part",
    colours: Mapping[str, str] | None = None,
) -> "Drawn":
    """Stacked shares, one bar a row.

    Parameters
    ----------
    data : DataFrame
        ``bar`` (what is divided), ``part``, ``share`` (0 to 1).
    bar, part : str
        Columns with the names of the bars and of their parts.
    colours : mapping
        Colour of each part, in the order from left to right; parts that no bar has are passed over.
    """
    found = list(dict.fromkeys(data[part]))
    looks = dict(zip(found, _COLOURS, strict=False)) if colours is None else colours
    bars = list(dict.fromkeys(data[bar]))
    labels = [style.lines_of(b, 20) for b in bars]
    names = [p for p in looks if p in set(found)]
    columns = 3 if sum(len(str(n)) + 5 for n in names) > 46 else len(names)
    figure, (ax,) = style.new(1.0 + 0.26 * -(-len(names) // columns) + 0.55 * len(bars))
    left = dict.fromkeys(bars, 0.0)
    for name in names:
        own = data[data[part] == name]
        position = [len(bars) - 1 - bars.index(b) for b in own[bar]]
        start = [left[b] for b in own[bar]]
        ax.barh(
            position,
            own["share"],
            left=start,
            height=0.64,
            color=looks[name],
            label=style.text(name),
            edgecolor="white",
        )
        for b, y, x, width in zip(own[bar], position, start, own["share"], strict=True):
            left[b] += width
            if width >= _SMALLEST_WRITTEN:
                ink, shown = style.ink_on(looks[name]), f"{100 * width:.0f}\u00a0%"
                ax.text(x + width / 2, y, shown, ha="center", va="center", color=ink, fontsize=9)
    ax.set_yticks(range(len(bars)), ["\n".join(v) for v in labels[::-1]])
    ax.set(xlim=(0, 1), xlabel=style.text(x_label))
    ax.xaxis.set_major_formatter(style.percent)
    ax.grid(visible=False, axis="y")
    style.legend(figure, columns)
    return figure
