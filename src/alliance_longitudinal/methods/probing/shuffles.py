"""The same random permutations of persons for many analyses, each of which sees only some of the persons."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.basics.values import whole
from alliance_longitudinal.methods.probing.least_squares import clustered

#: So many sets of members are remembered: several analyses have the same.
_KEPT = 8


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shuffles:
    """Random permutations of persons within groups.

    Attributes
    ----------
    onward : ndarray, shape (n_perm, persons)
        Whose values each person is given, as a place among the persons.
    """

    onward: Codes
    _recent: dict[bytes, Codes] = field(default_factory=dict, init=False)

    @property
    def n_perm(self) -> int:
        """How many permutations."""
        return len(self.onward)

    def of(self, members: "NDArray[np.bool_]", *, back: bool = False) -> Codes:
        """The permutations among some of the persons, as places among these, shape (n_perm, members).

        A person who would be given the values of somebody who is not a member is given those of whom that person would be
        given, and so on. Of a uniformly random permutation this makes a uniformly random one of the members, and of two sets of
        members nearly the same one: analyses of other persons stay as dependent as they are in the data.

        Parameters
        ----------
        members : ndarray of bool, shape (persons,)
        back : bool
            The inverse permutations: to shuffle the predictor where others shuffle the outcome.
        """
        key = members.tobytes() + bytes([back])
        if key not in self._recent:
            while len(self._recent) >= _KEPT:
                self._recent.pop(next(iter(self._recent)))
            self._recent[key] = self._among(members, back=back)
        return self._recent[key]

    def _among(self, members: "NDArray[np.bool_]", *, back: bool) -> Codes:
        at = self.onward[:, np.flatnonzero(members)]
        draw, person = np.nonzero(~members[at])
        now = at[draw, person]
        while len(draw):
            now = self.onward[draw, now]
            there = members[now]
            at[draw[there], person[there]] = now[there]
            draw, person, now = draw[~there], person[~there], now[~there]
        found = (np.cumsum(members) - 1)[at]
        if not back:
            return found
        inverse = np.empty_like(found)
        np.put_along_axis(inverse, found, np.broadcast_to(np.arange(found.shape[1]), found.shape), axis=1)
        return inverse

    def __repr__(self) -> str:
        return f"<Shuffles: {self.n_perm} permutations of {self.onward.shape[1]} persons>"


def shuffles(groups: Any, n_perm: int = 500, seed: int = 0) -> Shuffles:
    """Random permutations of persons within their groups, for `permuted_slopes`.

    Parameters
    ----------
    groups : array-like, shape (persons,)
        Group of each person: any ids. If all values are the same, everyone is shuffled together.
    n_perm : int
    seed : int

    Raises
    ------
    DataError
        If a group is missing, or ``n_perm`` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> drawn = methods.shuffles(list("aaabbb"), n_perm=2, seed=1)
    >>> drawn.onward.tolist()
    [[2, 0, 1, 4, 5, 3], [1, 2, 0, 3, 5, 4]]
    >>> drawn.of(np.array([True, False, True, True, True, True])).tolist()
    [[1, 0, 3, 4, 2], [1, 0, 2, 4, 3]]
    """
    n_perm = whole("n_perm", n_perm, "the number of permutations", least=1)
    codes = pd.factorize(np.asarray(groups))[0]
    if (codes < 0).any():
        raise DataError("groups has missing values. Leave these persons out.")
    keys = np.random.default_rng(seed).random((n_perm, len(codes)))
    sorted_places = np.argsort(codes, kind="stable")
    onward = np.empty(keys.shape, dtype=np.int64)
    onward[:, sorted_places] = np.argsort(codes + keys, axis=1, kind="stable")
    return Shuffles(onward)


def permuted_slopes(y: Any, x: Any, groups: Any, orders: Codes, column: int = 1) -> Floats:
    """One coefficient of ``y ~ x`` with its CR2 standard error in permuted data, for all permutations at once.

    Freedman & Lane (1983, doi 10.2307/1391660) permute the residuals of ``y`` on the other columns, so that
    these columns keep their relation with ``y`` and with the column of interest. Without other columns, this is
    a permutation of the column itself. What the standard errors need from ``x`` is computed once. The results
    are those of `methods.clustered_slope` for each permuted outcome.

    Parameters
    ----------
    y, x, groups, column
        As for `methods.clustered_slope`. Columns that are centred within the groups need no column of ones.
    orders : ndarray of int, shape (n_perm, n)
        The row whose residual each row receives, from `Shuffles.of`.

    Returns
    -------
    ndarray, shape (n_perm, 4)
        ``estimate, se, df, n``.

    Raises
    ------
    DataError
        As for `methods.clustered_slope`, and if ``orders`` does not have a column for each row.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> x = np.column_stack([np.ones(6), [1, 2, 3, 4, 5, 6]])
    >>> drawn = methods.shuffles(["all"] * 6, n_perm=3, seed=1)
    >>> methods.permuted_slopes([1.0, 2.5, 2.0, 4.0, 5.5, 5.0], x, list("aabbcc"), drawn.onward)[:, 0].round(3).tolist()
    [-0.171, -0.257, -0.143]
    """
    found = clustered(x, groups, column)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if y.shape != (found.n,) or not np.isfinite(y).all():
        raise DataError("y needs a number for each row of x.")
    if orders.shape[1:] != y.shape:
        raise DataError(f"orders have {orders.shape[1]} columns, and y has {len(y)} rows.")
    other = np.delete(x, column, axis=1)
    rest = y - other @ np.linalg.lstsq(other, y, rcond=None)[0] if other.shape[1] else y
    estimate, se = found.slopes(rest[orders.T])
    same = np.ones(len(estimate))
    return np.column_stack([estimate, se, found.df * same, found.n * same])
