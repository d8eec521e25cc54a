"""Figures of reliable change: functions of plain frames that return a new matplotlib Figure."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.figures import BLUE, GREEN, GREY, ORANGE, _new, _text

if TYPE_CHECKING:
    from alliance_longitudinal.present.drawn import Drawn

#: Colour and ink of each category, from best to worst.
_CATEGORY_STYLE = {
    "recovered": (GREEN, "white"),
    "improved": ("#8fd3bd", "black"),
    "unchanged": ("#d0d0d0", "black"),
    "deteriorated": ("#f0a878", "black"),
    "harmed": (ORANGE, "white"),
}


def category_bars(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """One stacked bar a method: shares of clients by category of change.

    Parameters
    ----------
    data : DataFrame
        ``bar, part, share`` (0 to 1); ``part`` one of recovered, improved, unchanged, deteriorated, harmed.
    """
    bars = list(dict.fromkeys(data["bar"]))
    figure, (ax,) = _new(7.2, 1.3 + 0.5 * len(bars))
    left = dict.fromkeys(bars, 0.0)
    for part, (colour, ink) in _CATEGORY_STYLE.items():
        rows = data[data["part"] == part]
        if rows.empty:
            continue
        position = [len(bars) - 1 - bars.index(b) for b in rows["bar"]]
        start = [left[b] for b in rows["bar"]]
        ax.barh(position, rows["share"], left=start, height=0.66, color=colour, label=part, edgecolor="white")
        for bar, y, x, width in zip(rows["bar"], position, start, rows["share"], strict=True):
            left[bar] += width
            if width >= 0.05:
                ax.text(
                    x + width / 2,
                    y,
                    f"{100 * width:.0f} %",
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize=8.5,
                )
    ax.set_yticks(range(len(bars)), [_text(b) for b in bars[::-1]])
    ax.set(xlim=(0, 1), xlabel=_text(x_label))
    ax.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.grid(visible=False, axis="y")
    ax.legend(
        frameon=False, fontsize=9, ncols=5, columnspacing=1.2, loc="lower right", bbox_to_anchor=(1.0, 1.0)
    )
    return figure


def change_map(data: pd.DataFrame, *, x_label: str, y_label: str, cutoff: float | None = None) -> "Drawn":
    """Scores before and after as counted cells, with the band of no reliable change and the cut-off.

    Parameters
    ----------
    data : DataFrame
        ``kind`` (``clients`` or ``band``), ``pre``; for clients ``post`` (centre of the cell) and ``n``; for the band
        ``low`` and ``high``.
    """
    figure, (ax,) = _new(6.6, 5.2)
    band = data[data["kind"] == "band"]
    cells = data[data["kind"] == "clients"]
    ax.fill_between(band["pre"], band["low"], band["high"], color=GREY, alpha=0.16, linewidth=0)
    ax.plot(band["pre"], band["pre"], color=GREY, linewidth=1)
    if cutoff is not None:
        ax.axhline(cutoff, color=ORANGE, linestyle="--", linewidth=1.3)
        ax.axvline(cutoff, color=ORANGE, linestyle="--", linewidth=1.3)
    if len(cells):
        size = 900 * cells["n"] / cells["n"].max()
        ax.scatter(cells["pre"], cells["post"], s=size, color=BLUE, alpha=0.45, linewidth=0)
        for x, y, n in zip(cells["pre"], cells["post"], cells["n"], strict=True):
            ax.text(x, y, f"{n:.0f}", ha="center", va="center", fontsize=8.5)
    span = float(band["pre"].min()), float(band["pre"].max())
    if span[0] == span[1]:  # everybody has the same score before and after
        span = span[0] - 1, span[1] + 1
    ax.set(xlabel=_text(x_label), ylabel=_text(y_label), xlim=span, ylim=span)
    return figure
