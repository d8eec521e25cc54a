"""Reads a text table (CSV and the like) exactly as the declared dialect says, or says why that fails."""

import csv
import io
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.problems import Problems

_SEPARATORS = {",": "comma ','", ";": "semicolon ';'", "\t": "tab '\\t'", "|": "bar '|'"}


def read_csv_cells(
    path: Path, content: bytes, dialect: Dialect, problems: Problems
) -> NDArray[np.object_] | None:
    """Cells of the file as stripped text, header included; None, and a problem, if it cannot be read."""
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
