"""Reads an Excel sheet as the text that a person would read in it."""

import datetime
import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.problems import Problems, some
from alliance_longitudinal.strict_yaml import nearest


def read_excel_cells(
    name: str, content: bytes, sheet: str | None, dialect: Dialect, problems: Problems
) -> NDArray[np.object_] | None:
    """Cells of one sheet as stripped text, rows by columns; None, and a problem, if it cannot be read.

    Whole numbers lose no digit and gain no ``.0``; other numbers get the dialect's decimal mark; dates become
    ISO dates, whichever of Excel's two calendars the workbook counts in; error values such as ``#N/A`` stay.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        problems.add("not_excel", _not_excel(content), "open it and save it as .xlsx.", file=name)
        return None
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        message = f"the file is damaged or is not an Excel workbook ({type(error).__name__})."
        problems.add("not_excel", message, "open it and save it as .xlsx.", file=name)
        return None
    try:
        chosen = _sheet(name, book, sheet, problems)
        if chosen is None:
            return None
        rows = [[_text(value, dialect) for value in row] for row in chosen.iter_rows(values_only=True)]
    finally:
        book.close()
    if not any(any(row) for row in rows):
        problems.add(
            "empty_file", f"the sheet {chosen.title!r} is empty.", "name the right sheet.", file=name
        )
        return None
    return _rectangle(rows)


def _sheet(name: str, book: Any, sheet: str | None, problems: Problems) -> Any:
    if sheet is not None and sheet not in book.sheetnames:
        problems.add(
            "missing_sheet",
            f"there is no sheet {sheet!r}; the workbook has {some(book.sheetnames, 10)}. "
            f"{nearest(sheet, book.sheetnames)}",
            "correct 'sheet' in the study file.",
            file=name,
        )
        return None
    chosen = book[sheet] if sheet is not None else book.worksheets[0]
    chosen.reset_dimensions()  # other programs often write a wrong size into the file
    return chosen


def _text(value: Any, dialect: Dialect) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value).replace(".", dialect.decimal)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    return str(value).strip()


def _rectangle(rows: list[list[str]]) -> NDArray[np.object_]:
    cells = np.full((len(rows), max(len(row) for row in rows)), "", dtype=object)
    for place, row in enumerate(rows):
        cells[place, : len(row)] = row
    return cells


def _not_excel(content: bytes) -> str:
    if content[:4] == b"\xd0\xcf\x11\xe0":
        return "the file is an old (.xls) or a password-protected Excel file, which cannot be read."
    if content.lstrip()[:1] == b"<":
        return "the file is a web page or XML, although it is called Excel."
    return "the file is not a real Excel workbook, although it is called so."
