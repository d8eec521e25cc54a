"""Counts of clients on a grid of scores before and after, none of them a small cell."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Finest to coarsest number of cells a side, and the share of clients that has to be seen.
_GRIDS, _ENOUGH = (14, 12, 10, 8, 7, 6, 5, 4, 3, 2), 0.7


def grid_counts(pre: Floats, post: Floats, smallest: int) -> pd.DataFrame:
    """Centres ``pre, post`` and ``n`` of the cells with at least ``smallest`` clients, on the finest useful grid.

    If what is left out could be worked out from the total (one hidden cell, or fewer hidden clients than
    ``smallest``), the smallest shown cell is left out too.
    """
    low, high = float(min(pre.min(), post.min())), float(max(pre.max(), post.max()))
    best, seen = pd.DataFrame(columns=["pre", "post", "n"]), -1.0
    for k in _GRIDS:
        shown = _safe(_counts(pre, post, np.linspace(low, high + 1e-9, k + 1)), smallest)
        share = float(shown["n"].sum()) / len(pre)
        if share > seen:
            best, seen = shown, share
        if share >= _ENOUGH:
            return shown
    return best


def _counts(pre: Floats, post: Floats, edges: Floats) -> pd.DataFrame:
    table, _, _ = np.histogram2d(pre, post, bins=[edges, edges])
    centres = (edges[:-1] + edges[1:]) / 2
    rows, columns = np.nonzero(table)
    return pd.DataFrame(
        {"pre": centres[rows], "post": centres[columns], "n": table[rows, columns].astype(int)}
    )


def _safe(cells: pd.DataFrame, smallest: int) -> pd.DataFrame:
    shown = cells[cells["n"] >= smallest].sort_values("n", ascending=False, kind="stable")
    hidden = cells.loc[cells["n"] < smallest, "n"]
    if len(hidden) and (len(hidden) == 1 or hidden.sum() < smallest):
        shown = shown.iloc[:-1]
    return shown.reset_index(drop=True)
