"""What every reader returns: named columns of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts

Counts = Mapping[str, Mapping[str, int]]
Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was read from one place.

    Attributes
    ----------
    headers : tuple of str
    columns : tuple of Texts
        One a header, n texts each.
    first_row : int
        Number of the first row of data, as the program that shows the file counts.
    missing : mapping of str to mapping of str to int
        Header -> code that the file itself declares as missing -> how often it stood there.
    labels : mapping of str to mapping of str to str
        Header -> value -> what the file says that it means.
    sha256 : str
        Of the rows, where there is no file to hash; else empty.
    """

    headers: tuple[str, ...]
    columns: tuple[Texts, ...]
    first_row: int
    missing: Counts = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which rows hold anything, shape (n,)."""
        return filled_rows(self.columns)


def filled_rows(columns: Sequence[Texts]) -> NDArray[np.bool_]:
    """Which rows hold anything, shape (n,); looks at as many columns as it takes."""
    blank = np.ones(len(columns[0]) if columns else 0, dtype=bool)
    for column in columns:
        blank &= column.empty
        if not blank.any():
            break
    return ~blank


def from_grid(name: str, columns: Sequence[Texts], header_row: int, problems: Problems) -> Sheet | None:
    """A sheet from columns that have their names in row ``header_row``; None, and a problem, without rows below."""
    data = tuple(column.take(slice(header_row, None)) for column in columns)
    if not columns or len(columns[0]) <= header_row or not filled_rows(data).any():
        message = f"there are no rows below the column names in row {header_row}."
        problems.add("no_rows", message, "export the table again; it has no data.", file=name)
        return None
    return Sheet(tuple(column[header_row - 1] for column in columns), data, header_row + 1)


def without_rows(name: str, sheet: Sheet, problems: Problems) -> bool:
    """Whether ``sheet`` has no row that holds anything, which is a problem."""
    if len(sheet) and sheet.filled.any():
        return False
    problems.add("no_rows", "the table has no rows.", "export the table again; it has no data.", file=name)
    return True
