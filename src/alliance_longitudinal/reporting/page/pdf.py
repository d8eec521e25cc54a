"""The report as a PDF by Typst: tagged for screen readers (PDF/UA-1), and the same bytes for the same report.

The text of a report never becomes Typst code: the template reads it as data. A report with letters that neither Typst's
fonts nor Matplotlib's have (Chinese, for example) is set with the fonts of the machine. It is tagged, too, but does not claim
the standard, and another machine may set it otherwise.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.language import language, translated
from alliance_longitudinal.reporting.page.blocks import Block, FigureBlock, ReportModel, TableBlock

_TEMPLATE = Path(__file__).with_name("templates") / "report.typ"
#: What the template says of its own.
_WORDS = ("Table", "Figure", "Note.", "How to read it.")
_PICTURES_PER_INCH = 200.0
#: What no font shows, as it is in text and as JSON spells it.
_UNPRINTABLE = re.compile(r"\\u00[01][0-9a-f]|[\x7f-\x9f\ufffe\uffff]")
#: Typst's words for a letter that none of the known fonts has; the standard then refuses the document.
_NO_LETTER = "could not be displayed"
#: One picture alone, on a page of its own size.
_ONE_PICTURE = '#set page(width: auto, height: auto, margin: 0pt)\n#image("picture.svg")\n'


def pdf_document(model: ReportModel) -> bytes:
    """The bytes of ``report.pdf``.

    Raises
    ------
    ReportError
        If Typst cannot set the document, for example because a figure says nothing to readers who do not see it.
    """
    import typst

    with tempfile.TemporaryDirectory(prefix="al-pdf-") as name:
        folder = Path(name)
        shutil.copy(_TEMPLATE, folder / "report.typ")
        content = {
            "title": model.title,
            "study": model.study,
            "status": model.status,
            "footer": model.footer,
            "language": language(),
            "words": {word: translated(word) for word in _WORDS},
            "blocks": [_plain(block, folder) for block in model.blocks],
        }
        try:
            return _typeset(folder, content, model.made, standard=True)
        except typst.TypstError as error:
            if _NO_LETTER not in str(error.message):
                raise ReportError(f"The PDF could not be made: {error.message}.") from None
        return _typeset(folder, content, model.made, standard=False)


def _typeset(folder: Path, content: Mapping[str, Any], made_at: str, *, standard: bool) -> bytes:
    """The PDF of ``content``, by PDF/UA-1 and with known fonts, or as well as this machine can."""
    import typst

    text = json.dumps({**content, "fallback": not standard}, ensure_ascii=False)
    (folder / "report.json").write_text(_UNPRINTABLE.sub(" ", text), encoding="utf-8")
    made: Any = typst.compile(
        str(folder / "report.typ"),
        root=str(folder),
        format="pdf",
        pdf_standards=["ua-1"] if standard else [],
        ignore_system_fonts=standard,
        font_paths=_fonts(),
        timestamp=int(datetime.fromisoformat(made_at).timestamp()),
    )
    return bytes(made)


def picture_png(picture: Path) -> bytes:
    """The SVG file ``picture`` as PNG at 200 dots per inch, for Word, which shows no SVG."""
    import typst

    with tempfile.TemporaryDirectory(prefix="al-png-") as name:
        folder = Path(name)
        shutil.copy(picture, folder / "picture.svg")
        (folder / "one.typ").write_text(_ONE_PICTURE, encoding="utf-8")
        made: Any = typst.compile(
            str(folder / "one.typ"),
            root=name,
            format="png",
            ppi=_PICTURES_PER_INCH,
            ignore_system_fonts=True,
            font_paths=_fonts(),
        )
    return bytes(made)


def write_pdf(model: ReportModel, folder: Path) -> None:
    """Write ``report.pdf`` into ``folder``."""
    (folder / "report.pdf").write_bytes(pdf_document(model))


def _plain(block: Block, folder: Path) -> dict[str, Any]:
    """A block as data, with its kind; the picture of a figure is put beside the template."""
    data: dict[str, Any] = {"kind": type(block).__name__, **asdict(block)}
    if isinstance(block, FigureBlock):
        data["picture"] = f"figure{block.number}.svg"
        shutil.copy(block.picture, folder / data["picture"])
    if isinstance(block, TableBlock):
        data |= {"wide": block.wide, "shares": block.shares}
    return data


def _fonts() -> list[str]:
    """Matplotlib's fonts, for letters that Typst's own do not have; found without loading Matplotlib."""
    found = find_spec("matplotlib")
    places = [] if found is None else list(found.submodule_search_locations or ())
    return [str(Path(place) / "mpl-data" / "fonts" / "ttf") for place in places]
