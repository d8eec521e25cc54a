"""The single answers behind the scores, and where each form stands in its file: for checks of the data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Places


@dataclass(frozen=True, slots=True)
class Forms:
    """The n rows of the sessions table as they were read; kept by ``load_study(path, forms=True)``.

    Attributes
    ----------
    places : Places
        Where each row stands in its file.
    session : int array, shape (n,)
        Row of ``study.sessions`` that it belongs to; several rows of one session were filled in by several people.
    answers : mapping of str to float array, shape (n, items)
        Of each measure that was given as items: the answers as they were entered; missing = unanswered.
    items : mapping of str to tuple of int
        Item number of each column.
    reversed : mapping of str to tuple of int
        Items that run against the others as they were entered; empty where the entries are reversed already.
    """

    places: Places
    session: NDArray[np.intp]
    answers: Mapping[str, NDArray[np.float64]] = field(repr=False)
    items: Mapping[str, tuple[int, ...]]
    reversed: Mapping[str, tuple[int, ...]]
