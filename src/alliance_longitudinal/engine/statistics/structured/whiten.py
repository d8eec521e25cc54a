"""Rows made independent of equal variance and back: innovations of each group, ``W R W' = I``."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import sparse

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.statistics.basis import Basis, GivenRows
from alliance_longitudinal.engine.statistics.structured.correlation import correlation
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern
from alliance_longitudinal.engine.statistics.structured.structure import in_words
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Innovations:
    """A row is ``sd (rho (row before) / (sd before) + spread z)`` with ``z`` of variance one; rows as in the pattern.

    Attributes
    ----------
    pattern : Pattern
    sd, rho, spread : ndarray, shape (n,)
        Relative standard deviation; correlation with the row before (zero on first rows); ``sqrt(1 - rho^2)``.
    """

    pattern: Pattern
    sd: Array
    rho: Array
    spread: Array

    def whiten(self, rows: Array) -> Array:
        """Innovations of columns (n, k), in the pattern's order."""
        scaled = rows / self.sd[:, None]
        return np.asarray((scaled - self.rho[:, None] * np.roll(scaled, 1, axis=0)) / self.spread[:, None])

    def colour(self, z: Array) -> Array:
        """Residuals from independent ones of variance one, shape (n,)."""
        out = self.spread * z
        place = np.arange(len(out)) - np.repeat(self.pattern.starts[:-1], np.diff(self.pattern.starts))
        order = np.argsort(place, kind="stable")
        edges = np.searchsorted(place[order], np.arange(1, int(place.max()) + 2))
        if self.rho.any():
            for i, j in pairwise(edges):
                at = order[i:j]
                out[at] += self.rho[at] * out[at - 1]
        return np.asarray(self.sd * out)

    def matrix(self) -> sparse.csc_array:
        """``W`` as a sparse matrix over the rows of the design, in the design's order on both sides."""
        n, rows = len(self.sd), self.pattern.rows
        here = np.flatnonzero(~self.pattern.first)
        values = np.concatenate(
            [1 / (self.spread * self.sd), -self.rho[here] / (self.spread[here] * self.sd[here - 1])]
        )
        places = (np.concatenate([rows, rows[here]]), np.concatenate([rows, rows[here - 1]]))
        return sparse.csc_array((values, places), shape=(n, n))


def whitened_basis(basis: Basis, pattern: Pattern, tau: Array) -> Basis:
    """Basis and response of a fit whose rows are its innovations, in the order of the design."""
    made = innovations(pattern, tau)
    rows = made.whiten(np.column_stack([basis.q, basis.y])[pattern.rows])
    out = np.empty_like(rows)
    out[pattern.rows] = rows
    return replace(basis, rows=GivenRows(out[:, :-1], out[:, -1]), products=None)


def innovations(pattern: Pattern, tau: Array) -> Innovations:
    """Innovation form of a structure at its parameters."""
    sd = relative_sd(pattern, tau)
    rho = np.zeros(len(sd))
    if pattern.correlated:
        rho = np.where(pattern.first, 0.0, correlation(pattern.structure, float(tau[0]), pattern.lag))
    return Innovations(pattern, sd, rho, np.sqrt((1 - rho) * (1 + rho)))


def relative_sd(pattern: Pattern, tau: Array) -> Array:
    """Standard deviation of each row relative to the reference stratum's, shape (n,)."""
    ratios = tau[1:] if pattern.correlated else tau
    return np.asarray(np.exp(np.concatenate([[0.0], ratios]))[pattern.stratum])


#: SD of a residual given the one before, relative to its own, below which their correlation is one but for rounding.
_PERFECT = 1e-7


def relative_covariance(pattern: Pattern, tau: Array, group: Index, at: Index) -> Array:
    """Covariance of some rows' residuals relative to the reference variance, written out.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Innermost group of each row of the design.
    at : ndarray of int, shape (d,)
        Rows of the design.
    """
    place = np.empty(len(pattern.rows), dtype=np.intp)
    place[pattern.rows] = np.arange(len(place))
    spots = place[at]
    sd = relative_sd(pattern, tau)[spots]
    same = group[at][:, None] == group[at]
    if pattern.correlated:
        position = pattern.position[spots]
        r = correlation(pattern.structure, float(tau[0]), np.abs(position[:, None] - position))
    else:
        r = np.eye(len(at))
    return np.asarray(same * r * np.outer(sd, sd))


def refuse_perfect(pattern: Pattern, tau: Array) -> None:
    """Stop where the correlation of neighbouring residuals has run to one.

    Raises
    ------
    FitError
        With its sign.
    """
    made = innovations(pattern, tau)
    perfect = made.spread <= _PERFECT
    if perfect.any():
        end = "1" if made.rho[perfect][0] > 0 else "-1"
        raise FitError(
            f"The correlation of neighbouring residuals runs to {end} with residual={in_words(pattern.structure)}: there are "
            "too few rows in a group to estimate it. Leave out the residual structure or the random effects."
        )
