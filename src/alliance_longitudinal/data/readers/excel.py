"""Reads an Excel sheet as the text that a person would read in it."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.values import value_text
from alliance_longitudinal.strict_yaml import nearest

MOST_BYTES = 1 << 30  # of an unpacked workbook
MOST_PACKED = 200  # times that a large workbook may shrink; real ones shrink 5 to 30 times
LARGE = 50 << 20
MOST_CELLS = 100_000_000

# Other programs than Excel write prefixes such as x: before each name, other quotation marks, another order.
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[\"']([A-Z]+[0-9]+:[A-Z]+[0-9]+)[\"']")
_CELL = re.compile(
    rb"<(?:\w+:)?c(\s[^>]*?\br=[\"']([A-Z]+[0-9]+)[\"'][^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL
)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_RESULT = re.compile(rb"<(?:\w+:)?(?:v[^>]*>[^<]|is>)")
#: A cell whose result is text; only then is an empty value a result, the empty text.
_TEXT, _EMPTY_TEXT = re.compile(rb"\bt=[\"']str[\"']"), re.compile(rb"<(?:\w+:)?v></(?:\w+:)?v>")


def read_excel_columns(
    name: str, content: bytes, sheet: str | None, header_row: int, dialect: Dialect, problems: Problems
) -> tuple[Texts, ...] | None:
    """Columns of one sheet as text, header included; None, and a problem, if it cannot be read.

    Whole numbers lose no digit and gain no ``.0``; other numbers get the dialect's decimal mark; dates become
    ISO dates, whichever of Excel's two calendars the workbook counts in; error values such as ``#N/A`` stay.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        problems.add("not_excel", _not_excel(content), "open it and save it as .xlsx.", file=name)
        return None
    if _is_bomb(content):
        message = "the workbook is far larger when unpacked than any table of sessions; it was not opened."
        problems.add("too_large", message, "save the sheet as a new workbook, or export as CSV.", file=name)
        return None
    book: Any = None
    try:
        with warnings.catch_warnings():  # about parts of the workbook that are no cells
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        chosen = _sheet(name, book, sheet, problems)
        if chosen is None or not _is_plain(name, content, chosen, header_row, problems):
            return None
        rows = _filled(chosen.iter_rows(values_only=True), dialect)
    except _DAMAGED as error:
        message = f"the file is damaged or is not an Excel workbook ({type(error).__name__})."
        problems.add("not_excel", message, "open it and save it as .xlsx.", file=name)
        return None
    finally:
        if book is not None:
            book.close()
    if not any(any(row) for row in rows):
        problems.add(
            "empty_file", f"the sheet {chosen.title!r} is empty.", "name the right sheet.", file=name
        )
        return None
    width = max(len(row) for row in rows)
    if width * len(rows) > MOST_CELLS:
        message = (
            f"the sheet {chosen.title!r} reaches to column {width} and row {len(rows)}, far beyond any table."
        )
        remedy = "delete what is far away from the table (Ctrl+End in Excel goes there), and save it again."
        problems.add("too_large", message, remedy, file=name)
        return None
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    return tuple(Texts.of(column) for column in zip(*full, strict=True))


def _filled(cells: Iterable[Sequence[Any]], dialect: Dialect) -> list[list[str]]:
    """Rows of texts without the empty ends that formatted cells far away leave behind."""
    rows: list[list[str]] = []
    with warnings.catch_warnings():  # a date beyond the calendar comes out as #VALUE!, which is reported
        warnings.simplefilter("ignore")
        for row in cells:
            last = next((place for place in range(len(row), 0, -1) if row[place - 1] is not None), 0)
            rows.append([value_text(value, dialect) for value in row[:last]])
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


#: What a damaged workbook makes openpyxl and the zip and XML readers under it raise.
_DAMAGED = (
    *(InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError),
    *(OSError, EOFError, SyntaxError, NotImplementedError, RuntimeError, zipfile.zlib.error),  # type: ignore[attr-defined]
)


def _is_bomb(content: bytes) -> bool:
    """Whether the archive says that it unpacks to far too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except _DAMAGED:
        return False
    return size > MOST_BYTES or (size > LARGE and size > MOST_PACKED * len(content))


def _sheet(name: str, book: Any, sheet: str | None, problems: Problems) -> Any:
    titles = [chosen.title for chosen in book.worksheets]  # without pages that hold only a chart
    seen = [chosen.title for chosen in book.worksheets if chosen.sheet_state == "visible"]
    if sheet is not None and sheet not in titles:
        problems.add(
            "missing_sheet",
            f"there is no sheet {sheet!r}; the workbook has {some(titles, 10)}. {nearest(sheet, titles)}",
            "correct 'sheet' in the study file.",
            file=name,
        )
        return None
    if sheet is None and not seen:
        message = "the workbook has no visible sheet with a table."
        remedy = "save it as an ordinary .xlsx workbook (not 'Strict Open XML'), or name a hidden 'sheet'."
        problems.add("missing_sheet", message, remedy, file=name)
        return None
    chosen = book.worksheets[titles.index(seen[0] if sheet is None else sheet)]
    chosen.reset_dimensions()  # other programs often write a wrong size into the file
    return chosen


def _is_plain(name: str, content: bytes, chosen: Any, header_row: int, problems: Problems) -> bool:
    """Whether each cell of the data holds a value of its own; else a problem says which does not."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        xml = archive.read(chosen._worksheet_path)
    merged = [ref.decode() for ref in _MERGED.findall(xml)]
    in_data = [ref for ref in merged if range_boundaries(ref)[3] >= header_row]
    if in_data:
        problems.add(
            "merged_cells",
            f"cells are merged ({some(in_data)}); only the first of them has the value, the others "
            "are empty.",
            "unmerge them and fill the value into each cell.",
            file=name,
            row=range_boundaries(in_data[0])[1],
        )
    unknown = _formulas_without_value(xml) if _FORMULA.search(xml) else []
    if unknown:
        problems.add(
            "formula_without_value",
            f"{len(unknown)} cells hold a formula whose result is not in the file (such as {some(unknown)}).",
            "open it in Excel, save it, and try again; or paste the values in place of the formulas.",
            file=name,
            row=int(re.sub("[A-Z]", "", unknown[0])),
        )
    return not in_data and not unknown


def _formulas_without_value(xml: bytes) -> list[str]:
    return [
        place.decode()
        for tag, place, inside in _CELL.findall(xml)
        if _FORMULA.search(inside)
        and not _RESULT.search(inside)
        and not (_TEXT.search(tag) and _EMPTY_TEXT.search(inside))
    ]


def _not_excel(content: bytes) -> str:
    if content[:4] == b"\xd0\xcf\x11\xe0":
        return "the file is an old (.xls) or a password-protected Excel file, which cannot be read."
    if content.lstrip()[:1] == b"<":
        return "the file is a web page or XML, although it is called Excel."
    return "the file is not a real Excel workbook, although it is called so."
