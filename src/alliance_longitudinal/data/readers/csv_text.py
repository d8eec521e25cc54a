"""Reads a text table (CSV and the like) exactly as the declared dialect says, or says why that fails."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts, joined
from alliance_longitudinal.data.readers.arrow import texts_of_arrow

CHUNK = 50_000  # rows in memory at a time
_SEPARATORS = {",": "comma ','", ";": "semicolon ';'", "\t": "tab '\\t'", "|": "bar '|'"}


def read_csv_columns(
    path: Path, content: bytes, header_row: int, dialect: Dialect, problems: Problems
) -> tuple[Texts, ...] | None:
    """Columns of the file as text, header included; None, and a problem, if it cannot be read."""
    plain = _plain_utf8(path.name, content, dialect, problems)
    if plain is None:
        return None
    separator = dialect.separator or ("," if path.suffix.lower() == ".csv" else "\t")
    first_line = plain[:100_000].lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8", "replace")
    if _is_headed_otherwise(path.name, plain, first_line, header_row, separator, problems):
        return None
    columns = _parsed_fast(plain, separator, first_line)
    return (
        columns
        if columns is not None
        else _parsed(path.name, plain.decode(), separator, header_row, problems)
    )


def _is_headed_otherwise(
    name: str, plain: bytes, first_line: str, header_row: int, separator: str, problems: Problems
) -> bool:
    """Whether the line of the names is not separated as declared, or Excel's own mark stands above it; a problem."""
    mark = re.fullmatch("sep=(.?)", first_line.rstrip("\r"), re.IGNORECASE)
    if mark and header_row == 1:
        message = "the first line is Excel's 'sep=' line; the column names are below it."
        remedy = f"write 'header_row: 2' below the file's name and 'dialect: {{separator: {_yaml_mark(mark[1])}}}'."
        problems.add("header_row", message, remedy, file=name, row=1)
        return True
    lines = plain[:100_000].split(b"\n") if header_row > 1 else []
    line = lines[header_row - 1].decode("utf-8", "replace") if 1 < header_row < len(lines) else first_line
    seen = max(_SEPARATORS, key=line.count)
    if separator in line or not line.count(seen):
        return False
    which = "the first line" if header_row == 1 else f"line {header_row}"
    problems.add(
        "wrong_separator",
        f"the declared separator is the {_SEPARATORS.get(separator, repr(separator))}, but {which} "
        f"has none; it has the {_SEPARATORS[seen]}.",
        f"write 'dialect: {{separator: {_yaml_mark(seen)}}}' in the study file.",
        file=name,
        row=header_row,
    )
    return True


def _yaml_mark(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _plain_utf8(name: str, content: bytes, dialect: Dialect, problems: Problems) -> bytes | None:
    """The text of the file as UTF-8; None, and a problem, if it is not in the declared encoding."""
    utf_8 = codecs.lookup(dialect.encoding).name in ("utf-8", "utf-8-sig", "cp65001")
    encoding = "utf-8-sig" if utf_8 else dialect.encoding
    is_utf8 = encoding == "utf-8-sig"
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")):
        message = "the file is called text but is an Excel or zip file."
        problems.add("wrong_type", message, "give it the ending .xlsx, or export as CSV.", file=name)
        return None
    try:
        plain = content if content.isascii() and _ascii_stays(encoding) else _recoded(content, encoding)
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        row = content.count(b"\n", 0, at) + 1
        guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        problems.add(
            "wrong_encoding",
            f"the file is not in the encoding {dialect.encoding!r} that the study file states "
            f"(byte {content[at]:#04x}).",
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
        message = "the file has a NUL character; it is damaged or not a text file."
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
    """Columns of a regular file: as many fields in each row, quotation marks only around whole fields; else None.

    What this leaves out is read by :func:`_parsed`, which gives the same texts and explains what is wrong.
    """
    if not separator.isascii() or "\r" in first_line.rstrip("\r") or not _plainly_quoted(plain, separator):
        return None
    from pyarrow import ArrowInvalid, BufferReader, dictionary, int32, string
    from pyarrow import csv as arrow_csv

    width = len(next(csv.reader([first_line.rstrip("\r")], delimiter=separator), ["one"]))
    names = [str(place) for place in range(width)]
    kind = dictionary(int32(), string())
    try:
        table = arrow_csv.read_csv(
            BufferReader(plain),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=1 << 22),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if b'"' in plain else False,
                newlines_in_values=b'"' in plain,
                ignore_empty_lines=False,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, kind), null_values=[], strings_can_be_null=False
            ),
        )
    except ArrowInvalid:
        return None
    return tuple(texts_of_arrow(column) for column in table.columns)


