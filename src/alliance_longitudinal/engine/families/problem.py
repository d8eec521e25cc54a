"""The arrays of a fit in internal units: orthonormal fixed part, standardised random effects, equal rows added up.

The result must not depend on units or origin, so columns are taken as in the linear engine: the fixed part by QR to
cross-product ``n I``, and each random term's effects to Gram matrix ``I``. An ordered response has thresholds in
place of an intercept, so its fixed part is taken around its mean.
"""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import Design, TermDesign
from alliance_longitudinal.engine.families.distributions import Family
from alliance_longitudinal.engine.families.layout import Layout, layout
from alliance_longitudinal.engine.linalg.matrices import DEPENDENT, independent_columns, thin_qr
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Units:
    """The way back to the user's units.

    Attributes
    ----------
    r_x : ndarray, shape (p, p)
        Upper triangular: internal coefficients are ``r_x @ beta``.
    mean : ndarray, shape (p,)
        Internal thresholds are ``thresholds - mean @ beta``; zero without thresholds.
    b : tuple of ndarray, shape (q_t, q_t)
        Upper triangular: internal random effects are ``b @ effects``.
    """

    r_x: Array
    mean: Array
    b: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What the criterion needs, over the n distinct rows.

    Attributes
    ----------
    family : Family
    y, size : ndarray, shape (n,)
        Response and number of trials or equal rows (see `families`).
    x : ndarray, shape (n, p)
    z : tuple of ndarray, shape (n, q_t)
    offset : ndarray, shape (n,)
    layout : Layout
    place : tuple of int
        Position of each term's factor in the layout's order.
    """

    family: Family
    y: Array
    size: Array
    x: Array
    z: tuple[Array, ...]
    offset: Array
    layout: Layout
    place: tuple[int, ...]

    def arranged(self) -> list[int]:
        """Terms in the order in which their effects stand in a row's loadings: by factor, then as written."""
        return sorted(range(len(self.z)), key=lambda t: (self.place[t], t))

    def with_response(self, y: Array) -> "Problem":
        """The same rows with another response."""
        return replace(self, y=y)


def build(
    design: Design, family: Family, response: Array, size: Array, collapse: bool = True
) -> tuple[Problem, Units]:
    """Internal units, equal rows added up where that is exact.

    Parameters
    ----------
    response, size : ndarray, shape (N,)
        In the family's terms: successes and trials, counts and ones, positions of categories and ones.
    collapse : bool
        Whether equal rows are added up.

    Raises
    ------
    FitError
        The effects of a random term are linearly dependent.
    """
    n = len(design.y)
    mean = design.x.mean(axis=0) if family.name == "ordinal" else np.zeros(design.x.shape[1])
    q, r = thin_qr(design.x - mean)
    b = tuple(_triangle(term, n) for term in design.terms)
    z = tuple(
        np.asarray(np.linalg.solve(bt.T, t.z.T).T, dtype=float) for t, bt in zip(design.terms, b, strict=True)
    )
    offset = np.zeros(n) if design.offset is None else design.offset
    units = Units(r / np.sqrt(n), mean, b)
    codes = [f.codes for f in design.factors]
    rows, y, total = np.arange(n), response, size
    if collapse:
        rows, y, total = _distinct(design, family, response, size)
    effects = [0] * len(design.factors)
    for term in design.terms:
        effects[term.factor] += len(term.names)
    where = layout(design.factors, [c[rows] for c in codes], effects)
    place = tuple(where.order.index(term.factor) for term in design.terms)
    q = q[rows] * np.sqrt(n)
    return Problem(family, y, total, q, tuple(v[rows] for v in z), offset[rows], where, place), units


def _triangle(term: TermDesign, n: int) -> Array:
    kept = independent_columns(term.z, DEPENDENT)
    if len(kept) < len(term.names):
        lost = ", ".join(name for j, name in enumerate(term.names) if j not in kept)
        raise FitError(
            f"The random effects over {term.group!r} are linearly dependent: {lost} is constant zero or a combination of "
            "the others. Leave it out of the random term."
        )
    return np.asarray(thin_qr(term.z)[1] / np.sqrt(n))


def _distinct(design: Design, family: Family, response: Array, size: Array) -> tuple[Index, Array, Array]:
    """One row for all rows with the same predictors and groups (and response, where they do not add up)."""
    columns = [design.x, *(t.z for t in design.terms)]
    columns += [f.codes[:, None].astype(float) for f in design.factors]
    if design.offset is not None:
        columns.append(design.offset[:, None])
    if not family.adds_up:
        columns.append(response[:, None])
    table = np.ascontiguousarray(np.concatenate(columns, axis=1) + 0.0)  # + 0.0: minus zero is zero
    keys = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1]))).ravel()
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    y = np.asarray(np.bincount(same, weights=response), dtype=float) if family.adds_up else response[first]
    return first, y, np.asarray(np.bincount(same, weights=size), dtype=float)
