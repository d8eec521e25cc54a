"""Reads a text table (CSV and the like) exactly as the declared dialect says, or says why that fails."""

import codecs
import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.problems import Problems
from alliance_longitudinal.data.readers.arrow import texts_of_arrow
from alliance_longitudinal.data.texts import Texts

_SEPARATORS = {",": "comma ','", ";": "semicolon ';'", "\t": "tab '\\t'", "|": "bar '|'"}


def read_csv_columns(
    path: Path, content: bytes, dialect: Dialect, problems: Problems
) -> tuple[Texts, ...] | None:
    """Columns of the file as text, header included; None, and a problem, if it cannot be read."""
    plain = _plain_utf8(path.name, content, dialect, problems)
    if plain is None:
        return None
    separator = dialect.separator or ("," if path.suffix.lower() == ".csv" else "\t")
    first_line = plain[:100_000].lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8", "replace")
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
    columns = _parsed_fast(plain, separator, first_line)
    return columns if columns is not None else _parsed(path.name, plain.decode(), separator, problems)


def _yaml_mark(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _plain_utf8(name: str, content: bytes, dialect: Dialect, problems: Problems) -> bytes | None:
    """The text of the file as UTF-8; None, and a problem, if it is not in the declared encoding."""
    encoding = (
        "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else dialect.encoding
    )
    is_utf8 = encoding == "utf-8-sig"
    if content[:2] in (b"PK", b"\xd0\xcf"):
        message = "the file is called text but is an Excel or zip file."
        problems.add("wrong_type", message, "give it the ending .xlsx, or export as CSV.", file=name)
        return None
    try:
        plain = content if content.isascii() and _ascii_stays(encoding) else _recoded(content, encoding)
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
    if b"\0" in plain:
        row = plain.count(b"\n", 0, plain.index(b"\0")) + 1
        message = "the file holds a NUL character; it is damaged or not a text file."
        problems.add("nul_character", message, "export the table again.", file=name, row=row)
        return None
    return plain


def _ascii_stays(encoding: str) -> bool:
    """Whether plain ASCII bytes mean the same in ``encoding``."""
    ascii_bytes = bytes(range(32, 127))
    try:
        return ascii_bytes.decode(encoding) == ascii_bytes.decode("ascii")
    except UnicodeDecodeError:
        return False


def _recoded(content: bytes, encoding: str) -> bytes:
    if encoding == "utf-8-sig":
        content.decode(encoding)
        return content.removeprefix(codecs.BOM_UTF8)
    return content.decode(encoding).removeprefix("\ufeff").encode("utf-8")


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _parsed_fast(plain: bytes, separator: str, first_line: str) -> tuple[Texts, ...] | None:
    """Columns of a regular file: as many fields in each row, no quotation mark; None for any other.

    What this leaves out is read by :func:`_parsed`, which gives the same texts and explains what is wrong.
    """
    if b'"' in plain or not separator.isascii() or "\r" in first_line.rstrip("\r"):
        return None
    from pyarrow import ArrowInvalid, BufferReader, dictionary, int32, string
    from pyarrow import csv as arrow_csv

    names = [str(place) for place in range(first_line.count(separator) + 1)]
    kind = dictionary(int32(), string())
    try:
        table = arrow_csv.read_csv(
            BufferReader(plain),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=1 << 22),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind), null_values=[], strings_can_be_null=False
            ),
        )
    except ArrowInvalid:
        return None
    return tuple(texts_of_arrow(column) for column in table.columns)


def _parsed(name: str, text: str, separator: str, problems: Problems) -> tuple[Texts, ...] | None:
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=object,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
        )
    except pd.errors.ParserError as error:
        _report_ragged(name, text, separator, str(error), problems)
        return None
    except (pd.errors.EmptyDataError, UnicodeError) as error:
        message = f"the file cannot be read as a table ({type(error).__name__})."
        problems.add("unreadable_file", message, "export the table again.", file=name)
        return None
    return tuple(Texts.of(_as_text(frame[place])) for place in frame.columns)


def _as_text(values: "pd.Series[Any]") -> NDArray[np.object_]:
    """The fields of a column; a row that ends before it has none."""
    fields = values.to_numpy(dtype=object)
    return np.where(pd.isna(fields), "", fields)


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
