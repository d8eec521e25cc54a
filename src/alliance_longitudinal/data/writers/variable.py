"""What a column of an exported table is."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Kind = Literal["text", "category", "order", "number", "date"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A column and its label.

    Attributes
    ----------
    name : str
        Its name in the frame.
    label : str
        What it is, for people.
    kind : {"text", "category", "order", "number", "date"}
        ``order``: a category whose values are ordered.
    values : tuple of str
        The words of a category; the first is the reference, or the lowest.
    """

    name: str
    label: str
    kind: Kind
    values: tuple[str, ...] = ()


def words_of(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column's values as texts, missing ones as they are; without NUL, which ends a text in SPSS and a file in R."""
    return column.astype(object).map(lambda value: str(value).replace("\0", ""), na_action="ignore")
