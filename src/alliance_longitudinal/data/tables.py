"""Reads a table from disk as text, every value as it is written and with its row number."""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.problems import Column, Problems, some
from alliance_longitudinal.data.study import Source
from alliance_longitudinal.strict_yaml import nearest

_SEPARATORS = {",": "comma ','", ";": "semicolon ';'", "\t": "tab '\\t'", "|": "bar '|'"}


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as text.

    Attributes
    ----------
    source : Source
    headers : tuple of str
    values : object array of str, shape (n, columns)
        Stripped; empty = nothing there.
    rows : int array, shape (n,)
        Row numbers as in the file, header = 1.
    """

    source: Source
    headers: tuple[str, ...]
    values: NDArray[np.object_]
    rows: NDArray[np.int64]

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.source.name

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, header: str) -> Column:
        """The column called ``header``; an empty one if the table has none (which is reported elsewhere)."""
        if header in self.headers:
            text = self.values[:, self.headers.index(header)]
        else:
            text = np.full(len(self), "", dtype=object)
        return Column(self.file, header, self.rows, text)

    def take(self, keep: NDArray[np.bool_]) -> "RawTable":
        """The rows where ``keep`` is true."""
        return RawTable(self.source, self.headers, self.values[keep], self.rows[keep])


def read_table(
    path: Path, sheet: str | None, header_row: int, dialect: Dialect, problems: Problems
) -> RawTable | None:
    """Read ``path``; None if it cannot be read, and then ``problems`` says why."""
    content = _content(path, problems)
    if content is None:
        return None
    if path.suffix.lower() in {".xlsx", ".xlsm"}:
        from alliance_longitudinal.data.excel import read_excel_cells

        cells = read_excel_cells(path.name, content, sheet, dialect, problems)
    elif path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        cells = _csv_cells(path, content, dialect, problems)
    else:
        problems.add(
            "file_type",
            f"files that end in {path.suffix or 'nothing'!r} cannot be read.",
            "export the table as .csv or .xlsx.",
            file=path.name,
        )
        return None
    if cells is None:
        return None
    return _with_header(path.name, content, cells, header_row, problems)


def check_headers(table: RawTable, wanted: Sequence[str], problems: Problems) -> None:
    """Report the wanted columns that ``table`` lacks, with near matches, or has twice."""
    for header in dict.fromkeys(wanted):
        count = table.headers.count(header)
        if count > 1:
            places = [i + 1 for i, h in enumerate(table.headers) if h == header]
            problems.add(
                "duplicate_header",
                f"the column {header!r} stands there {count} times (columns {some(places)}).",
                "give each column a name of its own.",
                file=table.file,
                column=header,
            )
    missing = [h for h in dict.fromkeys(wanted) if h not in table.headers]
    if not missing:
        return
    elsewhere = _header_further_down(table, wanted)
    if elsewhere is not None:
        problems.add(
            "header_row",
            f"the column names do not stand in the header row but in row {elsewhere}.",
            f"write 'header_row: {elsewhere}' below the file's name in the study file.",
            file=table.file,
            row=elsewhere,
        )
        return
    for header in missing:
        problems.add(
            "missing_column",
            f"there is no column {header!r}. {nearest(header, [h for h in table.headers if h])}".strip(),
            "correct the name in the study file or in the table.",
            file=table.file,
            column=header,
        )


def drop_second_header(
    table: RawTable, numeric: Sequence[str], dialect: Dialect, problems: Problems
) -> RawTable:
    """Report a first data row that is a second header (labels above numbers), and go on without it."""
    present = [h for h in dict.fromkeys(numeric) if h in table.headers]
    if len(table) < 3 or not present:
        return table
    labels = numbers_below = 0
    for header in present:
        _, bad = dialect.numbers(table.column(header).text)
        filled = not dialect.is_missing(table.column(header).text[:1])[0]
        labels += bool(bad[0] and filled)
        numbers_below += bool(bad[0] and not bad[1:].any())
    if labels < len(present) or not numbers_below:
        return table
    problems.add(
        "two_header_rows",
        "the row below the column names holds no data; it looks like a second header row.",
        f"delete it, or write 'header_row: {table.rows[0]}' if it holds the right names.",
        file=table.file,
        row=int(table.rows[0]),
    )
    return table.take(np.arange(len(table)) > 0)


def _content(path: Path, problems: Problems) -> bytes | None:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        names = [p.name for p in sorted(path.parent.iterdir())] if path.parent.is_dir() else []
        hint = nearest(path.name, names) if names else f"There is no folder {path.parent}."
        message = f"there is no file {path.name!r}. {hint}"
        problems.add("missing_file", message, "correct 'file' in the study file.", file=path.name)
        return None
    except OSError as error:
        problems.add(
            "unreadable_file",
            f"it cannot be opened: {error.strerror}.",
            "check the path and rights.",
            file=path.name,
        )
        return None
    if not content.strip():
        problems.add("empty_file", "the file is empty.", "export the table again.", file=path.name)
        return None
    return content


def _csv_cells(
    path: Path, content: bytes, dialect: Dialect, problems: Problems
) -> NDArray[np.object_] | None:
    text = _decoded(path.name, content, dialect, problems)
    if text is None:
        return None
    separator = dialect.separator or ("," if path.suffix.lower() == ".csv" else "\t")
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    if separator not in first_line:
        seen = max(_SEPARATORS, key=first_line.count)
        if first_line.count(seen):
            problems.add(
                "wrong_separator",
                f"the declared separator is the {_SEPARATORS.get(separator, repr(separator))}, but the first "
                f"line has none; it has the {_SEPARATORS[seen]}.",
                f"write 'dialect: {{separator: {_yaml_mark(seen)}}}' in the study file.",
                file=path.name,
                row=1,
            )
            return None
    return _parsed(path.name, text, separator, problems)


def _yaml_mark(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _decoded(name: str, content: bytes, dialect: Dialect, problems: Problems) -> str | None:
    """The text of the file, or None and a problem if it is not in the declared encoding."""
    encoding = (
        "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else dialect.encoding
    )
    is_utf8 = encoding == "utf-8-sig"
    if content[:2] in (b"PK", b"\xd0\xcf"):
        message = "the file is called text but is an Excel or zip file."
        problems.add("wrong_type", message, "give it the ending .xlsx, or export as CSV.", file=name)
        return None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        problems.add(
            "wrong_encoding",
            f"the file is not in the encoding {dialect.encoding!r} that the study file states "
            f"(byte {error.object[error.start]:#04x}).",
            f"try 'dialect: {{encoding: {guess}}}' (Excel on Windows often writes cp1252), or save as UTF-8.",
            file=name,
            row=row,
        )
        return None
    if not is_utf8 and not content.isascii() and _decodes(content, "utf-8"):
        problems.add(
            "wrong_encoding",
            f"the file is UTF-8 text, but {dialect.encoding!r} is declared; umlauts would be garbled.",
            "write 'dialect: {encoding: utf-8}' in the study file.",
            file=name,
        )
        return None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        message = "the file holds a NUL character; it is damaged or not a text file."
        problems.add("nul_character", message, "export the table again.", file=name, row=row)
        return None
    return text


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _parsed(name: str, text: str, separator: str, problems: Problems) -> NDArray[np.object_] | None:
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
        )
    except pd.errors.ParserError as error:
        _report_ragged(name, text, separator, str(error), problems)
        return None
    return _stripped(frame.to_numpy(dtype=object, na_value=""))


def _report_ragged(name: str, text: str, separator: str, error: str, problems: Problems) -> None:
    if "EOF inside string" in error:
        found = re.search(r"row (\d+)", error)
        problems.add(
            "open_quote",
            'a quotation mark (") is opened and never closed.',
            "close it, or double it inside a text.",
            file=name,
            row=int(found.group(1)) + 1 if found else None,
        )
        return
    width = 0
    for row, fields in enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1):
        width = width or len(fields)
        if len(fields) > width:
            problems.add(
                "too_many_fields",
                f"rows have more fields than the header, which has {width}.",
                "put texts that contain the separator into quotation marks; check the decimal mark.",
                file=name,
                row=row,
                value=f"{len(fields)} fields",
            )


def _stripped(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """Each text without surrounding blanks and in one Unicode form, so that equal names are equal."""
    out = np.empty(values.shape, dtype=object)
    for place in range(values.shape[1]):
        codes, distinct = pd.factorize(values[:, place])
        clean = [unicodedata.normalize("NFC", str(v)).strip() for v in distinct]
        out[:, place] = np.array([*clean, ""], dtype=object)[codes]
    return out


def _with_header(
    name: str, content: bytes, cells: NDArray[np.object_], header_row: int, problems: Problems
) -> RawTable | None:
    filled = (cells != "").any(axis=1)
    if len(cells) <= header_row or not filled[header_row:].any():
        message = f"there are no rows below the column names in row {header_row}."
        problems.add("no_rows", message, "export the table again; it has no data.", file=name)
        return None
    values = cells[header_row:]
    return RawTable(
        source=Source(name, hashlib.sha256(content).hexdigest(), int(filled[header_row:].sum())),
        headers=tuple(str(h) for h in cells[header_row - 1]),
        values=values,
        rows=np.arange(header_row + 1, header_row + 1 + len(values), dtype=np.int64),
    )


def _header_further_down(table: RawTable, wanted: Sequence[str]) -> int | None:
    """Row among the next ten that holds all wanted names, if there is one."""
    for row, values in zip(table.rows[:10], table.values[:10], strict=True):
        if set(wanted) <= set(values):
            return int(row)
    return None
