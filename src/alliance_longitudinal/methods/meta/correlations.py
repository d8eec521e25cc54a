"""Correlations on the scale of Fisher's z."""

from typing import Any, NamedTuple

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats


class FisherZ(NamedTuple):
    """Effects and their variances, each of shape (k,)."""

    effects: Floats
    variances: Floats


def from_correlations(r: Any, n: Any) -> FisherZ:
    """Fisher's z ``atanh(r)`` of correlations and its variance ``1 / (n - 3)``.

    Parameters
    ----------
    r : sequence of float
        Correlations, between -1 and 1.
    n : sequence of int, or int
        Number of persons behind each correlation, at least 4.

    Returns
    -------
    FisherZ
        ``effects`` and ``variances``; ``tanh`` converts z back to r.

    Raises
    ------
    DataError
        If a correlation is not between -1 and 1, or is based on too few persons.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> z, v = methods.from_correlations([0.278, 0.5], [103, 28])
    >>> z.round(4).tolist(), v.tolist()
    ([0.2855, 0.5493], [0.01, 0.04])
    """
    try:
        r, n = np.atleast_1d(np.asarray(r, dtype=float)), np.atleast_1d(np.asarray(n, dtype=float))
    except (TypeError, ValueError):
        raise DataError("r and n have to hold numbers.") from None
    if n.size == 1:
        n = np.broadcast_to(n, r.shape)
    if r.shape != n.shape or r.ndim != 1:
        raise DataError(
            f"There are {r.size} correlations and {n.size} numbers of persons. Give one for each."
        )
    odd = r[~(np.abs(r) < 1)]
    if len(odd):
        raise DataError(f"A correlation is {odd[0]:g}; it lies between -1 and 1. Leave out what is missing.")
    few = n[~((n > 3) & np.isfinite(n))]
    if len(few):
        raise DataError(f"A correlation rests on {few[0]:g} persons; its variance needs at least 4.")
    return FisherZ(np.arctanh(r), 1 / (n - 3))
