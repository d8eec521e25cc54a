"""Several files with the same columns as one table: which columns differ, which rows stand there twice."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.sheet import Sheet, filled_rows

Part = tuple[str, Sheet, str]


def one_table(name: str, parts: Sequence[Part], problems: Problems) -> list[Part] | None:
    """The parts with their columns in the order of the first; None, and a problem, where the columns differ."""
    headers = parts[0][1].headers
    aligned = []
    for file, sheet, digest in parts:
        if sorted(sheet.headers) != sorted(headers):
            _report(name, parts[0][0], headers, file, sheet.headers, problems)
            continue
        order = _order(sheet.headers, headers)
        columns = tuple(sheet.columns[place] for place in order)
        aligned.append((file, replace(sheet, headers=headers, columns=columns), digest))
    return aligned if len(aligned) == len(parts) else None


def differing_labels(parts: Sequence[Part], problems: Problems) -> bool:
    """Whether a code has one label in one file and another in the next; each such column is a problem."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    reported = set()
    for file, sheet, _ in parts:
        for header, labels in sheet.labels.items():
            for code, label in labels.items():
                other, known = first.setdefault((header, code), (file, label))
                if known != label and (file, header) not in reported:
                    reported.add((file, header))
                    problems.add(
                        "different_labels",
                        f"in {header!r}, the code {code} means {label!r} here and {known!r} in {other}.",
                        "give the codes the same meaning in all files.",
                        file=file,
                        column=header,
                    )
    return bool(reported)


def repeated_in_another_file(columns: Sequence[Texts], places: Places) -> NDArray[np.bool_]:
    """Which rows that hold anything stand in an earlier file word for word, shape (n,)."""
    n = len(places)
    if places.file_of is None:
        return np.zeros(n, dtype=bool)
    content = np.zeros(n, dtype=np.int64)
    for column in columns:  # one number for each distinct row so far
        content = pd.factorize(content * max(len(column.words), 1) + column.codes)[0]
    first = pd.Series(places.file_of).groupby(content).transform("min").to_numpy()
    return np.asarray((places.file_of > first) & filled_rows(columns))


def _order(headers: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Place of each wanted header; a name that stands there twice is taken from left to right."""
    left: dict[str, list[int]] = {}
    for place, header in enumerate(headers):
        left.setdefault(header, []).append(place)
    return [left[header].pop(0) for header in wanted]


def _report(
    name: str, first: str, wanted: Sequence[str], file: str, headers: Sequence[str], problems: Problems
) -> None:
    lacking = [h for h in wanted if h not in headers]
    more = [h for h in headers if h not in wanted]
    parts = [f"it lacks {some([repr(h) for h in lacking])}"] if lacking else []
    parts += [f"it has {some([repr(h) for h in more])} in addition"] if more else []
    problems.add(
        "different_columns",
        f"its columns are not those of {first}: {'; '.join(parts) or 'a name is there twice'}.",
        f"export all files of {name!r} with the same columns, or take this one out of the folder.",
        file=file,
    )
