"""A report's tables for other programs: one Excel workbook, LaTeX for a paper, and Parquet at full precision."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from alliance_longitudinal.reporting.page.archive import steady_zip
from alliance_longitudinal.reporting.page.blocks import TableBlock
from alliance_longitudinal.reporting.page.model import table_block
from alliance_longitudinal.reporting.page.render import all_estimates

_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_LONGEST_SHEET_NAME = 31
_MOST_WIDE = 60
#: What LaTeX reads as code, and how it is written instead.
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{MINUS SIGN}": "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{EN DASH}": "--",
}


def write_tables(results: Mapping[str, Any], stage: Path, formats: Sequence[str]) -> None:
    """Write ``tables.xlsx``, ``tables/NAME.tex`` and ``tables/NAME.parquet``, as far as ``formats`` asks for them."""
    tables = [*results["tables"], all_estimates(results["estimates"])]
    if "xlsx" in formats:
        (stage / "tables.xlsx").write_bytes(workbook(tables))
    (stage / "tables").mkdir(exist_ok=True)
    for table in tables:
        if "tex" in formats:
            (stage / "tables" / f"{table['name']}.tex").write_text(
                latex(table_block(table)), encoding="utf-8"
            )
        if "parquet" in formats:
            _frame(table).to_parquet(stage / "tables" / f"{table['name']}.parquet", index=False)


def workbook(tables: Sequence[Mapping[str, Any]]) -> bytes:
    """An Excel workbook with a sheet for each table: title, head, numbers as precise as Excel keeps them, note.

    Text that Excel would take for a formula stays text.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.active)
    for table in tables:
        sheet = book.create_sheet(_sheet_name(table["name"], book.sheetnames))
        _line(sheet, 1, [table["title"]])
        _line(sheet, 3, [c["label"] or c["key"] for c in table["columns"]])
        for i, row in enumerate(table["rows"], start=4):
            _line(sheet, i, row)
        if table.get("note"):
            _line(sheet, len(table["rows"]) + 5, [table["note"]])
        for cell in (*sheet[1], *sheet[3]):
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A4"
        for j in range(len(table["columns"])):
            texts = [str(row[j]) for row in table["rows"]] + [table["columns"][j]["label"]]
            sheet.column_dimensions[get_column_letter(j + 1)].width = min(
                _MOST_WIDE, max(map(len, texts)) + 2
            )
    out = io.BytesIO()
    book.save(out)
    return _timeless(out.getvalue())


def latex(table: TableBlock) -> str:
    """A table as LaTeX, as its cells are shown; it needs the package ``booktabs``."""
    align = "".join("r" if numeric else "l" for numeric in table.numeric)
    lines = [
        "% Needs \\usepackage{booktabs}",
        "\\begin{table}",
        f"\\caption{{{_escaped(table.title)}}}",
        f"\\label{{tab:{table.name}}}",
        f"\\begin{{tabular}}{{{align}}}",
        "\\toprule",
        " & ".join(map(_escaped, table.heads)) + r" \\",
        "\\midrule",
        *(" & ".join(map(_escaped, row)) + r" \\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
        *([f"\\par\\footnotesize\\textit{{Note.}} {_escaped(table.note)}"] if table.note else []),
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in " ".join(text.splitlines()))


def _frame(table: Mapping[str, Any]) -> pd.DataFrame:
    """A table as a frame; a column that holds both texts and numbers is text."""
    frame = pd.DataFrame(table["rows"], columns=[c["key"] for c in table["columns"]])
    for name in frame.columns[[c["kind"] == "text" for c in table["columns"]]]:
        frame[name] = pd.Series([None if v is None else str(v) for v in frame[name]], dtype="string")
    mixed = [n for n in frame.columns if frame[n].dtype == object]
    return frame.astype(dict.fromkeys(mixed, "string"))


def _line(sheet: Any, i: int, values: Sequence[Any]) -> None:
    for j, value in enumerate(values, start=1):
        cell = sheet.cell(row=i, column=j)
        if isinstance(value, str):
            cell.value = _printable(value)
            cell.data_type = "s"  # never a formula
        else:
            cell.value = value


def _printable(text: str) -> str:
    return "".join(c if ord(c) >= 0x20 or c in "\t\n" else " " for c in text)


def _sheet_name(name: str, taken: Sequence[str]) -> str:
    plain = _SHEET_NAME.sub("-", name)[:_LONGEST_SHEET_NAME]
    k = 1
    while plain in taken:
        k += 1
        plain = f"{plain[: _LONGEST_SHEET_NAME - len(str(k)) - 1]}-{k}"
    return plain


def _timeless(content: bytes) -> bytes:
    """A workbook without the time at which it was made."""
    return steady_zip(
        content, replace={"docProps/core.xml": (rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z")}
    )
