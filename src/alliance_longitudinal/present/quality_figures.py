"""Figures of data quality: functions of plain frames that return a new matplotlib Figure."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.present.figures import BLUE, GREEN, GREY, ORANGE, _new, _text

if TYPE_CHECKING:
    from alliance_longitudinal.present.drawn import Drawn

_PATTERN_STYLE = {
    "complete": (BLUE, "white"),
    "gaps": ("#9ccbe8", "black"),
    "stopped": ("#f0a878", "black"),
    "never": (ORANGE, "white"),
    "stopped or never": ("#f0a878", "black"),
    "not complete": ("#9ccbe8", "black"),
}
_LINES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (GREY, "D", ":"))


def completion_heat(data: pd.DataFrame) -> "Drawn":
    """Share of forms that are there, one row a measure and one column a session number; no cell, no colour.

    Parameters
    ----------
    data : DataFrame
        ``measure``, ``session`` (int), ``share`` (0 to 1).
    """
    rows, first, last = list(dict.fromkeys(data["measure"])), data["session"].min(), data["session"].max()
    columns = np.arange(first, last + 1)
    grid = np.full((len(rows), len(columns)), np.nan)
    for measure, session, share in zip(data["measure"], data["session"], data["share"], strict=True):
        grid[rows.index(measure), int(session) - first] = share
    figure, (ax,) = _new(7.8, 1.5 + 0.55 * len(rows))
    ax.set_facecolor("#f2f2f2")
    low = 0.1 * np.floor(10 * min(float(np.nanmin(grid)), 0.7))
    picture = ax.imshow(grid, cmap="cividis", vmin=low, vmax=1, aspect="auto")
    if len(columns) <= 22:
        for (i, j), share in np.ndenumerate(grid):
            if not np.isnan(share):
                ink = "black" if share > (low + 1) / 2 else "white"
                ax.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=ink)
    step = 1 if len(columns) <= 22 else int(np.ceil(len(columns) / 20))
    ax.set_xticks(range(0, len(columns), step), [str(s) for s in columns[::step]])
    ax.set_yticks(range(len(rows)), [_text(r) for r in rows])
    ax.set(xlabel="Session number")
    ax.grid(visible=False)
    bar = figure.colorbar(picture, ax=ax, fraction=0.03, pad=0.02)
    bar.ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    return figure


def completion_ranks(data: pd.DataFrame) -> "Drawn":
    """Share of forms that are there, therapists in order of it, one line a measure.

    Parameters
    ----------
    data : DataFrame
        ``measure``, ``place`` (from 1, lowest share first), ``share`` (0 to 1).
    """
    figure, (ax,) = _new(7.2, 3.6)
    for k, (measure, part) in enumerate(data.groupby("measure", sort=False)):
        colour, marker, line = _LINES[k % len(_LINES)]
        ax.plot(
            part["place"],
            part["share"],
            line,
            marker=marker,
            color=colour,
            markersize=5,
            linewidth=1.2,
            label=_text(measure),
        )
    ax.set(xlabel="Therapists, those with fewest forms first", ylabel="Forms that are there", ylim=(0, 1.03))
    ax.locator_params(axis="x", integer=True)
    ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def missing_patterns(data: pd.DataFrame) -> "Drawn":
    """One stacked bar a measure: clients by how their forms are missing.

    Parameters
    ----------
    data : DataFrame
        ``measure``, ``pattern`` (complete, gaps, stopped, never, or some of them joined), ``share`` (0 to 1).
    """
    bars = list(dict.fromkeys(data["measure"]))
    figure, (ax,) = _new(7.2, 1.4 + 0.5 * len(bars))
    left = dict.fromkeys(bars, 0.0)
    for pattern, (colour, ink) in _PATTERN_STYLE.items():
        for bar, share in data.loc[data["pattern"] == pattern, ["measure", "share"]].itertuples(index=False):
            y = len(bars) - 1 - bars.index(bar)
            ax.barh(y, share, left=left[bar], height=0.62, color=colour, edgecolor="white")
            if share >= 0.05:
                middle = left[bar] + share / 2
                ax.text(middle, y, f"{100 * share:.0f} %", ha="center", va="center", color=ink, fontsize=8.5)
            left[bar] += share
        if (data["pattern"] == pattern).any():
            ax.barh([0], [0], color=colour, label=pattern)
    ax.set_yticks(range(len(bars)), [_text(b) for b in bars[::-1]])
    ax.set(xlim=(0, 1), xlabel="Share of clients")
    ax.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    return figure


def distributions(data: pd.DataFrame, *, ranges: dict[str, tuple[float, float]]) -> "Drawn":
    """Histograms of the scores, one panel a measure; the ends of the possible range are marked.

    Parameters
    ----------
    data : DataFrame
        ``measure``, ``low`` and ``high`` (ends of a bar), ``share`` (of all forms). Bars differ in width, so their height
        is the share for each point of the scale.
    ranges : dict
        Lowest and highest possible score of a measure.
    """
    measures = list(dict.fromkeys(data["measure"]))
    figure, axes = _new(min(3.8 * len(measures), 11.4) if len(measures) > 1 else 6.2, 3.2, len(measures))
    for ax, measure in zip(axes, measures, strict=True):
        part = data[data["measure"] == measure]
        width = part["high"] - part["low"]
        ax.bar(
            part["low"],
            part["share"] / width,
            width=width,
            align="edge",
            color=BLUE,
            alpha=0.75,
            edgecolor="white",
            linewidth=0.5,
        )
        for end in ranges.get(str(measure), ()):
            ax.axvline(end, color=GREY, linestyle="--", linewidth=1)
        ax.set(xlabel=_text(f"{measure} (points)"), ylabel="Share of forms a point" if ax is axes[0] else "")
        ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
        ax.grid(visible=False, axis="x")
    return figure


def odds_ratios(data: pd.DataFrame) -> "Drawn":
    """Odds ratios with intervals on a logarithmic axis, one line each; 1 means that it does not matter.

    Parameters
    ----------
    data : DataFrame
        ``label, estimate, ci_low, ci_high``.
    """
    figure, (ax,) = _new(7.8, 1.0 + 0.34 * len(data))
    position = list(range(len(data)))[::-1]
    ax.set_xscale("log")
    ax.axvline(1, color="#444444", linewidth=1)
    ax.hlines(position, data["ci_low"], data["ci_high"], color=BLUE, linewidth=2)
    ax.scatter(data["estimate"], position, color=BLUE, s=40, zorder=3)
    ax.set_yticks(position, [_text(v) for v in data["label"]], fontsize=9)
    widest = max(1.5, float(data["ci_high"].max()), 1 / float(data["ci_low"].min()))
    ticks = [
        t
        for t in (0.1, 0.2, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 5, 10)
        if 1 / widest <= t * 1.001 and t <= widest * 1.001
    ]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set(
        xlabel="Odds ratio per standard deviation",
        xlim=(1 / widest / 1.05, widest * 1.05),
        ylim=(-0.7, len(data) - 0.3),
    )
    ax.grid(visible=False, axis="y")
    return figure
