"""SPSS files (.sav) with labels of variables and values."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.data.writers.variable import Variable, words_of

#: Longest name of a variable, label of a variable and label of a value, in bytes.
NAME, LABEL, VALUE = 64, 256, 120
#: Where the header of the file has day and time of writing (PSPP's description of the format, section "File Header Record"),
#: and what stands there instead.
_WRITTEN_AT, _WRITTEN = 92, b"01 Jan 8000:00:00"
_RESERVED = {"ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"}
_MEASURE = {"text": "nominal", "category": "nominal", "order": "ordinal", "number": "scale", "date": "scale"}


def write_sav(path: Path, frame: pd.DataFrame, variables: Sequence[Variable], title: str) -> None:
    """Write ``frame`` as an SPSS file: categories as numbers from 1 with labels, missing values as system-missing.

    The same data give the same bytes: the file's own date is always the same.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import pyreadstat

    names = spss_names([v.name for v in variables])
    columns: dict[str, Any] = {}
    labels: dict[str, str | None] = {}
    values: dict[str, dict[int | float, str]] = {}
    for variable, name in zip(variables, names, strict=True):
        columns[name] = _values(frame[variable.name], variable)
        labels[name] = _cut(variable.label, LABEL)
        if variable.values:
            values[name] = {float(k): _cut(word, VALUE) for k, word in enumerate(variable.values, 1)}
    try:
        pyreadstat.write_sav(
            pd.DataFrame(columns),
            str(path),
            file_label=_cut(title, NAME),
            column_labels=labels,
            variable_value_labels=values,
            variable_measure={n: _MEASURE[v.kind] for n, v in zip(names, variables, strict=True)},
            variable_format={
                n: _format(frame[v.name], v)
                for n, v in zip(names, variables, strict=True)
                if v.kind != "text"
            },
        )
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise OSError(None, f"SPSS's format: {error}") from None
    with path.open("r+b") as file:
        file.seek(_WRITTEN_AT)
        file.write(_WRITTEN)


def begins_like_sav(path: Path) -> bool:
    """Whether the file is one that :func:`write_sav` wrote, by its time of writing that no other program gives."""
    with path.open("rb") as file:
        return file.read(_WRITTEN_AT + len(_WRITTEN))[_WRITTEN_AT:] == _WRITTEN


def spss_names(names: Sequence[str]) -> list[str]:
    """Names that SPSS takes: letters, digits and ``_``, a letter first, no reserved word, none twice in any case.

    Examples
    --------
    >>> spss_names(["Age at intake", "age_at_intake", "2nd", "by"])
    ['Age_at_intake', 'age_at_intake_2', 'v_2nd', 'by_1']
    """
    found: list[str] = []
    taken: set[str] = set()
    for text in names:
        name = re.sub(r"\W+", "_", text).strip("_") or "v"
        name = name if name[0].isalpha() else f"v_{name}"
        name = _cut(name, NAME - 4).rstrip("_")
        one, k = (name, 1) if name.upper() not in _RESERVED else (f"{name}_1", 1)
        while one.upper() in taken:
            k += 1
            one = f"{_cut(name, NAME - 1 - len(str(k)))}_{k}"
        taken.add(one.upper())
        found.append(one)
    return found


def _values(column: "pd.Series[Any]", variable: Variable) -> "pd.Series[Any]":
    if variable.values:
        code = {word: float(k) for k, word in enumerate(variable.values, 1)}
        return words_of(column).map(code).astype(float)
    if variable.kind == "text":
        words = words_of(column)
        return words.where(words.notna(), "")
    if variable.kind == "date":
        return column.astype("datetime64[s]").dt.date
    return column.astype(np.float64)


def _format(column: "pd.Series[Any]", variable: Variable) -> str:
    if variable.kind == "date":
        return "DATE11"
    return "F8.0" if variable.values or pd.api.types.is_integer_dtype(column) else "F8.2"


def _cut(text: str, size: int) -> str:
    """The text in at most ``size`` bytes, whole characters only."""
    return text.encode("utf-8")[:size].decode("utf-8", errors="ignore")
