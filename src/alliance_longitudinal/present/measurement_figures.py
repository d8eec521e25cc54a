"""Figures of measurement: functions of plain frames that return a new matplotlib Figure."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.figures import BLUE, GREEN, GREY, ORANGE, _new, _text

if TYPE_CHECKING:
    from alliance_longitudinal.present.drawn import Drawn

_STYLE = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (GREY, "D"))


def coefficients(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """Coefficients between 0 and 1, one line each, with intervals where there are some.

    Parameters
    ----------
    data : DataFrame
        ``label, estimate, ci_low, ci_high``; limits may be missing.
    """
    figure, (ax,) = _new(7.2, 1.0 + 0.36 * len(data))
    position = list(range(len(data)))[::-1]
    ax.hlines(position, data["ci_low"], data["ci_high"], color=BLUE, linewidth=2)
    ax.scatter(data["estimate"], position, color=BLUE, s=40, zorder=3)
    ax.set_yticks(position, [_text(v) for v in data["label"]], fontsize=9)
    ax.set(
        xlabel=_text(x_label), xlim=(min(0.0, float(data["ci_low"].min())), 1), ylim=(-0.7, len(data) - 0.3)
    )
    ax.grid(visible=False, axis="y")
    return figure


def loadings(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """Standardised loadings, one line an item, one panel a model.

    Parameters
    ----------
    data : DataFrame
        ``panel, item, factor, loading``.
    """
    panels = list(dict.fromkeys(data["panel"]))
    items = list(dict.fromkeys(data["item"]))
    figure, axes = _new(8.2, 1.5 + 0.27 * len(items), len(panels))
    for k, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        part = data[data["panel"] == panel]
        ax.axvline(0, color="#444444", linewidth=1)
        for number, factor in enumerate(dict.fromkeys(part["factor"])):
            own = part[part["factor"] == factor]
            colour, marker = _STYLE[number % len(_STYLE)]
            position = [len(items) - 1 - items.index(i) for i in own["item"]]
            ax.scatter(
                own["loading"], position, color=colour, marker=marker, s=34, label=_text(factor), zorder=3
            )
        ax.set_yticks(range(len(items)), [_text(i) for i in items[::-1]] if k == 0 else [""] * len(items))
        ax.set_title(_text(panel), fontsize=10)
        ax.set_xlabel(_text(x_label), fontsize=9)
        ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4)
    return figure
