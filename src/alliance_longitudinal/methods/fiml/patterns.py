"""Data of a multivariate normal model as sufficient statistics: rows that miss the same values are one pattern."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The rows that have the same columns observed: which columns, how many rows, their mean and (ML) covariance."""

    observed: NDArray[np.intp]
    n: int
    mean: Floats
    cov: Floats


@dataclass(frozen=True, slots=True)
class Stack:
    """All K patterns as arrays, zero where a column is missing, so that sums over patterns are single products.

    Attributes
    ----------
    n : float array, shape (K,)
    seen : bool array, shape (K, p)
    mean : float array, shape (K, p)
    cov : float array, shape (K, p, p)
    """

    n: Floats
    seen: NDArray[np.bool_]
    mean: Floats
    cov: Floats


@dataclass(frozen=True)
class Patterns:
    """The data as its patterns; rows without any observed column are left out.

    Attributes
    ----------
    parts : tuple of Pattern
    n, p : int
        Rows and columns.
    mean, variance : float array, shape (p,)
        Of the observed values of each column: also the estimates of the independence model.
    """

    parts: tuple[Pattern, ...]
    n: int
    p: int
    mean: Floats
    variance: Floats

    @cached_property
    def complete(self) -> bool:
        """Whether no value is missing."""
        return len(self.parts) == 1 and len(self.parts[0].observed) == self.p

    @cached_property
    def stack(self) -> Stack:
        """The patterns as arrays."""
        k, p = len(self.parts), self.p
        seen = np.zeros((k, p), dtype=bool)
        mean, cov = np.zeros((k, p)), np.zeros((k, p, p))
        for at, part in enumerate(self.parts):
            seen[at, part.observed] = True
            mean[at, part.observed] = part.mean
            cov[at][np.ix_(part.observed, part.observed)] = part.cov
        return Stack(np.array([float(part.n) for part in self.parts]), seen, mean, cov)


def patterns(values: Floats) -> Patterns:
    """Sort ``values``, shape (n, p), missing as NaN, by pattern."""
    known = ~np.isnan(values)
    rows, known = values[known.any(axis=1)], known[known.any(axis=1)]
    kinds, which = np.unique(known, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(kinds)))
    parts = []
    for kind, own in zip(kinds, np.split(order, ends[:-1]), strict=True):
        observed = np.nonzero(kind)[0]
        seen = rows[own][:, observed]
        mean = seen.mean(axis=0)
        parts.append(Pattern(observed, len(seen), mean, (seen - mean).T @ (seen - mean) / len(seen)))
    columns = [column[~np.isnan(column)] for column in rows.T]
    middle, spread = (np.array([f(c) if len(c) else np.nan for c in columns]) for f in (np.mean, np.var))
    return Patterns(tuple(parts), len(rows), values.shape[1], middle, spread)


def from_moments(cov: Floats, n: int, mean: Floats | None = None) -> Patterns:
    """Complete data of ``n`` rows from their (ML) covariance, shape (p, p), and mean, shape (p,), zero if not given."""
    p = len(cov)
    at = np.zeros(p) if mean is None else np.asarray(mean, dtype=float)
    part = Pattern(np.arange(p), n, at, np.asarray(cov, dtype=float))
    return Patterns((part,), n, p, at, np.diag(part.cov).copy())
