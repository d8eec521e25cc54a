"""SHA-256 of the rows of a table, whatever order a database returned them in."""

import hashlib
from collections.abc import Sequence

from alliance_longitudinal.data.cells.texts import Texts

_FIELD, _ROW = "\x1f", "\x1e"


def rows_hash(headers: Sequence[str], columns: Sequence[Texts]) -> str:
    """Hash of the names and of the rows in sorted order; the order of columns does not matter either."""
    order = sorted(range(len(headers)), key=lambda place: headers[place])
    spread = [columns[place].spread() for place in order]
    rows = sorted(_FIELD.join(row) for row in zip(*spread, strict=True))
    text = _ROW.join([_FIELD.join(headers[place] for place in order), *rows])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