def _plainly_quoted(plain: bytes, separator: str) -> bool:
    """Whether each field with a quotation mark begins with one, ends with one, and has no other."""
    if b'"' not in plain:
        return True
    letters = np.frombuffer(b"\n" + plain + b"\n", dtype=np.uint8)
    marks = np.flatnonzero(letters == ord('"'))
    if len(marks) % 2:
        return False
    around = np.zeros(256, dtype=bool)
    around[[ord(separator), ord("\n"), ord("\r")]] = True
    return bool(around[letters[marks[::2] - 1]].all() and around[letters[marks[1::2] + 1]].all())


def _parsed(
    name: str, text: str, separator: str, header_row: int, problems: Problems
) -> tuple[Texts, ...] | None:
    """Columns of any text table, by the standard library's reader; None, and a problem, if it is no table.

    The row of the names says how many columns there are; a shorter row ends in empty cells.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    chunks: list[list[Texts]] = []
    read, width, regular = [0], 0, True
    rows = _counted(reader, read)
    try:
        while chunk := list(islice(rows, CHUNK if chunks else header_row)):
            if not chunks:
                width = len(chunk[-1])
                chunk = [row[:width] for row in chunk]
            regular &= _no_row_too_long(name, chunk, read[0] - len(chunk), width, problems)
            full = [[*row[:width], *[""] * (width - len(row))] for row in chunk]
            chunks.append([Texts.of(column) for column in zip(*full, strict=True)])
    except csv.Error as error:
        _report_quotes(name, read[0] + 1, str(error), problems)
        return None
    if not regular:
        return None
    return tuple(joined([columns[place] for columns in chunks]) for place in range(width))


def _counted(reader: Iterable[list[str]], read: list[int]) -> Iterator[list[str]]:
    """The rows of ``reader``; ``read`` holds how many there were so far, also when the next one fails."""
    for row in reader:
        read[0] += 1
        yield row


def _no_row_too_long(name: str, rows: list[list[str]], before: int, width: int, problems: Problems) -> bool:
    """Whether no row is longer than that of the names; else a problem says which, counting from ``before``."""
    long = [(before + place, len(row)) for place, row in enumerate(rows, start=1) if len(row) > width]
    for row, length in long:
        problems.add(
            "too_many_fields",
            f"rows have more fields than the header, which has {width}.",
            "put texts that contain the separator into quotation marks; check the decimal mark; if every row ends in a "
            "separator, add one to the line of the names.",
            file=name,
            row=row,
            value=f"{length} fields",
        )
    return not long


def _report_quotes(name: str, row: int, error: str, problems: Problems) -> None:
    """Say what stopped the standard library's reader in row ``row``."""
    if "unexpected end" in error:
        message = 'a quotation mark (") is opened and never closed.'
        problems.add("open_quote", message, "close it, or double it inside a text.", file=name, row=row)
    elif "expected after" in error:
        message = 'text follows a closing quotation mark (").'
        problems.add("text_after_quote", message, "double quotation marks inside a text.", file=name, row=row)
    else:
        message = "a field is too long for a table; a quotation mark may be missing."
        problems.add("open_quote", message, "close the quotation mark before it.", file=name, row=row)
