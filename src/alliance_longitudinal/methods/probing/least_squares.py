"""One coefficient of a least-squares fit with cluster-robust errors, quickly enough for many thousand fits."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError


class Cell(NamedTuple):
    """One estimate of a specification curve: estimate, standard error, degrees of freedom, rows."""

    estimate: float
    se: float
    df: float
    n: int


def clustered_slope(y: Any, x: Any, groups: Any, column: int = 1) -> Cell:
    """One coefficient of ``y ~ x`` by least squares with a CR2 standard error over ``groups``.

    Bell & McCaffrey (2002); Pustejovsky & Tipton (2018, doi 10.1080/07350015.2016.1247004), with equal variances as working
    model and Satterthwaite's degrees of freedom, as clubSandwich has them for ``lm``. With ``Z = X_g M^(1/2)`` the
    adjustment ``(I - Z Z')^(-1/2) Z`` is ``Z (I - Z'Z)^(-1/2)``: nothing larger than the number of coefficients is
    decomposed, and all groups together.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        With its column of ones.
    groups : ndarray, shape (n,)
        Group of each row: any ids.
    column : int
        Place of the coefficient.

    Raises
    ------
    DataError
        If the columns depend on each other, there are too few rows or groups, the coefficient depends on one group, lengths
        differ, or values are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> x = np.column_stack([np.ones(6), [1, 2, 3, 4, 5, 6]])
    >>> cell = methods.clustered_slope([1.0, 2.5, 2.0, 4.0, 5.5, 5.0], x, list("aabbcc"))
    >>> [round(value, 3) for value in cell]
    [0.886, 0.075, 1.238, 6]
    """
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(groups) != len(y):
        raise DataError(
            "y, x and groups need one row for each observation, and x its columns, one of them ones."
        )
    if not -x.shape[1] <= column < x.shape[1]:
        raise DataError(f"column is {column}; x has {x.shape[1]} columns, counted from 0.")
    codes = pd.factorize(np.asarray(groups))[0]
    if (codes < 0).any() or not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise DataError("y, x or groups has missing or infinite values. Leave these rows out.")
    n, p = x.shape
    total = int(codes.max(initial=-1)) + 1
    if n <= p or total < 2:
        groups_words = "1 group" if total == 1 else f"{total} groups"
        raise DataError(f"{n} rows in {groups_words} are too few for {p} coefficients with robust errors.")
    precision = x.T @ x
    values, vectors = np.linalg.eigh(precision)
    if values[0] <= 1e-10 * values[-1]:
        raise DataError("The columns of x depend on each other. Leave one out.")
    root = (vectors / np.sqrt(values)) @ vectors.T  # M^(1/2), with M = (X'X)^-1
    m = root @ root
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(total))
    xs, residual = x[order], (y - x @ (m @ (x.T @ y)))[order]
    squares = np.add.reduceat(xs[:, :, None] * xs[:, None, :], starts)  # X_g'X_g, shape (G, p, p)
    inner, turn = np.linalg.eigh(root @ squares @ root)
    keep = 1 - inner > 1e-10
    scale = np.where(keep, 1 / np.sqrt(np.where(keep, 1 - inner, 1.0)), 0.0)
    weights = (
        root @ np.einsum("gpk,gk,gqk,q->gp", turn, scale, turn, root[column]).T
    )  # X_g times these are u_g
    weights = weights.T
    scores = np.einsum("gp,gp->g", np.add.reduceat(xs * residual[:, None], starts), weights)
    fixed = np.einsum("gpq,gq->gp", squares, weights)
    own = np.einsum("gp,gp->g", fixed, weights)
    shared = fixed @ m @ fixed.T
    mean = float(np.sum(own) - np.trace(shared))
    if mean <= 1e-10 * m[column, column]:
        raise DataError("The coefficient depends on a single group, so that its robust error is zero.")
    spread = float(np.sum((np.diag(own) - shared) ** 2))
    estimate = float(m[column] @ (x.T @ y))
    return Cell(estimate, float(np.sqrt(np.sum(scores**2))), mean**2 / spread, n)
