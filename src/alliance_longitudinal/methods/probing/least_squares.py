"""One coefficient of a least-squares fit with cluster-robust errors, quickly enough for many thousand fits."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Codes, Floats


class Cell(NamedTuple):
    """One estimate of a specification curve: estimate, standard error, degrees of freedom, rows."""

    estimate: float
    se: float
    df: float
    n: int


def clustered_slope(y: Any, x: Any, groups: Any, column: int = 1) -> Cell:
    """One coefficient of ``y ~ x`` by least squares with a CR2 standard error over ``groups``.

    Bell & McCaffrey (2002); Pustejovsky & Tipton (2018, doi 10.1080/07350015.2016.1247004), with equal
    variances as the working model and Satterthwaite's degrees of freedom, as in clubSandwich for ``lm``. With
    ``Z = X_g M^(1/2)`` the adjustment ``(I - Z Z')^(-1/2) Z`` is ``Z (I - Z'Z)^(-1/2)``. No matrix larger than
    the number of coefficients is decomposed, and all groups are computed together.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        With its column of ones.
    groups : ndarray, shape (n,)
        Group of each row: any ids.
    column : int
        Position of the coefficient.

    Raises
    ------
    DataError
        If the columns are linearly dependent, there are too few rows or groups, the coefficient depends on one
        group, lengths differ, or values are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> x = np.column_stack([np.ones(6), [1, 2, 3, 4, 5, 6]])
    >>> cell = methods.clustered_slope([1.0, 2.5, 2.0, 4.0, 5.5, 5.0], x, list("aabbcc"))
    >>> [round(value, 3) for value in cell]
    [0.886, 0.075, 1.238, 6]
    """
    found = clustered(x, groups, column)
    y = np.asarray(y, dtype=float)
    if y.shape != (found.n,):
        raise DataError(_SHAPES)
    if not np.isfinite(y).all():
        raise DataError(_MISSING)
    estimate, se = found.slopes(y[:, None])
    return Cell(float(estimate[0]), float(se[0]), found.df, found.n)


_SHAPES = "y, x and groups need one row for each observation, and x its columns, one of them ones."
_MISSING = "y, x or groups has missing or infinite values. Leave these rows out."


@dataclass(frozen=True, slots=True, eq=False)
class Clustered:
    """The parts of one coefficient and its CR2 error that depend on the predictors only, so that many outcomes are quick.

    Attributes
    ----------
    order : ndarray, shape (n,)
        Rows sorted by group.
    starts : ndarray, shape (G,)
        First sorted row of each group.
    solve : ndarray, shape (p, n)
        Gives the coefficients of an outcome in sorted rows.
    row : int
        Position of the coefficient.
    score : ndarray, shape (n,)
        Each sorted row's weight in its group's adjusted score.
    fixed : ndarray, shape (G, p)
        What a group's score loses per unit of each coefficient.
    df : float
    """

    order: Codes
    starts: Codes
    solve: Floats
    row: int
    score: Floats
    fixed: Floats
    df: float

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.order)

    def slopes(self, y: Floats) -> tuple[Floats, Floats]:
        """Estimates and standard errors of outcomes ``y``, shape (n, k): two arrays of shape (k,)."""
        ys = y[self.order]
        beta = self.solve @ ys
        scores = np.add.reduceat(self.score[:, None] * ys, self.starts) - self.fixed @ beta
        return beta[self.row], np.sqrt(np.sum(scores**2, axis=0))


def clustered(x: Any, groups: Any, column: int) -> Clustered:
    """Prepare one coefficient of least squares on ``x`` with CR2 errors over ``groups``; see `clustered_slope`."""
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or len(groups) != len(x):
        raise DataError(_SHAPES)
    if not -x.shape[1] <= column < x.shape[1]:
        raise DataError(f"column is {column}; x has {x.shape[1]} columns, counted from 0.")
    codes = pd.factorize(np.asarray(groups))[0]
    if (codes < 0).any() or not np.isfinite(x).all():
        raise DataError(_MISSING)
    n, p = x.shape
    total = int(codes.max(initial=-1)) + 1
    if n <= p or total < 2:
        groups_words = "1 group" if total == 1 else f"{total} groups"
        raise DataError(f"{n} rows in {groups_words} are too few for {p} coefficients with robust errors.")
    values, vectors = np.linalg.eigh(x.T @ x)
    if values[0] <= 1e-10 * values[-1]:
        raise DataError("The columns of x depend on each other. Leave one out.")
    root = (vectors / np.sqrt(values)) @ vectors.T  # M^(1/2), with M = (X'X)^-1
    m = root @ root
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(total))
    xs = x[order]
    squares = np.add.reduceat(xs[:, :, None] * xs[:, None, :], starts)  # X_g'X_g, shape (G, p, p)
    weights = _adjusted(root, squares, column)
    fixed = np.einsum("gpq,gq->gp", squares, weights)
    own = np.einsum("gp,gp->g", fixed, weights)
    shared = fixed @ m @ fixed.T
    mean = float(np.sum(own) - np.trace(shared))
    if mean <= 1e-10 * m[column, column]:
        raise DataError("The coefficient depends on a single group, so that its robust error is zero.")
    spread = float(np.sum((np.diag(own) - shared) ** 2))
    score = np.einsum("np,np->n", xs, weights[codes[order]])
    return Clustered(order, starts, m @ xs.T, column, score, fixed, mean**2 / spread)


def _adjusted(root: Floats, squares: Floats, column: int) -> Floats:
    """Shape (G, p): X_g times these are a group's adjusted weights u_g."""
    inner, turn = np.linalg.eigh(root @ squares @ root)
    keep = 1 - inner > 1e-10
    scale = np.where(keep, 1 / np.sqrt(np.where(keep, 1 - inner, 1.0)), 0.0)
    return np.asarray((root @ np.einsum("gpk,gk,gqk,q->gp", turn, scale, turn, root[column]).T).T)
