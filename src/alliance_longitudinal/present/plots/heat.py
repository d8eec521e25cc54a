"""Shares in a grid, as colours with their numbers."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from alliance_longitudinal.present.plots.drawn import Drawn

#: With more columns than this, the numbers would not be readable.
_MOST_WRITTEN = 18


def heat(data: pd.DataFrame, *, row: str, column: str, value: str, x_label: str) -> "Drawn":
    """Shares as coloured cells; where there is no row of data the cell is crossed out and has no colour.

    Whole numbers are columns from the first to the last, so that those without data are seen; of other numbers only those
    that occur are columns, and so are whole ones that lie so far apart that most columns would be empty.

    Parameters
    ----------
    data : DataFrame
        ``row``, ``column`` (number), ``value`` (a share, 0 to 1).
    """
    rows, columns = list(dict.fromkeys(data[row])), _columns(sorted(set(data[column].astype(float))))
    grid = np.full((len(rows), len(columns)), np.nan)
    for r, c, share in zip(data[row], data[column], data[value], strict=True):
        grid[rows.index(r), columns.index(float(c))] = share
    figure, (ax,) = style.new(1.5 + 0.55 * len(rows))
    low = 0.1 * np.floor(10 * min(float(np.nanmin(grid)), 0.7))
    # The scale ends before its palest colour: none of it is the white of a cell without data.
    picture = ax.imshow(grid, cmap="YlGnBu_r", vmin=low, vmax=1 + 0.15 * (1 - low), aspect="auto")
    _cells(ax, grid, low)
    step = 1 if len(columns) <= _MOST_WRITTEN else int(np.ceil(len(columns) / _MOST_WRITTEN))
    ax.set_xticks(range(0, len(columns), step), [f"{s:g}" for s in columns[::step]])
    ax.set_yticks(range(len(rows)), ["\n".join(style.lines_of(r, 14)) for r in rows])
    ax.set(xlabel=style.text(x_label))
    ax.grid(visible=False)
    bar = figure.colorbar(picture, ax=ax, orientation="horizontal", fraction=0.08, pad=0.02, aspect=40)
    bar.ax.set_xlim(low, 1)
    bar.ax.xaxis.set_major_formatter(style.percent)
    return figure


def _columns(found: list[float]) -> list[float]:
    """What the columns stand for, in order."""
    whole = [float(k) for k in range(int(found[0]), int(found[-1]) + 1)]
    return whole if set(found) <= set(whole) and len(found) > len(whole) / 2 else found


def _cells(ax: "Axes", grid: "NDArray[np.float64]", low: float) -> None:
    """The number of each cell, a cross where there is none."""
    written = grid.shape[1] <= _MOST_WRITTEN
    for (i, j), share in np.ndenumerate(grid):
        if np.isnan(share):
            ax.plot([j - 0.3, j + 0.3], [i - 0.3, i + 0.3], color=style.PALE_GREY, linewidth=1)
            ax.plot([j - 0.3, j + 0.3], [i + 0.3, i - 0.3], color=style.PALE_GREY, linewidth=1)
        elif written:
            ink = "white" if share < low + 0.55 * (1 - low) else "black"
            ax.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=ink)
