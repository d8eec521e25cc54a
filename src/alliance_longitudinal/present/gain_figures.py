"""Figures of sudden gains: functions of plain frames that return a new matplotlib Figure."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.figures import BLUE, GREY, ORANGE, _new, _text

if TYPE_CHECKING:
    from alliance_longitudinal.present.drawn import Drawn


def around(data: pd.DataFrame, *, x_label: str, y_label: str) -> "Drawn":
    """Mean scores at the sessions around a change, with intervals.

    Parameters
    ----------
    data : DataFrame
        ``place, offset, mean, low, high``; the change lies between offsets 0 and 1. Places may be missing.
    """
    figure, (ax,) = _new(6.6, 3.8)
    ax.axvspan(0, 1, color=ORANGE, alpha=0.12, linewidth=0)
    ax.vlines(data["offset"], data["low"], data["high"], color=BLUE, linewidth=2)
    ax.plot(data["offset"], data["mean"], "o-", color=BLUE, linewidth=1.6, markersize=6)
    ax.set_xticks(data["offset"], [_text(p) for p in data["place"]])
    ax.set(xlabel=_text(x_label), ylabel=_text(y_label))
    ax.grid(visible=False, axis="x")
    return figure


def found_and_expected(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """Shares that were found, over bars of the shares that were expected.

    Parameters
    ----------
    data : DataFrame
        ``label, share, expected, low, high``, shares from 0 to 1.
    """
    figure, (ax,) = _new(7.6, 1.4 + 0.42 * len(data))
    position = list(range(len(data)))[::-1]
    ax.hlines(
        position,
        data["low"],
        data["high"],
        color=GREY,
        alpha=0.45,
        linewidth=9,
        label="expected from steady change",
    )
    ax.scatter(data["share"], position, color=BLUE, s=50, zorder=3, label="found")
    ax.set_yticks(position, [_text(v) for v in data["label"]], fontsize=9)
    top = max(float(data["share"].max()), float(data["high"].max()))
    ax.set(xlabel=_text(x_label), xlim=(0, min(1.0, 1.15 * top) or 1.0), ylim=(-0.7, len(data) - 0.3))
    ax.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    return figure
