"""Linear algebra that knows no statistics."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index, Mask

#: A column counts as a combination of earlier ones when less than this share of its length is new.
DEPENDENT = 1e-9


def spread(size: int, count: int) -> Index:
    """At most ``count`` of ``size`` places, spread evenly without keeping step with any pattern in them.

    Multiples of the golden section modulo one (Weyl's sequence).
    """
    if count >= size:
        return np.arange(size)
    return np.unique((np.arange(count) * 0.6180339887498949 % 1 * size).astype(np.intp))


def thin_qr(columns: Array) -> tuple[Array, Array]:
    """QR decomposition with a non-negative diagonal, so that it does not depend on the library's signs."""
    q, r = np.linalg.qr(columns)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return q * signs, signs[:, None] * r


def independent_columns(columns: Array, tolerance: float = DEPENDENT) -> list[int]:
    """Positions of the columns that are not combinations of earlier kept ones (the later one goes, as in lme4).

    Parameters
    ----------
    columns : ndarray, shape (n, k)
    """
    kept = list(range(columns.shape[1]))
    lengths = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    kept = [j for j in kept if lengths[j] > 0]
    some = columns[spread(len(columns), 2000)]
    if (
        len(kept) == columns.shape[1] <= len(some) < len(columns)
        # What a column has that is new over some rows, it has over all.
        and (np.abs(np.diag(np.linalg.qr(some, mode="r"))) > 2 * tolerance * lengths).all()
    ):
        return kept
    while kept:
        few = kept[: columns.shape[0]]
        diagonal = np.abs(np.diag(np.linalg.qr(columns[:, few], mode="r")))
        weak = np.flatnonzero(diagonal <= tolerance * lengths[few])
        if not len(weak):
            return few
        del kept[weak[0]]
    return kept


#: Part of a column in a direction of length one, below which it is a rounding error.
_NO_PART = 1e-8


def block_diagonal(blocks: list[Array]) -> Array:
    """Stack square blocks along the diagonal."""
    size = sum(len(b) for b in blocks)
    out = np.zeros((size, size))
    at = 0
    for block in blocks:
        out[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return out


def unseen_directions(columns: Array) -> Array:
    """Directions of the columns on which the rows say nothing, shape (k, d); of the columns or of their triangle."""
    size = np.sqrt(np.einsum("np,np->p", columns, columns))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh((columns / size).T @ (columns / size))
    found = vectors[:, values < 1e-10 * values[-1]]
    # Columns that have no part in a direction get an exact zero: a row of such columns alone would otherwise be judged by
    # rounding errors beside rounding errors.
    return np.asarray(np.where(np.abs(found) < _NO_PART, 0.0, found) / size[:, None])


def can_be_estimated(rows: Array, unseen: Array) -> Mask:
    """Whether each function of the coefficients has no part in unseen directions.

    Parameters
    ----------
    rows : ndarray, shape (r, k)
        Functions, over all columns.
    unseen : ndarray, shape (k, d)
    """
    size = np.maximum(np.abs(rows) @ np.abs(unseen), 1e-300)
    return np.asarray((np.abs(rows @ unseen) < 1e-7 * size).all(axis=1) | (unseen.shape[1] == 0))
