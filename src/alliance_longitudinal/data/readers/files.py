"""One file, all files of a folder, or all that fit a pattern: each read by its own reader."""

import hashlib
from contextlib import suppress
from pathlib import Path

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.readers.sheet import Sheet, from_grid
from alliance_longitudinal.data.study_file.table_blocks import Table
from alliance_longitudinal.resources import is_regular
from alliance_longitudinal.strict_yaml import nearest

TEXT = (".csv", ".tsv", ".txt")
EXCEL = (".xlsx", ".xlsm")
STATISTICS = (".sav", ".zsav", ".dta")
COLUMNAR = (".parquet", ".pq", ".feather", ".arrow")
SQLITE = (".sqlite", ".sqlite3", ".db")
DUCKDB = (".duckdb",)
#: Bytes; a line without an end in a piece of this size is no row of a table.
LONGEST_LINE = 16 << 20
ENDINGS = (*TEXT, *EXCEL, *STATISTICS, *COLUMNAR, *SQLITE, *DUCKDB)


def find_files(folder: Path, named: str) -> list[Path]:
    """The files that ``named`` means, in order of their names; the name itself if it is one file or nothing.

    Hidden files and Excel's lock files (``~$``) do not count.
    """
    path = folder / named
    if _is_dir(path):
        found = [p for p in path.iterdir() if p.suffix.lower() in ENDINGS]
    elif any(mark in named for mark in "*?[") and not path.exists():
        base = Path(path.anchor) if path.is_absolute() else folder
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else named
        try:
            found = [p for p in base.glob(pattern) if p.is_file()]
        except (ValueError, NotImplementedError):
            found = []
    else:
        return [path]
    seen = [p for p in found if p.is_file() and not p.name.startswith((".", "~$"))]
    return sorted(seen, key=lambda p: p.as_posix())


def is_several(folder: Path, named: str) -> bool:
    """Whether ``named`` means a folder or a pattern and not one file."""
    path = folder / named
    return _is_dir(path) or (any(mark in named for mark in "*?[") and not path.exists())


def _is_dir(path: Path) -> bool:
    """Whether ``path`` is a folder; a name that no file can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


_SLASHES = "Write the path with / in place of \\, or put it in single quotes."


def read_file(path: Path, block: Table, dialect: Dialect, problems: Problems) -> tuple[Sheet, str] | None:
    """The table in one file and the SHA-256 of the file; None, and a problem, if it cannot be read."""
    if path.suffix.lower() in TEXT and _has_endless_line(path, problems):
        return None
    content = _content(path, problems)
    if content is None:
        return None
    digest = hashlib.sha256(content).hexdigest()
    sheet = _read_by_ending(path, content, block, dialect, problems)
    return None if sheet is None else (sheet, digest)


def _read_by_ending(
    path: Path, content: bytes, block: Table, dialect: Dialect, problems: Problems
) -> Sheet | None:
    ending, header_row = path.suffix.lower(), block.header_row
    if ending in EXCEL:
        from alliance_longitudinal.data.readers.excel import read_excel_columns

        columns = read_excel_columns(path.name, content, block.sheet, header_row, dialect, problems)
        return None if columns is None else from_grid(path.name, columns, header_row, problems)
    if ending in TEXT:
        from alliance_longitudinal.data.readers.csv_text import read_csv_columns

        columns = read_csv_columns(path, content, header_row, dialect, problems)
        return None if columns is None else from_grid(path.name, columns, header_row, problems)
    if ending in STATISTICS:
        from alliance_longitudinal.data.readers.statistics import read_statistics

        return read_statistics(path, dialect, problems)
    if ending in COLUMNAR:
        from alliance_longitudinal.data.readers.arrow import read_columnar

        return read_columnar(path.name, content, dialect, problems)
    if ending in SQLITE or ending in DUCKDB:
        from alliance_longitudinal.data.readers import database

        reader = database.read_sqlite if ending in SQLITE else database.read_duckdb
        return reader(path, block, dialect, problems)
    problems.add(
        "file_type",
        f"files that end in {path.suffix!r} cannot be read."
        if path.suffix
        else "its name has no ending, so its format is not known.",
        f"export the table as .csv or .xlsx; {', '.join(ENDINGS[5:])} can be read too.",
        file=path.name,
    )
    return None


def _has_endless_line(path: Path, problems: Problems) -> bool:
    """Whether a text table has a line as long as a whole table; a problem. Looked at piece by piece, before it is read."""
    line = 1
    with suppress(OSError, ValueError):  # what is wrong with the file is said where it is read
        if not is_regular(path) or path.stat().st_size < LONGEST_LINE:
            return False
        with path.open("rb") as file:
            while piece := file.read(LONGEST_LINE):
                ends = piece.count(b"\n")
                if not ends and b"\r" not in piece and len(piece) == LONGEST_LINE:
                    problems.add(
                        "endless_line",
                        f"the line is longer than {LONGEST_LINE >> 20} MB, so the file is not a table; it was not read.",
                        "export the table again, with one line per row.",
                        file=path.name,
                        row=line,
                    )
                    return True
                line += ends
    return False


def _files_beside(path: Path) -> str:
    """What the folder has in place of a file that is not there; no folders, and nothing hidden."""
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    names = [p.name for p in sorted(path.parent.iterdir()) if p.is_file() and not p.name.startswith(".")]
    return nearest(path.name, names) if names else "The folder has no files."


def _content(path: Path, problems: Problems) -> bytes | None:
    if not is_regular(path):
        problems.add(
            "not_a_file",
            "it is not a file with a table.",
            "correct 'file' in the study file.",
            file=path.name,
        )
        return None
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        hint = _files_beside(path)
        message = f"there is no file {path.name!r}. {hint}"
        if path.is_symlink():
            message = f"it is a link to {path.readlink().name!r}, and no file is there."
        elif any(
            ord(letter) < ord(" ") for letter in path.name
        ):  # "C:\new\table.csv": \n and \t are characters
            message = f"there is no file {path.name!r}: inside double quotes a backslash begins a special character. {_SLASHES}"
        problems.add("missing_file", message, "correct 'file' in the study file.", file=path.name)
        return None
    except OSError as error:
        problems.add(
            "unreadable_file",
            f"it cannot be opened: {error.strerror}.",
            "check the path and your permissions.",
            file=path.name,
        )
        return None
    if not content or content.isspace():
        problems.add("empty_file", "the file is empty.", "export the table again.", file=path.name)
        return None
    return content


def no_files(folder: Path, named: str, problems: Problems) -> None:
    """Report that a folder or a pattern holds no table."""
    path = folder / named
    inside = sorted(p.name for p in path.iterdir())[:8] if path.is_dir() else []
    hint = f" It has {some(inside)}." if inside else ""
    problems.add(
        "missing_file",
        f"no file there can be read as a table.{hint}",
        f"correct 'file' in the study file; what can be read ends in {', '.join(ENDINGS)}.",
        file=named,
    )
