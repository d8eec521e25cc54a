"""Estimates with intervals, one line each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.plots.drawn import Drawn


def forest(
    data: pd.DataFrame,
    *,
    x_label: str,
    value: str = "estimate",
    label: str = "label",
    by: str = "",
    panel: str = "",
    reference: float | None = 0.0,
    band: tuple[float, float] | None = None,
    band_label: str = "",
    bars: tuple[str, str] | None = None,
    names: tuple[str, str] = ("", ""),
    scale: str = "linear",
    limits: tuple[float | None, float | None] = (None, None),
) -> "Drawn":
    """Estimates, one line each, with intervals where there are some.

    Parameters
    ----------
    data : DataFrame
        ``label``, ``value``; ``ci_low, ci_high`` if there are intervals; ``main`` (bool) where only the main choice is a
        filled mark.
    value, label : str
        Columns of the estimates and of their names.
    by, panel : str
        Column whose values are marks of their own, and one whose values are panels.
    reference : float or None
        Where a line is drawn: the value of no effect.
    band : tuple of float
        A range to compare with, over the whole height, such as a published interval.
    bars : tuple of str
        Columns with the ends of a grey bar behind each mark, such as what was expected.
    names : tuple of str
        Names of the bars and of the marks.
    scale : {"linear", "percent", "log"}
    limits : tuple
        Ends of the axis; None leaves one to the data.
    """
    panels = list(dict.fromkeys(data[panel])) if panel else [""]
    parts = {p: data[data[panel] == p] if panel else data for p in panels}
    rows = {p: list(dict.fromkeys(part[label])) if by else list(part[label]) for p, part in parts.items()}
    series = list(dict.fromkeys(data[by])) if by else [""]
    labels = {p: [style.lines_of(v) for v in own] for p, own in rows.items()}
    tallest = max(sum(0.14 + 0.16 * len(v) for v in own) for own in labels.values())
    beside = len(panels) == 2
    letters = 22 if beside else 60
    stacked = len(panels) > 2  # each has its title, its ticks and its labels; what the axes show is said once
    figure, axes = style.new(
        1.1
        + (tallest + 0.55 * stacked) * (1 if beside else len(panels))
        + 0.35 * bool(by or band_label or any(names)),
        columns=2 if beside else 1,
        rows=1 if beside else len(panels),
    )
    for k, (ax, name) in enumerate(zip(axes, panels, strict=True)):
        _frame(ax, labels[name], reference, hide_labels=beside and k > 0)
        if band:
            ax.axvspan(
                *band, color=style.GREEN, alpha=0.18, linewidth=0, label=style.text(band_label) or None
            )
        _marks(ax, parts[name], rows[name], value, label, by, series, bars, names)
        ax.set_title("\n".join(style.lines_of(name, letters)), fontsize=10)
        if not stacked or name == panels[-1]:
            ax.set_xlabel("\n".join(style.lines_of(x_label, letters)))
        _scale(ax, parts[name], scale, limits, ticks=3 if beside else 5)
    if band_label or any(names) or by:
        style.legend(figure, 2 if any(names) else 3)
    return figure


def _frame(ax: "Axes", labels: Sequence[list[str]], reference: float | None, *, hide_labels: bool) -> None:
    """The names on the left, the first on top."""
    last = len(labels) - 1
    ax.set_yticks(
        range(len(labels)), [""] * len(labels) if hide_labels else ["\n".join(v) for v in labels[::-1]]
    )
    ax.set_ylim(-0.7, last + 0.7)
    ax.grid(visible=False, axis="y")
    if reference is not None:
        ax.axvline(reference, color=style.DARK, linewidth=1)


def _marks(
    ax: "Axes",
    part: pd.DataFrame,
    rows: list[str],
    value: str,
    label: str,
    by: str,
    series: list[str],
    bars: tuple[str, str] | None,
    names: tuple[str, str],
) -> None:
    """Bars behind, intervals over them, marks in front."""
    for k, name in enumerate(series):
        own = part[part[by] == name] if by else part
        colour, marker, _ = style.SERIES[k % len(style.SERIES)]
        top = len(rows) - 1
        position = [top - rows.index(v) for v in own[label]] if by else list(range(top, -1, -1))
        if bars:
            low, high = bars
            ax.hlines(
                position,
                own[low],
                own[high],
                color=style.GREY,
                alpha=0.45,
                linewidth=9,
                label=style.text(names[0]),
            )
        if "ci_low" in own:
            ax.hlines(position, own["ci_low"], own["ci_high"], color=colour, linewidth=2)
        face = [colour if m else "white" for m in own["main"]] if "main" in own else colour
        ax.scatter(
            own[value],
            position,
            facecolors=face,
            edgecolors=colour,
            marker=marker,
            s=42,
            linewidths=1.4,
            zorder=3,
            label=style.text(name or names[1]) or None,
        )


def _scale(
    ax: "Axes", part: pd.DataFrame, scale: str, limits: tuple[float | None, float | None], ticks: int
) -> None:
    if scale == "log":
        _ratios(ax, part)
    elif scale == "percent":
        ax.xaxis.set_major_formatter(style.percent)
    if limits != (None, None):
        ax.set_xlim(*limits)
    if scale != "log":
        ax.locator_params(axis="x", nbins=ticks)


def _ratios(ax: "Axes", part: pd.DataFrame) -> None:
    """A logarithmic axis around 1, with round ratios on it."""
    ax.set_xscale("log")
    widest = max(1.5, float(part["ci_high"].max()), 1 / float(part["ci_low"].min()))
    round_ones = (0.1, 0.2, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 5, 10)
    ticks = [t for t in round_ones if 1 / widest <= t * 1.001 and t <= widest * 1.001]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlim(1 / widest / 1.05, widest * 1.05)
