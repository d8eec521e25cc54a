"""Ratings in order: who, when, and which rows are neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Private
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_once,
    groups,
    numbers,
)
from alliance_longitudinal.sentences import say

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ratings:
    """All ratings that are there, by person and session.

    Attributes
    ----------
    code : ndarray of int, shape (n,)
        Person of each rating; persons have no gaps in their rows and are numbered 0, 1, ...
    session, score : ndarray, shape (n,)
        In order within each person.
    ids : list
        Id of each code.
    """

    code: Codes
    session: Floats
    score: Floats
    ids: list[Any]

    @cached_property
    def start(self) -> Codes:
        """First row of each person, shape (persons,)."""
        return np.asarray(np.flatnonzero(np.r_[True, np.diff(self.code) != 0]), dtype=np.int64)

    @cached_property
    def size(self) -> Codes:
        """Ratings of each person, shape (persons,)."""
        sizes: Codes = np.diff(np.r_[self.start, len(self.code)]).astype(np.int64)
        return sizes

    @cached_property
    def place(self) -> Codes:
        """Place of each rating among its person's, from 0."""
        return np.asarray(np.arange(len(self.code)) - self.start[self.code], dtype=np.int64)

    @cached_property
    def follows(self) -> Bools:
        """Whether the row before is the same person's."""
        return self.place > 0

    @cached_property
    def gap(self) -> Floats:
        """Sessions since the rating before; 0 for a person's first."""
        return np.where(self.follows, np.diff(self.session, prepend=self.session[:1]), 0.0)

    def sums(self, values: Floats) -> Floats:
        """Sum of ``values``, shape (n, ...), by person: shape (persons, ...)."""
        return np.add.reduceat(values, self.start, axis=0)

    def means(self, values: Floats) -> Floats:
        """Mean by person, repeated for each rating."""
        total = self.sums(values)
        return np.asarray((total.T / self.size).T[self.code])

    def later(self, steps: int) -> Iterator[tuple[slice, slice, Bools]]:
        """For 1, ... ``steps`` ratings later: rows, the rows so much later, and whether they are the same person's."""
        n = len(self.code)
        for step in range(1, min(steps, n - 1) + 1):
            here, there = slice(0, n - step), slice(step, n)
            yield here, there, self.code[here] == self.code[there]


def ratings(frame: pd.DataFrame, score: str, person: str, session: str) -> Ratings:
    """Read a frame; rows without a rating are left out.

    Raises
    ------
    DataError
        If a column is missing or not numeric, an id or session is missing, a session is not a whole number or comes twice,
        or nobody has two ratings.
    """
    check_columns(frame, (score, person, session))
    values, at = numbers(frame, score), numbers(frame, session, missing=False)
    codes, ids = groups(frame, person)
    odd = np.flatnonzero(at != np.round(at))
    if len(odd):
        raise DataError(
            say(
                "Column {name} holds {value}. Sessions are whole numbers, so that neighbours are known.",
                name=repr(session),
                value=Private(f"{at[odd[0]]:g}", "a fraction"),
            )
        )
    check_once(codes, at, ids, person, session)
    there = np.flatnonzero(~np.isnan(values))
    rows = there[np.lexsort((at[there], codes[there]))]
    kept, code = np.unique(codes[rows], return_inverse=True)
    found = Ratings(code.astype(np.int64), at[rows], values[rows], [ids[k] for k in kept])
    if not found.follows.any():
        raise DataError(
            f"No {person} has two ratings of {score!r}. Ruptures need at least two ratings of a {person}."
        )
    return found
