"""Effects of each thing on itself and on the others one step later, as arrows."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.labels import with_interval
from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.plots.drawn import Drawn

#: Where an arrow that crosses another has its number: this share of the way.
_AT = 0.27


def paths(data: pd.DataFrame, *, heads: tuple[str, str]) -> "Drawn":
    """Boxes of the same things on the left and on the right, with an arrow for each effect from left to right.

    An arrow whose interval leaves zero out is full; the others are grey and dashed.

    Parameters
    ----------
    data : DataFrame
        ``lead, follow, estimate, ci_low, ci_high``, a row for each arrow; the boxes are in the order of ``lead``.
    heads : tuple of str
        What stands over the left and the right boxes.
    """
    names = list(dict.fromkeys([*data["lead"], *data["follow"]]))
    place = {name: float(len(names) - 1 - k) for k, name in enumerate(names)}
    figure, (ax,) = style.new(0.7 + 1.25 * len(names))
    ax.set_axis_off()
    ax.set_xlim(-0.26, 1.26)
    ax.set_ylim(-0.45, len(names) - 0.3)
    for x, head in zip((0.0, 1.0), heads, strict=True):
        ax.text(x, len(names) - 0.42, style.text(head), ha="center", va="center", fontsize=9.5)
        for name, y in place.items():
            ax.text(
                x,
                y,
                "\n".join(style.lines_of(name, 12)),
                ha="center",
                va="center",
                bbox={
                    "boxstyle": "round,pad=0.5",
                    "facecolor": "white",
                    "edgecolor": style.DARK,
                    "linewidth": 1.2,
                },
                zorder=4,
            )
    for row in data.to_dict("records"):
        _arrow(ax, row, place[str(row["lead"])], place[str(row["follow"])])
    return figure


def _arrow(ax: "Axes", row: "dict[object, object]", start: float, end: float) -> None:
    """One effect with its number and interval."""
    value, low, high = (float(str(row[k])) for k in ("estimate", "ci_low", "ci_high"))
    clear = low > 0 or high < 0
    colour = style.BLUE if clear else style.GREY
    shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.9 if clear else 1.1}
    ax.annotate(
        "",
        xy=(0.86, end),
        xytext=(0.14, start),
        arrowprops={**shape, "linestyle": "-" if clear else "--", "mutation_scale": 13},
    )
    at = 0.5 if start == end else _AT
    # Beside a level arrow: above it, but below the last one, where the crossing arrows leave room.
    beside = 0.0 if start != end else 0.13 if start > 0 else -0.14
    text, limits = with_interval(value, low, high)
    ax.text(
        0.14 + 0.72 * at,
        start + (end - start) * at + beside,
        f"{text} ({limits})",
        ha="center",
        va="center",
        fontsize=9,
        weight="bold" if clear else "normal",
        bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
        zorder=3,
    )


__all__ = ["paths"]
