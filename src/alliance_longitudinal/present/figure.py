"""A figure as a frozen description: the data behind it, its words, and the function that draws it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.language import language
from alliance_longitudinal.present.tables import Column, Section, Table

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn

_SVG = "image/svg+xml"


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
    #: The picture, once it was asked for, in each language.
    _made: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def figure(self) -> "Drawn":
        """Draw it."""
        figure = self.draw(self.data.copy())
        figure.alt = self.alt
        return figure

    def svg(self) -> str:
        """The picture as SVG; the same data give the same text. It is drawn once for notebook and report."""
        if language() not in self._made:
            self._made[language()] = self.figure().svg(self.name, self.title)
        return self._made[language()]

    def save(self, folder: Path) -> Path:
        """Write ``<name>.svg`` into ``folder``; the same data give the same bytes."""
        path = folder / f"{self.name}.svg"
        path.write_text(self.svg(), encoding="utf-8", newline="\n")
        return path

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """What Jupyter asks for: the picture, and what is known of it.

        JupyterLab shows SVG itself only in notebooks that somebody trusts, and pictures in HTML in all of them.
        """
        source = base64.b64encode(self.svg().encode()).decode()
        image = f'<img src="data:{_SVG};base64,{source}" alt="{escape(self.alt)}">'
        words = f"<Figure {self.name!r}: {self.title}>"
        return {_SVG: self.svg(), "text/html": image, "text/plain": words}, {_SVG: {"alt": self.alt}}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        table = Table.from_frame(self.name, self.title, self.section, self.data, list(self.columns))
        words = {k: getattr(self, k) for k in ("name", "title", "caption", "alt", "how_to_read", "section")}
        return words | {k: v for k, v in table.to_dict().items() if k in ("columns", "rows")}
