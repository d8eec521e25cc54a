"""A control chart of one series, and the chance of a drop in a series that only fluctuates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats, numbers
from alliance_longitudinal.methods.basics.given import correlation
from alliance_longitudinal.methods.basics.values import real, several, shown

#: Mean range of two independent normal values in standard deviations.
MEAN_RANGE_OF_TWO = 2 / math.sqrt(math.pi)
#: Sigmas from the centre to a limit.
SIGMAS = 3.0
#: Differences of one-decimal scores are not exact in binary: a drop of exactly the size is none.
SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class ControlChart:
    """Limits of a series of single values.

    Attributes
    ----------
    center, sigma : float
        Mean of the baseline, and its standard deviation from the moving ranges.
    lower, upper : float
        ``center - 3 sigma`` and ``center + 3 sigma``.
    mean_range : float
        Mean absolute difference of neighbouring values of the baseline.
    signals : tuple
        Where a value lies beyond a limit: labels of a Series, otherwise positions from 0.
    """

    center: float
    sigma: float
    lower: float
    upper: float
    mean_range: float
    signals: tuple[Any, ...]


def control_chart(
    values: "Sequence[float] | Floats | pd.Series", baseline: "int | slice | None" = None
) -> ControlChart:
    """Limits of a series from its moving ranges (XmR chart of individual values).

    ``sigma`` is the mean moving range divided by ``2 / sqrt(pi)`` = 1.128, the mean range of two independent
    normal values; the limits lie 3 sigma from the mean (Shewhart 1931; Montgomery 2013, Introduction to
    Statistical Quality Control, section 6.4). Values that resemble their neighbours give limits that are too
    narrow, and limits computed with a dip in the series are too wide.

    Parameters
    ----------
    values : sequence of float or Series
        The series in order. Missing values are skipped.
    baseline : int or slice, optional
        The values from which the limits are computed: the number of initial values, or a slice of positions. By
        default all.

    Returns
    -------
    ControlChart

    Raises
    ------
    DataError
        If fewer than two values are left, or a value is not a number.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> chart = methods.control_chart([62, 64, 63, 66, 65, 64, 55, 61, 66, 67, 68, 67])
    >>> chart.center, round(chart.lower, 2), round(chart.upper, 2), chart.signals
    (64.0, 56.51, 71.49, (6,))
    """
    series = values if isinstance(values, pd.Series) else pd.Series(several(values), dtype=object)
    if not len(series):
        raise DataError("values is empty. A control chart needs at least two values.")
    known = numbers(series.to_frame("values"), "values")
    base = known[_positions(baseline, len(known))]
    base = base[~np.isnan(base)]
    if len(base) < 2:
        raise DataError(
            f"A control chart needs at least two values; {len(base)} {'is' if len(base) == 1 else 'are'} there."
        )
    center, mean_range = float(base.mean()), float(np.abs(np.diff(base)).mean())
    sigma = mean_range / MEAN_RANGE_OF_TWO
    lower, upper = center - SIGMAS * sigma, center + SIGMAS * sigma
    beyond = (known < lower - SLACK) | (known > upper + SLACK)
    return ControlChart(center, sigma, lower, upper, mean_range, tuple(series.index[beyond].tolist()))


def _positions(baseline: object, n: int) -> slice:
    if baseline is None:
        return slice(None)
    if isinstance(baseline, slice) and all(
        end is None or isinstance(end, int | np.integer)
        for end in (baseline.start, baseline.stop, baseline.step)
    ):
        return baseline
    if isinstance(baseline, int | np.integer) and not isinstance(baseline, bool) and 2 <= baseline <= n:
        return slice(0, int(baseline))
    raise DataError(
        f"baseline is {shown(baseline)}; it is the number of first values, from 2 to {n}, or a slice."
    )


def chance_of_drop(k: float, rho: float) -> float:
    """Probability that a series that only fluctuates drops by more than ``k`` standard deviations from one session to the next.

    ``1 - Phi(k / sqrt(2 (1 - rho)))`` for a stationary normal series whose standard deviation is known and
    whose neighbours correlate at ``rho``. This is a rough guide: with an estimated standard deviation, the
    probability is higher (see `find_ruptures`).

    Parameters
    ----------
    k : float
        Size of the drop in standard deviations, at least 0.
    rho : float
        Correlation of neighbouring sessions, between -1 and 1.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> [round(methods.chance_of_drop(1, rho), 2) for rho in (0, 0.3, 0.6)]
    [0.24, 0.2, 0.13]
    """
    k = real("k", k, "a size in standard deviations, at least 0", least=0)
    rho = correlation("rho", rho)
    return math.erfc(k / math.sqrt(2 * (1 - rho)) / math.sqrt(2)) / 2
