"""A figure as a frozen description: the data behind it, its words, and the function that draws it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.present.tables import Column, Section, Table

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """What a report needs to show a figure to everybody.

    Attributes
    ----------
    alt : str
        What the figure shows, for readers who do not see it.
    how_to_read : str
        One sentence for readers who are new to this kind of figure.
    data, columns
        The data behind it; ``draw(data)`` gives a new matplotlib Figure.
    single_people : bool
        Whether a mark stands for one person: then the figure is not for outsiders.
    """

    name: str
    title: str
    caption: str
    alt: str
    how_to_read: str
    section: Section
    data: pd.DataFrame = field(repr=False)
    columns: tuple[Column, ...] = field(repr=False)
    draw: "Callable[[pd.DataFrame], Drawn]" = field(repr=False)
    single_people: bool = False

    def figure(self) -> "Drawn":
        """Draw it."""
        figure = self.draw(self.data.copy())
        figure.alt = self.alt
        return figure

    def save(self, folder: Path) -> Path:
        """Write ``<name>.svg`` into ``folder``; the same data give the same bytes."""
        import matplotlib as mpl

        path = folder / f"{self.name}.svg"
        with mpl.rc_context({"svg.hashsalt": self.name, "svg.fonttype": "path"}):
            self.figure().savefig(path, format="svg", metadata={"Date": None, "Title": self.title})
        return path

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        table = Table.from_frame(self.name, self.title, self.section, self.data, list(self.columns))
        words = {k: getattr(self, k) for k in ("name", "title", "caption", "alt", "how_to_read", "section")}
        return words | {k: v for k, v in table.to_dict().items() if k in ("columns", "rows")}
