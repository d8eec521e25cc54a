"""Inside `data.cells`: fuzzed words and numbers."""

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts

__all__ = ["Dialect", "Problems", "Texts"]
