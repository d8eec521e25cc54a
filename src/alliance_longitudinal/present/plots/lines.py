"""Courses: values along time, or along an order."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.plots.drawn import Drawn


def lines(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    x_label: str,
    y_label: str,
    by: str = "",
    ordered: bool = False,
    names: str = "",
    band: bool = False,
    span: tuple[float, float] | None = None,
    limits: tuple[float, float] | None = None,
    percent: bool = False,
    reference: float | None = None,
    panel: str = "",
) -> "Drawn":
    """Lines with intervals, and observed means behind them where there are some.

    Parameters
    ----------
    data : DataFrame
        ``x``, ``y``; ``low, high`` if there are intervals; ``kind`` where rows of the kind ``observed`` are points behind
        the line, sized by ``n``.
    by : str
        Column of which every value is a line of its own; its name is in ``label``, if there is such a column.
    ordered : bool
        Whether the lines are groups from low to high; then their colours say so.
    names : str
        Column with what is written at the ticks of ``x``.
    band : bool
        Whether intervals are a band along the line; else each is a line of its own, and values are marked.
    span : tuple of float
        A range of ``x`` to be shaded.
    limits : tuple of float
        Ends of the axis of ``y``.
    percent : bool
        Whether ``y`` is a share.
    reference : float or None
        Where a level line is drawn: the value of no effect.
    panel : str
        Column of which every value is a picture of its own, one under the other on the same scale; a group belongs to one of them.
    """
    if panel:
        return _panels(data, panel, x, y, by, (x_label, y_label), ordered=ordered, band=band)
    groups = list(data.groupby(by, sort=False)) if by else [("", data)]
    looks = style.ORDERED if ordered else style.SERIES
    figure, (ax,) = style.new(3.7 + 0.24 * (len(groups) if by else 0))
    if span:
        ax.axvspan(*span, color=style.ORANGE, alpha=0.12, linewidth=0)
    if reference is not None:
        ax.axhline(reference, color=style.GREY, linewidth=1)
    for k, (name, part) in enumerate(groups):
        shown = part["label"].iloc[0] if "label" in part else name
        _line(
            ax,
            part,
            x,
            y,
            "\n".join(style.lines_of(shown, 60)),
            looks[k % len(looks)],
            band=band,
        )
        if "kind" in part:
            _observed(
                ax, part[part["kind"] == "observed"], x, y, float(data["n"].max()), looks[k % len(looks)]
            )
    if names:
        ax.set_xticks(data[x], [style.text(v) for v in data[names]])
        ax.grid(visible=False, axis="x")
    else:
        ax.locator_params(axis="x", integer=True, nbins=9)
    ax.set(xlabel=style.text(x_label), ylabel=style.text(y_label))
    if limits:
        ax.set_ylim(*limits)
    if percent:
        ax.yaxis.set_major_formatter(style.percent)
    if by:
        style.legend(figure, 1)
    return figure


def _panels(
    data: pd.DataFrame,
    panel: str,
    x: str,
    y: str,
    by: str,
    axis_labels: tuple[str, str],
    *,
    ordered: bool,
    band: bool,
) -> "Drawn":
    """A picture for each value of ``panel``, with its name above it and the lines' names inside the legend of its own."""
    names = list(dict.fromkeys(data[panel]))
    looks = style.ORDERED if ordered else style.SERIES
    figure, axes = style.new(4.2 * len(names), rows=len(names))
    known = data[[c for c in (y, "low", "high") if c in data]].to_numpy(float)
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    room = 0.04 * (high - low) or 1.0
    for ax, name in zip(axes, names, strict=True):
        own = data[data[panel] == name]
        for k, (_, part) in enumerate(own.groupby(by, sort=False)):
            look = looks[k % len(looks)]
            label = "\n".join(style.lines_of(part["label"].iloc[0], 60))
            _line(ax, part, x, y, label, look, band=band)
            if "kind" in part:
                _observed(ax, part[part["kind"] == "observed"], x, y, float(data["n"].max()), look)
        ax.locator_params(axis="x", integer=True, nbins=9)
        ax.set(
            xlabel=style.text(axis_labels[0]),
            ylabel=style.text(axis_labels[1]),
            ylim=(low - room, high + room),
        )
        ax.set_title("\n".join(style.lines_of(name, 60)), fontsize=10, loc="left")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False, fontsize=9)
    return figure


def _line(
    ax: "Axes", part: pd.DataFrame, x: str, y: str, name: str, look: tuple[str, str, str], *, band: bool
) -> None:
    colour, marker, dashes = look
    rows = part[part["kind"] == "model"] if "kind" in part else part
    if "low" in rows and band:
        ax.fill_between(rows[x], rows["low"], rows["high"], color=colour, alpha=0.13, linewidth=0)
    elif "low" in rows:
        ax.vlines(rows[x], rows["low"], rows["high"], color=colour, linewidth=2)
    mark = None if band else marker
    ax.plot(rows[x], rows[y], dashes, marker=mark, color=colour, label=name, linewidth=1.8, markersize=5)


def _observed(
    ax: "Axes", seen: pd.DataFrame, x: str, y: str, most: float, look: tuple[str, str, str]
) -> None:
    if len(seen):
        colour, marker, _ = look
        size = 12 + 60 * (seen["n"] / most).to_numpy()
        ax.scatter(seen[x], seen[y], s=size, color=colour, marker=marker, alpha=0.55, linewidth=0)
