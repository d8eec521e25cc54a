"""The executed notebook as the report's appendix: prose, code folded away, outputs; no raw HTML."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_APART = re.compile(r"\S {2,}\S")
_LONGEST_TEXT = 10_000
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
#: The appendix stands under an h2; the notebook's own headings start below it.
_TOP_LEVEL = 3
NO_FIGURES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell: a text, a picture as a ``data:`` address with its alternative text, or a figure of the report.

    Attributes
    ----------
    figure : str
        Name of the figure of the report that the cell shows, which the page then does not hold twice.
    """

    text: str = ""
    picture: str = ""
    alt: str = ""
    figure: str = ""

    @property
    def words(self) -> bool:
        """Whether the text is sentences; in a table of text, cells are apart by several blanks."""
        return not _APART.search(self.text)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the appendix: ``prose`` of a Markdown cell, or ``code`` with ``outputs``."""

    number: int
    prose: Markup | None = None
    code: str = ""
    outputs: tuple[Output, ...] = ()


def notebook_cells(notebook: Mapping[str, Any], figures: Mapping[str, str] = NO_FIGURES) -> list[Cell]:
    """The cells that have something to show, in order; ``figures`` are those of the report, as ``data:`` address to name."""
    headings = _Headings()
    cells = []
    for number, cell in enumerate(notebook["cells"], start=1):
        if not cell["source"].strip():
            continue
        if cell["cell_type"] == "markdown":
            cells.append(Cell(number, prose=_prose(cell["source"], headings)))
        elif cell["cell_type"] == "code":
            outputs = tuple(o for output in cell["outputs"] for o in _outputs(output, number, figures))
            cells.append(Cell(number, code=cell["source"], outputs=outputs))
    return cells


class _Headings:
    """Keeps heading levels without a gap, whatever the notebook's author did."""

    def __init__(self) -> None:
        self._last = _TOP_LEVEL - 1

    def level(self, wanted: int) -> int:
        self._last = min(wanted + _TOP_LEVEL - 1, self._last + 1, 6)
        return self._last


def _prose(source: str, headings: _Headings) -> Markup:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "autolink"])
    tokens = markdown.parse(source)
    level = 0
    for token in tokens:
        if token.type == "heading_open":
            level = headings.level(int(token.tag[1]))
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.children:
            token.children = list(_without_links(token.children))
    # Safe: raw HTML is off in the parser, and links and pictures were taken out.
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))


def _without_links(tokens: list[Token]) -> Iterator[Token]:
    """Addresses as text: the page opens nothing from elsewhere."""
    address = ""
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrGet("href") or "")
        elif token.type == "link_close":
            yield Token("text", "", 0, content=f" ({address})")
        else:
            yield token


def _outputs(output: Mapping[str, Any], cell: int, figures: Mapping[str, str]) -> Iterator[Output]:
    if output["output_type"] == "stream":
        yield Output(text=_plain(output["text"]))
        return
    data = output.get("data", {})
    kind = next((k for k in _PICTURES if k in data), None)
    if kind is not None:
        alt = output.get("metadata", {}).get(kind, {}).get("alt")
        picture = f"data:{kind};base64,{_encoded(data[kind], kind)}"
        if picture in figures:
            yield Output(figure=figures[picture])
            return
        yield Output(
            picture=picture,
            alt=alt
            or f"Picture made by cell {cell} of the notebook; the report's own figures are described above.",
        )
    elif "text/plain" in data:
        yield Output(text=_plain(data["text/plain"]))


def _encoded(content: str, kind: str) -> str:
    if kind == "image/svg+xml":
        return base64.b64encode(content.encode()).decode()
    return "".join(content.split())


def _plain(text: str) -> str:
    text = _ANSI.sub("", text)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "\n… (shortened)"
