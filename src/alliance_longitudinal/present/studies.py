"""Pictures of a study: the course of one client, or of all together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn

#: Sessions at which fewer clients were seen are left out of the course of all: their quartiles say little.
_FEWEST = 10


def courses(
    study: Any,
    client: str | None = None,
    measures: Sequence[str] | str | None = None,
    window: tuple[float, float] | None = None,
) -> "Drawn":
    """The scores of one client along the sessions, or the median and quartiles of all clients; a panel for each measure.

    Parameters
    ----------
    study : Study
    client : str, optional
        A client's id. Without one, all clients together; sessions with fewer than ten scores are left out.
    measures : str or sequence of str, optional
        Measures of the study; by default all of them.
    window : tuple of float, optional
        Sessions to shade.

    Raises
    ------
    FitError
        If there is no such client or measure, or nothing was scored.
    """
    wanted = (
        list(study.measures)
        if measures is None
        else [measures]
        if isinstance(measures, str)
        else list(measures)
    )
    for name in wanted:
        if name not in study.measures:
            raise FitError(f"The study has no measure {name!r}. It has: {', '.join(study.measures)}.")
    rows = study.sessions
    if client is not None:
        rows = rows[rows["client"] == str(client)]
        if rows.empty:
            raise FitError(f"The study has no client {client!r}.")
    parts = {name: rows[rows[name].notna()] for name in wanted}
    parts = {name: part for name, part in parts.items() if len(part)}
    if not parts:
        raise FitError("There is no score to draw.")
    figure, axes = style.new(0.5 + 2.3 * len(parts), rows=len(parts))
    for ax, (name, part) in zip(axes, parts.items(), strict=True):
        if window is not None:
            ax.axvspan(*window, color=style.ORANGE, alpha=0.12, linewidth=0)
        if client is None:
            _of_all(ax, part, name)
        else:
            ax.plot(part["session"], part[name], "o-", color=style.BLUE, markersize=4)
        ax.set_ylabel("\n".join(style.lines_of(study.measures[name].label, 24)))
        ax.locator_params(axis="x", integer=True, nbins=9)
    ends = [ax.get_xlim() for ax in axes]
    for ax in axes:
        ax.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    axes[-1].set_xlabel("session")
    who = "all clients: median and quartiles" if client is None else "one client"
    figure.alt = f"Scores along the sessions of {who}."
    return figure


def _of_all(ax: Any, part: pd.DataFrame, name: str) -> None:
    found = part.groupby("session")[name].quantile([0.25, 0.5, 0.75]).unstack()
    found = found[part.groupby("session")[name].size() >= _FEWEST]
    ax.fill_between(found.index, found[0.25], found[0.75], color=style.BLUE, alpha=0.15, linewidth=0)
    ax.plot(found.index, found[0.5], color=style.BLUE)
