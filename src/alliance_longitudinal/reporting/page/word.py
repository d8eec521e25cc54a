"""The report as a Word document: real tables with captions and repeated heads, figures with alternative text."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

from docx import Document
from docx.document import Document as Docx
from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Emu, Pt, RGBColor
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph as DocxParagraph

from alliance_longitudinal.language import language, translated
from alliance_longitudinal.reporting.page.archive import steady_zip
from alliance_longitudinal.reporting.page.blocks import (
    Block,
    Bullets,
    Facts,
    FigureBlock,
    Heading,
    Paragraph,
    ReportModel,
    TableBlock,
)
from alliance_longitudinal.reporting.page.pdf import picture_png

_FONT = "Calibri"
#: As Word names the languages of reports.
_LANGUAGES = {"en": "en-GB", "de": "de-DE"}
_PAGE = (Cm(21.0), Cm(29.7))
_MARGIN = Cm(2.2)
#: Tables with more columns have smaller letters.
_MOST_LARGE = 7
_INK, _SOFT = RGBColor(0x1C, 0x23, 0x2B), RGBColor(0x56, 0x61, 0x6C)


def word_document(model: ReportModel) -> bytes:
    """The bytes of ``report.docx``; the same model gives the same bytes."""
    document = Document()
    _set_up(document, model)
    document.add_paragraph(_harmless(model.study), style="Subtitle")
    document.add_paragraph(_harmless(model.title), style="Title")
    for block in model.blocks:
        _add(document, block)
    _turn(document, sideways=False)
    out = io.BytesIO()
    document.save(out)
    return steady_zip(out.getvalue())


def _set_up(document: Docx, model: ReportModel) -> None:
    """Page, styles, language, and what the file says of itself."""
    section = document.sections[0]
    section.page_width, section.page_height = _PAGE
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = _MARGIN
    for name, size in (
        ("Normal", 10.5),
        ("Title", 22),
        ("Subtitle", 11),
        ("Heading 1", 15),
        ("Heading 2", 12),
        ("Caption", 9.5),
    ):
        style = document.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = _FONT, Pt(size), _INK
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), _FONT)
        style.font.italic = False
    document.styles["Caption"].font.bold = False
    document.styles["Normal"].paragraph_format.space_after = Pt(6)
    spoken = OxmlElement("w:lang")
    named = _LANGUAGES.get(language(), language())
    spoken.set(qn("w:val"), named)
    document.styles["Normal"].element.get_or_add_rPr().append(spoken)
    said = document.core_properties
    said.title, said.subject, said.language = (
        _harmless(model.title)[:255],
        _harmless(model.study)[:255],
        named,
    )
    said.author, said.last_modified_by, said.comments, said.keywords = "", "", model.status, ""
    said.created = said.modified = datetime.fromisoformat(model.made).replace(tzinfo=None)
    foot = section.footer.paragraphs[0]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _small(foot, f"{model.footer} · {translated('page')} ")
    _field(foot, "PAGE", "1")


def _add(document: Docx, block: Block) -> None:
    match block:
        case Heading(text, level, wide):
            _turn(document, sideways=wide)
            document.add_heading(text, level)
        case Paragraph():
            _turn(document, sideways=False)
            _paragraph(document, block)
        case Bullets(items):
            _turn(document, sideways=False)
            for lead, text in items:
                _led(document.add_paragraph(style="List Bullet"), lead, text)
        case Facts(rows):
            _turn(document, sideways=False)
            _grid(document, TableBlock("facts", 0, "", ("", ""), (False, False), rows), head=False)
            document.add_paragraph().paragraph_format.space_after = Pt(0)
        case TableBlock():
            _table(document, block)
        case FigureBlock():
            _turn(document, sideways=False)
            _figure(document, block)


def _paragraph(document: Docx, block: Paragraph) -> None:
    paragraph = document.add_paragraph()
    run = _led(paragraph, block.lead, block.text)
    if block.style == "question":
        run.italic, run.font.size, run.font.color.rgb = True, Pt(12), _SOFT
    elif block.style == "answer":
        run.font.size = Pt(13)
    elif block.style == "code":
        run.font.name, run.font.size = "Consolas", Pt(9)
    elif block.style == "reference":
        paragraph.paragraph_format.left_indent = Cm(0.8)
        paragraph.paragraph_format.first_line_indent = Cm(-0.8)
    elif block.style in ("note", "warning"):
        run.font.size = Pt(9.5)


def _table(document: Docx, block: TableBlock) -> None:
    _turn(document, sideways=block.wide)
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    _numbered(caption, translated("Table"), block.number, block.title)
    table = _grid(document, block)
    table._tbl.tblPr.append(_value("w:tblCaption", block.caption))
    note = document.add_paragraph()
    if block.note:
        _small(note, f"{translated('Note.')} {block.note}")


def _figure(document: Docx, block: FigureBlock) -> None:
    holder = document.add_paragraph()
    holder.paragraph_format.keep_with_next = True
    picture = holder.add_run().add_picture(io.BytesIO(picture_png(block.picture)), width=Cm(block.width))
    about = picture._inline.docPr
    about.set("descr", _harmless(block.alt))
    about.set("name", f"{translated('Figure')} {block.number}")
    caption = document.add_paragraph(style="Caption")
    end = "" if block.title[-1:] in (".", "?", "!") else "."
    _numbered(caption, translated("Figure"), block.number, f"{block.title}{end} {block.caption}".strip())
    if block.how_to_read:
        _small(document.add_paragraph(), f"{translated('How to read it.')} {block.how_to_read}")


def _grid(document: Docx, block: TableBlock, *, head: bool = True) -> Table:
    """A table with a line above and below; its head is repeated on each page."""
    lines = [block.heads, *block.rows] if head else list(block.rows)
    table: Table = document.add_table(len(lines), len(block.numeric))
    table.alignment = WD_TABLE_ALIGNMENT.LEFT
    table.autofit = False
    room = int(document.sections[-1].page_width or 0) - 2 * int(_MARGIN)
    widths = [Emu(int(room * share)) for share in block.shares]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    _borders(table, head=head)
    for i, (row, texts) in enumerate(zip(table.rows, lines, strict=True)):
        for cell, text, is_number, width in zip(row.cells, texts, block.numeric, widths, strict=True):
            _fill(cell, text, bold=head and i == 0, right=is_number, small=len(widths) > _MOST_LARGE)
            cell.width = width
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))
        if head and i == 0:
            properties.append(OxmlElement("w:tblHeader"))
    return table


def _fill(cell: _Cell, text: str, *, bold: bool, right: bool, small: bool) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(1)
    run = paragraph.add_run(_harmless(text))
    run.bold, run.font.size = bold, Pt(8 if small else 9)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _borders(table: Table, *, head: bool) -> None:
    borders = OxmlElement("w:tblBorders")
    inner = [("w:insideH", "2", "D9D5CC")]
    for edge, size, color in [("w:top", "12", "1C232B"), ("w:bottom", "12", "1C232B"), *inner]:
        line = OxmlElement(edge)
        for key, value in (("val", "single"), ("sz", size), ("space", "0"), ("color", color)):
            line.set(qn(f"w:{key}"), value)
        borders.append(line)
    table._tbl.tblPr.append(borders)
    look = table._tbl.tblPr.find(qn("w:tblLook"))
    if look is not None:
        look.set(qn("w:firstRow"), "1" if head else "0")


def _turn(document: Docx, *, sideways: bool) -> None:
    """Begin a new page of the other orientation, if the present one is not what is wanted."""
    section = document.sections[-1]
    if (section.orientation == WD_ORIENT.LANDSCAPE) == sideways:
        return
    new = document.add_section()
    new.orientation = WD_ORIENT.LANDSCAPE if sideways else WD_ORIENT.PORTRAIT
    new.page_width, new.page_height = (_PAGE[1], _PAGE[0]) if sideways else _PAGE


def _numbered(paragraph: DocxParagraph, word: str, count: int, title: str) -> None:
    """``Table 3. Title``, with a field that Word counts and can refer to."""
    if count:
        paragraph.add_run(f"{word} ").bold = True
        _field(paragraph, f"SEQ {word} \\* ARABIC", str(count), bold=True)
        paragraph.add_run(". ").bold = True
    paragraph.add_run(_harmless(title))


def _led(paragraph: DocxParagraph, lead: str, text: str) -> Any:
    if lead:
        paragraph.add_run(_harmless(f"{lead} ")).bold = True
    return paragraph.add_run(_harmless(text))


def _small(paragraph: DocxParagraph, text: str) -> None:
    run = paragraph.add_run(_harmless(text))
    run.font.size, run.font.color.rgb = Pt(8.5), _SOFT


def _field(paragraph: DocxParagraph, instruction: str, shown: str, *, bold: bool = False) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), instruction)
    run = paragraph.add_run(shown)
    run.bold = bold
    field.append(run._r)
    paragraph._p.append(field)


def _value(tag: str, text: str) -> Any:
    element = OxmlElement(tag)
    element.set(qn("w:val"), _harmless(text))
    return element


def _harmless(text: str) -> str:
    """``text`` without characters that XML cannot hold."""
    return "".join(c if c in "\t\n" or (ord(c) >= 0x20 and c not in "\ufffe\uffff") else " " for c in text)


def write_word(model: ReportModel, folder: Path) -> None:
    """Write ``report.docx`` into ``folder``."""
    (folder / "report.docx").write_bytes(word_document(model))
