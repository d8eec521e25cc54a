"""The blocks of a report on paper: what Word and PDF documents are drawn from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alliance_longitudinal.language import translated

#: Tables with more columns get a page on its side.
_MOST_UPRIGHT = 10
#: Characters that fit beside each other, on a page upright and on its side; and the room beside a cell.
_ROOM, _ROOM_SIDEWAYS, _MARGIN = 104, 176, 3
#: Room on a page, in cm.
PAGE_WIDTH, TALLEST = 16.6, 11.5

Style = Literal["body", "answer", "question", "warning", "note", "reference", "code"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 (a section) or 2; ``wide`` if a table follows that needs a page on its side."""

    text: str
    level: int = 1
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; ``lead`` are its first words, in bold."""

    text: str
    style: Style = "body"
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; each item is its words in bold and the rest."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and what belongs to them."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table as text.

    Attributes
    ----------
    number : int
        0 for a table that the page does not number.
    heads : tuple of str
    numeric : tuple of bool
        Columns whose cells are numbers.
    """

    name: str
    number: int
    title: str
    heads: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def wide(self) -> bool:
        """Whether it needs a page on its side."""
        return len(self.heads) > _MOST_UPRIGHT

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the width for each column: by its longest cell, within limits."""
        room = _ROOM_SIDEWAYS if self.wide else _ROOM
        columns = [list(column) for column in zip(self.heads, *self.rows, strict=True)]
        needs = [_MARGIN + max(_longest_word(head), *map(len, cells), 1) for head, *cells in columns]
        floors = [_MARGIN + max(_longest_word(text) for text in column) for column in columns]
        sizes = _shared(needs, floors, room)
        return tuple(round(size / sum(sizes), 4) for size in sizes)

    @property
    def caption(self) -> str:
        """``Table 3. Title``."""
        return f"{translated('Table')} {self.number}. {self.title}" if self.number else self.title


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure: its picture, its words, what it shows for those who do not see it, and how wide it is on paper (cm)."""

    number: int
    title: str
    caption: str
    alt: str
    how_to_read: str
    picture: Path
    width: float = PAGE_WIDTH


def _longest_word(text: str) -> int:
    """No line ends after the colon inside a word such as Klient:innen."""
    return max((len(word) for word in re.split(r"[ /-]|:(?!\w)", text)), default=0)


def _shared(needs: Sequence[int], floors: Sequence[int], room: int) -> list[float]:
    """Widths in characters: what each column needs; if that is too much, long ones give way, down to their floors."""
    limit = max(needs)
    while (
        limit > min(floors) and sum(max(f, min(n, limit)) for n, f in zip(needs, floors, strict=True)) > room
    ):
        limit -= 1
    return [float(max(f, min(n, limit))) for n, f in zip(needs, floors, strict=True)]


Block = Heading | Paragraph | Bullets | Facts | TableBlock | FigureBlock


@dataclass(frozen=True, slots=True)
class ReportModel:
    """A report's words, tables and figures, in their order.

    Attributes
    ----------
    title, study, status : str
    made : str
        When it was made, as in the manifest.
    footer : str
        Which report it is.
    blocks : tuple of Block
    """

    title: str
    study: str
    status: str
    made: str
    footer: str
    blocks: tuple[Block, ...]
