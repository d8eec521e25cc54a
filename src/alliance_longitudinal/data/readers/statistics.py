"""SPSS (.sav, .zsav) and Stata (.dta) files: values as stored, declared missing codes counted, labels kept."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.readers.extras import refuse_missing_extra
from alliance_longitudinal.data.readers.sheet import Sheet, without_rows
from alliance_longitudinal.data.readers.values import series_texts, value_text


def read_statistics(path: Path, dialect: Dialect, problems: Problems) -> Sheet | None:
    """The table of an SPSS or Stata file; None, and a problem, if it cannot be read.

    A value that the file declares as missing (SPSS's user-missing codes and ranges, Stata's .a to .z) becomes
    empty and is counted.
    """
    what = f"Reading {'Stata' if path.suffix.lower() == '.dta' else 'SPSS'} files"
    if refuse_missing_extra("pyreadstat", what, path.name, problems):
        return None
    import pyreadstat

    reader = pyreadstat.read_dta if path.suffix.lower() == ".dta" else pyreadstat.read_sav
    try:
        frame, about = reader(str(path), user_missing=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OverflowError, OSError):
        message = "the file is damaged, or is not the kind of file that its ending says."
        problems.add("damaged_file", message, "save it again, or export as CSV.", file=path.name)
        return None
    columns, missing = [], {}
    for header in frame.columns:
        values, counts = _without_missing(frame[header], header, about, dialect)
        columns.append(series_texts(values, dialect))
        if counts:
            missing[str(header)] = counts
    labels = {
        str(header): {value_text(value, dialect): str(label) for value, label in known.items()}
        for header, known in about.variable_value_labels.items()
    }
    sheet = Sheet(tuple(map(str, frame.columns)), tuple(columns), 1, missing, labels)
    return None if without_rows(path.name, sheet, problems) else sheet


def _without_missing(
    values: "pd.Series[Any]", header: str, about: Any, dialect: Dialect
) -> tuple["pd.Series[Any]", Mapping[str, int]]:
    """A column without its declared missing codes, and how often each of them stood there."""
    letters = set((about.missing_user_values or {}).get(header, ()))
    ranges = (about.missing_ranges or {}).get(header, ())
    if not letters and not ranges:
        return values, {}
    declared = values.map(lambda v: _in_ranges(v, ranges) or (isinstance(v, str) and v in letters))
    gone = values[declared.to_numpy(dtype=bool)]
    counts = gone.map(lambda v: f".{v}" if v in letters else value_text(v, dialect)).value_counts()
    return values.where(~declared.to_numpy(dtype=bool)), {str(c): int(n) for c, n in counts.items()}


def _in_ranges(value: Any, ranges: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    for known in ranges:
        low, high = known["lo"], known["hi"]
        if isinstance(value, str) != isinstance(low, str):
            continue
        if low <= (value.rstrip() if isinstance(value, str) else value) <= high:
            return True
    return False
