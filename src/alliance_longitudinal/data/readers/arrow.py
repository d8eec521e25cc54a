"""Parquet and Feather files, and whatever else arrives as Arrow columns."""

import io
from typing import Any

import numpy as np

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts, objects
from alliance_longitudinal.data.readers.sheet import Sheet, without_rows
from alliance_longitudinal.data.readers.values import value_text


def read_columnar(name: str, content: bytes, dialect: Dialect, problems: Problems) -> Sheet | None:
    """The table of a Parquet or Feather file; None, and a problem, if it is damaged or something else."""
    from pyarrow import ArrowException, feather, parquet

    reader = parquet.read_table if name.lower().endswith((".parquet", ".pq")) else feather.read_table
    try:
        table = reader(io.BytesIO(content))
        table.validate(
            full=True
        )  # a damaged file may be read, with texts that are none and lengths beyond the end
    except (ArrowException, OSError, ValueError, KeyError):
        message = "the file is damaged, or is not the kind of file that its ending says."
        problems.add("damaged_file", message, "export it again, or as CSV.", file=name)
        return None
    try:
        sheet = sheet_of_arrow(table, dialect)
    except OverflowError:
        message = "a date or time in it lies outside of every calendar (years 1 to 9999)."
        problems.add("damaged_file", message, "correct it, and export the table again.", file=name)
        return None
    return None if without_rows(name, sheet, problems) else sheet


def sheet_of_arrow(table: Any, dialect: Dialect) -> Sheet:
    """The columns of an Arrow table as text."""
    columns = tuple(texts_of_arrow(column, dialect) for column in table.columns)
    return Sheet(tuple(map(str, table.column_names)), columns, 1)


def texts_of_arrow(column: Any, dialect: Dialect | None = None) -> Texts:
    """A chunked Arrow array as text; null becomes empty. Without a dialect, the column must be text."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        try:
            column = compute.dictionary_encode(column, null_encoding="encode")
        except NotImplementedError:  # lists and records have no dictionary
            return Texts.of([value_text(value, dialect or Dialect()) for value in column.to_pylist()])
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return Texts(np.empty(0, dtype=np.int32), objects([]))
    values = column.chunk(0).dictionary.to_pylist()
    words = [value if isinstance(value, str) else value_text(value, dialect or Dialect()) for value in values]
    missing = column.null_count > 0
    codes = np.concatenate(
        [chunk.indices.fill_null(len(words)).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    )
    return Texts.coded(codes.astype(np.int32, copy=False), [*words, ""] if missing else words)
