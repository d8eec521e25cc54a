"""Checks of single numbers that a method is given."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from alliance_longitudinal.errors import DataError


def real(
    name: str,
    value: object,
    what: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """The number as float, if it is one and lies within its limits.

    Parameters
    ----------
    name : str
        The argument.
    what : str
        What it is, with its limits in words: the second half of the message.
    above, below : float
        Limits that it may not reach.
    least, most : float
        Limits that it may reach.

    Raises
    ------
    DataError
        ``NAME is VALUE; it is WHAT.``
    """
    good = isinstance(value, int | float | np.integer | np.floating | Decimal) and not isinstance(value, bool)
    number = float(value) if good else math.nan  # type: ignore[arg-type]
    if not (math.isfinite(number) and above < number < below and least <= number <= most):
        raise DataError(f"{name} is {shown(value)}; it is {what}.")
    return number


def whole(name: str, value: object, what: str, *, least: int = 0) -> int:
    """The number as int, if it is a whole one of at least ``least``.

    Raises
    ------
    DataError
        ``NAME is VALUE; it is WHAT.``
    """
    number = real(name, value, what, least=least)
    if number != int(number):
        raise DataError(f"{name} is {shown(value)}; it is {what}.")
    return int(number)


def several(values: Any) -> list[Any]:
    """The values of a sequence, or the one value that was given in place of a sequence."""
    return [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)


def shown(value: object) -> str:
    """A value as a message shows it: 3 and not np.float64(3.0)."""
    if isinstance(value, float | np.floating | np.integer | int) and not isinstance(value, bool):
        return f"{float(value):g}"
    return repr(value)
