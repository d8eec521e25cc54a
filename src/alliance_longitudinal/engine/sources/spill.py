"""Sums of groups that are too many for memory, in a temporary file that is read and written a piece at a time."""

import tempfile
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.errors import FitError

#: Bytes that are read or written at a time.
PIECE = 1 << 24


class Spill:
    """Rows of numbers in a file without a name, which is gone as soon as nobody uses it, whatever happens.

    Attributes
    ----------
    width : int
        Numbers in a row.
    rows : int
    """

    def __init__(self, width: int) -> None:
        self.width, self.rows = width, 0
        try:
            file: Any = tempfile.TemporaryFile(prefix="mixed-model-")  # noqa: SIM115 (closed with this object)
        except OSError as error:
            raise _no_room(error) from error
        self._file = file
        self._close = weakref.finalize(self, _close, file)

    def __len__(self) -> int:
        return self.rows

    @property
    def step(self) -> int:
        """Rows that are handled at a time."""
        return max(1, PIECE // (8 * self.width))

    def append(self, values: Array) -> None:
        """Add rows, shape (m, width), at the end."""
        self._write(self.rows, values)
        self.rows += len(values)

    def read(self, low: int, high: int, buffer: Array | None = None) -> Array:
        """Rows from ``low`` to below ``high``; in the first rows of a buffer if one is given."""
        out = np.empty((high - low, self.width)) if buffer is None else buffer[: high - low]
        self._file.seek(8 * self.width * low)
        self._file.readinto(_bytes(out))
        return out

    def pieces(self) -> Iterator[tuple[int, Array]]:
        """All rows in order: where each piece begins, and the piece, which lasts until the next."""
        buffer = np.empty((min(self.step, self.rows), self.width))
        for low in range(0, self.rows, self.step):
            yield low, self.read(low, min(low + self.step, self.rows), buffer)

    def total(self) -> Array:
        """Sum of all rows, shape (width,)."""
        out = np.zeros(self.width)
        for _, piece in self.pieces():
            out += piece.sum(axis=0)
        return out

    def take(self, rows: Index) -> Array:
        """Some rows, in rising order."""
        out = np.empty((len(rows), self.width))
        for low, piece in self.pieces():
            a, b = np.searchsorted(rows, [low, low + len(piece)])
            out[a:b] = piece[rows[a:b] - low]
        return out

    def regrouped(self, places: Index, size: int) -> "Spill":
        """Rows brought to new places, in another file; those with the same place are added up.

        Parameters
        ----------
        places : ndarray of int, shape (rows,)
            Each of ``range(size)`` at least once.
        """
        if size == self.rows and (places[1:] > places[:-1]).all():
            return self
        ordered, places = self._by_piece(places, size)
        out = Spill(self.width)
        edges = np.searchsorted(places // self.step, np.arange(-(-size // self.step) + 1))
        for number, (begin, end) in enumerate(pairwise(edges.tolist())):
            first = number * self.step
            sums = np.zeros((min(self.step, size - first), self.width))
            for low in range(begin, end, self.step):
                high = min(low + self.step, end)
                _add(sums, places[low:high] - first, ordered.read(low, high))
            out.append(sums)
        return out

    def _by_piece(self, places: Index, size: int) -> tuple["Spill", Index]:
        """Rows sorted by the piece that their place lies in, and the place of each."""
        if (places[1:] >= places[:-1]).all():
            return self, places
        goal = (places // self.step).astype(np.int32)
        at = np.append(0, np.bincount(goal, minlength=-(-size // self.step)).cumsum())
        out = Spill(self.width)
        for low, piece in self.pieces():
            here = goal[low : low + len(piece)]
            order = np.argsort(here, kind="stable")
            cuts = np.flatnonzero(np.diff(here[order], prepend=-1, append=-1)).tolist()
            for a, b in pairwise(cuts):
                number = here[order[a]]
                out._write(int(at[number]), piece[order[a:b]])
                at[number] += b - a
        out.rows = self.rows
        return out, places[np.argsort(goal, kind="stable")]

    def _write(self, row: int, values: Array) -> None:
        try:
            self._file.seek(8 * self.width * row)
            self._file.write(_bytes(np.ascontiguousarray(values)))
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error


def _close(file: Any) -> None:
    """Let a file go; one that could not be written wholly would say so once more."""
    with suppress(OSError):
        file.close()


def _bytes(values: Array) -> NDArray[np.uint8]:
    """The memory of some rows, not a copy."""
    return values.reshape(-1).view(np.uint8)


def _add(sums: Array, places: Index, values: Array) -> None:
    order = np.argsort(places, kind="stable")
    places = places[order]
    first = np.flatnonzero(np.diff(places, prepend=-1))
    sums[places[first]] += np.add.reduceat(values[order], first, axis=0)


def _no_room(error: OSError) -> FitError:
    return FitError(
        f"The sums of the groups are too many for memory, and a temporary file for them in {tempfile.gettempdir()!r} "
        f"cannot be written: {error.strerror or error}. Make room there, name another folder in the environment variable "
        "TMPDIR, or read the data with more memory=."
    )
