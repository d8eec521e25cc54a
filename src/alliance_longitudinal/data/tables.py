"""Reads a table from disk as text, every value as it is written and with its row number."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.csv_text import read_csv_cells
from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.problems import Column, Problems, some
from alliance_longitudinal.data.study import Source
from alliance_longitudinal.strict_yaml import nearest


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
        cells = read_csv_cells(path, content, dialect, problems)
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
