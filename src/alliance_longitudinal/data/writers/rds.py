"""R's own files (.rds), read by ``readRDS`` without any package.

The format is R's serialization, version 2, big-endian ("XDR"), compressed by gzip: R Core Team, *R Internals*, section 1.8
"Serialization Formats". Written here, because the packages that could do it bring libraries of their own.
"""

import gzip
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.writers.variable import Variable, words_of

#: Types of R's objects, and the flags beside them.
_SYMBOL, _PAIR, _CHARACTER, _INTEGER, _REAL, _STRING, _LIST = 1, 2, 9, 13, 14, 16, 19
_IS_OBJECT, _HAS_ATTRIBUTES, _HAS_TAG = 0x100, 0x200, 0x400
_END, _REFERENCE = 254, 255
_UTF8, _ASCII = 0x8000, 0x40000
_MISSING_INTEGER = -(2**31)
#: R's NA among the numbers that are none: the one whose low word is 1954.
_MISSING_REAL = 0x7FF00000000007A2
#: Versions of the format, of R that writes it (3.6.0), and of the oldest R that reads it (2.3.0).
_HEADER = b"X\n" + struct.pack(">iii", 2, 0x00030600, 0x00020300)


def write_rds(path: Path, frame: pd.DataFrame, variables: Sequence[Variable], title: str) -> None:
    """Write ``frame`` as a data frame of R: categories as factors, days as Date, labels in the attribute ``label``.

    The title is the attribute ``label`` of the frame.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    stream = _Stream()
    stream.frame(frame, variables, title)
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(_HEADER + b"".join(stream.parts))


def begins_like_rds(path: Path) -> bool:
    """Whether the file is one that :func:`write_rds` wrote, by the version of R that it names."""
    try:
        with gzip.open(path) as file:
            return file.read(len(_HEADER)) == _HEADER
    except (OSError, EOFError, zlib.error):  # not packed, or not whole
        return False


class _Stream:
    """R's objects one after the other; a name is written once and then referred to by its number."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.known: dict[str, int] = {}

    def frame(self, frame: pd.DataFrame, variables: Sequence[Variable], title: str) -> None:
        self._head(_LIST, len(variables), is_object=True, attributes=True)
        for variable in variables:
            self._column(frame[variable.name], variable)
        self._attribute("names")
        self._texts([v.name for v in variables])
        self._attribute("row.names")
        self._integers(np.array([_MISSING_INTEGER, -len(frame)]))  # short for 1, 2, ...
        self._attribute("class")
        self._texts(["data.frame"])
        self._attribute("label")
        self._texts([title])
        self._end()

    def _column(self, column: "pd.Series[Any]", variable: Variable) -> None:
        if variable.values:
            codes = pd.Categorical(words_of(column), categories=list(variable.values)).codes.astype(np.int64)
            self._integers(np.where(codes < 0, _MISSING_INTEGER, codes + 1), is_object=True, attributes=True)
            self._attribute("levels")
            self._texts(list(variable.values))
            self._attribute("class")
            self._texts(["ordered", "factor"] if variable.kind == "order" else ["factor"])
        elif variable.kind == "text":
            words = words_of(column)
            self._texts(
                [None if gone else w for w, gone in zip(words, words.isna(), strict=True)], attributes=True
            )
        elif variable.kind == "date":
            days = column.astype("datetime64[s]").to_numpy()
            since = (days - np.datetime64(0, "s")) / np.timedelta64(1, "D")
            self._reals(np.where(np.isnat(days), np.nan, np.floor(since)), is_object=True)
            self._attribute("class")
            self._texts(["Date"])
        else:
            self._reals(column.to_numpy(np.float64, na_value=np.nan), is_object=False)
        self._attribute("label")
        self._texts([variable.label])
        self._end()

    def _head(self, kind: int, length: int, *, is_object: bool, attributes: bool) -> None:
        flags = kind | (_IS_OBJECT if is_object else 0) | (_HAS_ATTRIBUTES if attributes else 0)
        self.parts.append(struct.pack(">ii", flags, length))

    def _integers(
        self, values: NDArray[np.int64], *, is_object: bool = False, attributes: bool = False
    ) -> None:
        self._head(_INTEGER, len(values), is_object=is_object, attributes=attributes)
        self.parts.append(values.astype(">i4").tobytes())

    def _reals(self, values: NDArray[np.float64], *, is_object: bool) -> None:
        self._head(_REAL, len(values), is_object=is_object, attributes=True)
        bits = values.astype(">f8").view(">u8")
        self.parts.append(np.where(np.isnan(values), _MISSING_REAL, bits).astype(">u8").tobytes())

    def _texts(self, texts: Sequence[str | None], *, attributes: bool = False) -> None:
        self._head(_STRING, len(texts), is_object=False, attributes=attributes)
        self.parts += [self._text(text) for text in texts]

    @staticmethod
    def _text(text: str | None) -> bytes:
        if text is None:
            return struct.pack(">ii", _CHARACTER, -1)
        encoded = text.encode("utf-8")
        return (
            struct.pack(">ii", _CHARACTER | (_ASCII if encoded.isascii() else _UTF8), len(encoded)) + encoded
        )

    def _attribute(self, name: str) -> None:
        """The head of an attribute; its value follows."""
        self.parts.append(struct.pack(">i", _PAIR | _HAS_TAG))
        if name in self.known:
            self.parts.append(struct.pack(">i", self.known[name] << 8 | _REFERENCE))
        else:
            self.known[name] = len(self.known) + 1
            self.parts.append(struct.pack(">i", _SYMBOL) + self._text(name))

    def _end(self) -> None:
        self.parts.append(struct.pack(">i", _END))
