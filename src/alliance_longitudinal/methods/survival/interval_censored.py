"""The share with an event by each time, where the event is only known to lie between two looks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, numbers

#: How near the slope of the likelihood has to be to its bound, and most steps of the search.
_NEAR, _MOST = 1e-7, 200_000


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class IntervalCensored:
    """Turnbull's estimate.

    Attributes
    ----------
    table : DataFrame
        One row per interval that has probability: ``left, right`` (the event lies after the first and not after the second; the second
        may be infinite), ``mass``, and ``cumulative``, the share with an event by ``right``.
    llf : float
        Log-likelihood.
    n : int
        Persons.
    """

    table: pd.DataFrame
    llf: float
    n: int

    def at(self, time: float) -> float:
        """Share with an event by a time, all of an interval's probability at its end."""
        return float(self.table.loc[self.table["right"] <= time, "mass"].sum())

    @property
    def median(self) -> tuple[float, float]:
        """The interval in which half of the persons have had their event; infinite if fewer ever have."""
        cumulative = self.table["mass"].cumsum().to_numpy()
        k = int(np.searchsorted(cumulative, 0.5 - 1e-9))
        row = self.table.iloc[k]
        return float(row["left"]), float(row["right"])

    def summary(self) -> str:
        """The table as text."""
        shown = self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")
        return Text(f"Interval-censored times (Turnbull), {self.n} persons\n\n{shown}")

    def __repr__(self) -> str:
        return f"<IntervalCensored: {self.n} persons; use .summary()>"


def interval_censored(frame: pd.DataFrame, low: str, high: str) -> IntervalCensored:
    """Maximum-likelihood distribution of event times that lie between two assessments (Turnbull 1976).

    Each person's event lies after ``low`` and not after ``high``. Only the innermost intervals, from a ``low``
    to the next ``high``, can have probability. The self-consistency (EM) steps end when no interval's
    likelihood slope exceeds its bound, which proves the optimum (Gentleman & Geyer 1994, doi
    10.1093/biomet/81.3.618). Where the probability lies within an interval is not known.

    Parameters
    ----------
    frame : DataFrame
        One row per person. Not changed.
    low : str
        Last time at which the event had not yet occurred.
    high : str
        First time at which the event had occurred; missing if it was never observed.

    Returns
    -------
    IntervalCensored

    Raises
    ------
    DataError
        If a column does not exist, ``low`` is missing, an interval is empty, or no event was observed.
    FitError
        If the search does not converge.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> looks = pd.DataFrame({"low": [0, 1, 2, 1, 3], "high": [2, 3, 3, None, None]})
    >>> methods.interval_censored(looks, "low", "high").table.round(3).to_numpy().tolist()
    [[1.0, 2.0, 0.375, 0.375], [2.0, 3.0, 0.375, 0.75], [3.0, inf, 0.25, 1.0]]
    """
    check_columns(frame, [low, high])
    left, right = numbers(frame, low, missing=False), numbers(frame, high)
    right = np.where(np.isnan(right), np.inf, right)
    if (right <= left).any():
        bad = int(np.flatnonzero(right <= left)[0])
        raise DataError(
            f"{high!r} is {right[bad]:g} where {low!r} is {left[bad]:g}. The event was first seen after the last time without it."
        )
    if not np.isfinite(right).any():
        raise DataError(f"Column {high!r} is missing in every row: nobody's event was seen.")
    starts, ends = _innermost(left, right)
    pairs, counts = np.unique(np.column_stack([left, right]), axis=0, return_counts=True)
    inside = (starts >= pairs[:, :1]) & (ends <= pairs[:, 1:])
    mass, chance = _search(inside.astype(float), counts / counts.sum())
    kept = mass > 1e-10
    table = pd.DataFrame({"left": starts[kept], "right": ends[kept], "mass": mass[kept]})
    return IntervalCensored(
        table.assign(cumulative=table["mass"].cumsum()), float(counts @ np.log(chance)), int(counts.sum())
    )


def _innermost(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Intervals from a left end to the next right end; at equal times right ends come first, for they are part of their interval."""
    ends = np.concatenate([np.unique(left), np.unique(right)])
    is_left = np.concatenate([np.ones(np.unique(left).size, bool), np.zeros(np.unique(right).size, bool)])
    order = np.lexsort((is_left, ends))
    ends, is_left = ends[order], is_left[order]
    at = np.flatnonzero(is_left[:-1] & ~is_left[1:])
    return ends[at], ends[at + 1]


def _search(inside: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Probabilities of the intervals, and each row's own probability."""
    mass = np.full(inside.shape[1], 1 / inside.shape[1])
    for _ in range(_MOST):
        chance = inside @ mass
        slope = (weight / chance) @ inside
        if slope.max() <= 1 + _NEAR:
            return np.asarray(mass / mass.sum(), dtype=np.float64), np.asarray(chance, dtype=np.float64)
        mass = mass * slope
    raise FitError("The distribution of the interval-censored times did not converge.")
