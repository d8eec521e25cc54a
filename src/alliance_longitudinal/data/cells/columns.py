"""A column of a table as text, and where each of its values stands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.texts import Texts

Keep = NDArray[np.bool_] | NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Places:
    """Where each of n rows stands: in which file, and in which row of it as its program counts.

    Attributes
    ----------
    files : tuple of str
    rows : int array, shape (n,)
    file_of : int array, shape (n,), or None
        Index into ``files``; None if there is only one.
    """

    files: tuple[str, ...]
    rows: NDArray[np.int64]
    file_of: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def file(self, place: int) -> str:
        """Name of the file of one row."""
        return self.files[0 if self.file_of is None else int(self.file_of[place])]

    def row(self, place: int) -> int:
        """Number of one row in its file."""
        return int(self.rows[place])

    def say(self, place: int, beside: int) -> str:
        """Where a row is for a reader who stands at the row ``beside``."""
        other = "" if self.file(place) == self.file(beside) else f" of {self.file(place)}"
        return f"row {self.row(place)}{other}"

    def take(self, keep: Keep) -> "Places":
        """The rows ``keep``."""
        file_of = None if self.file_of is None else self.file_of[keep]
        return Places(self.files, self.rows[keep], file_of)

    def repeated(self, times: int) -> "Places":
        """Each row ``times`` times."""
        file_of = None if self.file_of is None else np.repeat(self.file_of, times)
        return Places(self.files, np.repeat(self.rows, times), file_of)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table as text, with the place of every value.

    Attributes
    ----------
    places : Places
        Of n rows.
    header : str
        The column's name; for a column that is repeated per session, one of ``headers`` holds for each value.
    text : Texts
        n texts.
    headers : Texts or None
    """

    places: Places
    header: str
    text: Texts
    headers: Texts | None = None

    def take(self, keep: Keep) -> "Column":
        """The values ``keep``."""
        headers = None if self.headers is None else self.headers.take(keep)
        return Column(self.places.take(keep), self.header, self.text.take(keep), headers)
