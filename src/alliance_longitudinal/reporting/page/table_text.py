"""Tables as text for the page and as CSV to take away."""

import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from alliance_longitudinal.labels import harmless_cell
from alliance_longitudinal.labels import row as row_text
from alliance_longitudinal.language import translated

#: What stands in a cell that outsiders do not see.
_HIDDEN = "hidden"
#: Longest CSV that is put into the page as a download, in characters.
_LARGEST_DOWNLOAD = 200_000

Column = Mapping[str, str]
Table = Mapping[str, Any]


def text_rows(table: Table) -> list[list[str]]:
    """The cells of ``table`` as text."""
    keys, kinds = [c["key"] for c in table["columns"]], [c["kind"] for c in table["columns"]]
    return [row_text([_yes_no(v) for v in row], keys, kinds) for row in table["rows"]]


def csv_text(table: Table) -> str:
    """``table`` as CSV at full precision; text that would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([harmless_cell(c["label"] or c["key"]) for c in table["columns"]])
    writer.writerows([[harmless_cell(v) for v in row] for row in table["rows"]])
    return out.getvalue()


def download_link(table: Table) -> str | None:
    """A ``data:`` address of the table's CSV; None if it is too large for the page."""
    text = csv_text(table)
    if len(text) > _LARGEST_DOWNLOAD:
        return None
    return "data:text/csv;charset=utf-8," + quote("\N{ZERO WIDTH NO-BREAK SPACE}" + text, safe="")


def _yes_no(value: Any) -> Any:
    if isinstance(value, bool):
        return translated("yes" if value else "no")
    return translated(value) if value == _HIDDEN else value
