"""Many estimates of one thing in order, and under them the choices that each was made with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.plots.drawn import Drawn

#: More estimates than this are marked by small points, without a line for each interval.
_MANY = 120


def curve(
    data: pd.DataFrame,
    *,
    y_label: str,
    choices: Mapping[str, str],
    order: Mapping[str, Sequence[str]] | None = None,
    band_label: str = "",
) -> "Drawn":
    """Estimates from the lowest to the highest with their intervals, over a matrix of choices.

    Parameters
    ----------
    data : DataFrame
        ``estimate, ci_low, ci_high``, ``main`` (bool), and a text column for each choice; ``low, high`` where a band is
        shown behind the curve. In the order of the curve.
    choices : mapping
        Column -> its name; every option of it is a row of the matrix.
    order : mapping
        Column -> its options from top to bottom; None takes them as they come.
    band_label : str
        What the band is.
    """
    options = [
        (c, name, v) for c, name in choices.items() for v in (order or {}).get(c, dict.fromkeys(data[c]))
    ]
    labels = [style.lines_of(v, 26) for _, _, v in options]
    matrix = sum(0.08 + 0.145 * len(lines) for lines in labels) + 0.3 * len(choices)
    figure, (top, below) = style.new(2.9 + matrix, rows=2)
    grid = top.get_gridspec()
    assert grid is not None
    grid.set_height_ratios([2.4, matrix])
    place = range(len(data))
    if "low" in data:
        top.fill_between(
            place, data["low"], data["high"], color=style.GREY, alpha=0.22, linewidth=0, label=band_label
        )
    _estimates(top, data)
    top.set_ylabel("\n".join(style.lines_of(y_label, 30)))
    top.set_xticks([])
    _matrix(below, data, options, labels)
    style.legend(figure, 2)
    return figure


def _estimates(ax: "Axes", data: pd.DataFrame) -> None:
    many = len(data) > _MANY
    place = pd.Series(range(len(data)), index=data.index)
    main = data["main"].astype(bool)
    ax.axhline(0, color=style.DARK, linewidth=1)
    ax.vlines(
        place,
        data["ci_low"],
        data["ci_high"],
        color=style.PALE_BLUE,
        linewidth=0.7 if many else 1.3,
        label="95 % interval",
    )
    ax.scatter(place, data["estimate"], s=3 if many else 12, color=style.BLUE, zorder=3, label="estimate")
    if main.any():
        ax.vlines(
            place[main], data.loc[main, "ci_low"], data.loc[main, "ci_high"], color=style.ORANGE, linewidth=2
        )
        ax.scatter(
            place[main],
            data.loc[main, "estimate"],
            s=42,
            color=style.ORANGE,
            marker="D",
            zorder=4,
            label="main analysis",
        )
    ax.set_xlim(-1, len(data))
    ax.grid(visible=False, axis="x")


def _matrix(
    ax: "Axes", data: pd.DataFrame, options: list[tuple[str, str, str]], labels: list[list[str]]
) -> None:
    """A row per option, grouped by choice; a mark where an estimate was made with it."""
    ticks, names, height = [], [], 0.0
    last = ""
    main = data["main"].astype(bool).to_numpy()
    for (column, name, option), lines in zip(options, labels, strict=True):
        if name != last:
            ax.text(
                0.0, height + 0.25, style.text(name), transform=ax.get_yaxis_transform(), fontsize=9, weight="bold",
                va="center",
            )  # fmt: skip
            height, last = height + 1.0, name
        half = len(lines) / 2
        at = [k for k, v in enumerate(data[column]) if v == option]
        ax.scatter(at, [height + half] * len(at), s=26, marker="|", linewidths=1.0, color=style.DARK)
        own = [k for k in at if main[k]]
        ax.scatter(own, [height + half] * len(own), s=30, marker="D", color=style.ORANGE, zorder=3)
        ticks.append(height + half)
        names.append("\n".join(lines))
        height += 2 * half + 0.35
    ax.set_yticks(ticks, names, fontsize=8.5)
    ax.set_xlim(-1, len(data))
    ax.set_ylim(height, -0.3)
    ax.set_xticks([])
    ax.grid(visible=False, axis="x")
    ax.set_xlabel("Analyses, from the lowest to the highest estimate")
