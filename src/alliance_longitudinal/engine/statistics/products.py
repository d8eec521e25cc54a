"""Cross-products of the innermost groups, taken in one pass over the rows in provisional units.

A sample of the rows gives a nearly orthonormal basis of the columns and a nearly best fit of the fixed part. In these
provisional units sums of squares lose no digits, whatever the units and origins of the columns; the exact basis follows
from the sums by a linear map (Chan, Golub and LeVeque 1983, Am Stat 37:242-247, shift their sums for the same reason).
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.linalg.matrices import spread, thin_qr
from alliance_longitudinal.engine.linalg.threads import share

#: Rows of the sample, and rows that are brought to provisional units at a time.
SAMPLE = 4096
CHUNK = 8192
#: A sample will do when no column has a smaller share of its length that is new.
CLEAR = 1e-6
#: Eigenvalues of the basis' cross-products may be this far from one; beyond, the pass is repeated in better units.
ROUND = 1e4


@dataclass(frozen=True, slots=True)
class Units:
    """Provisional units of rows.

    Attributes
    ----------
    transform : ndarray, shape (k, k)
        Upper triangular: basis of a row is ``row @ transform``.
    beta : ndarray, shape (p,)
        Fixed part of the response, in the user's units.
    y_scale : float
    """

    transform: Array
    beta: Array
    y_scale: float


@dataclass(frozen=True, slots=True)
class Products:
    """Sums over the rows of each innermost group.

    Attributes
    ----------
    packed : ndarray, shape (J, (k + 1)(k + 2) / 2)
        Lower triangles of the cross-products of basis and response, provisional units.
    counts : ndarray of int, shape (J,)
        Rows of each group.
    p : int
        Fixed effects.
    units : Units
    change : ndarray, shape (k + 1, k + 1)
        Provisional to internal units: ``u @ change``.
    """

    packed: Array
    counts: Index
    p: int
    units: Units
    change: Array

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())

    @property
    def width(self) -> int:
        """Columns of the basis and the response."""
        return len(self.change)

    def mapped(self, left: Array, right: Array, packed: Array | None = None) -> Array:
        """``left' G right`` of each group in internal units, shape (J, a, b)."""
        packed = self.packed if packed is None else packed
        a, b = self.change @ left, self.change @ right
        rows, cols = np.tril_indices(self.width)
        maps = a[rows, :, None] * b[cols, None, :] + a[cols, :, None] * b[rows, None, :]
        maps[rows == cols] *= 0.5
        return (packed @ maps.reshape(len(rows), -1)).reshape(len(packed), a.shape[1], b.shape[1])


@dataclass(frozen=True, slots=True)
class Exact:
    """Internal units found from the sums.

    Attributes
    ----------
    transform : ndarray, shape (k, k)
        Upper triangular, in the user's units: the basis of all rows.
    beta : ndarray, shape (p,)
        Least-squares coefficients, in the user's units.
    y_scale : float
        Root mean square of the response's residuals.
    change : ndarray, shape (k + 1, k + 1)
    """

    transform: Array
    beta: Array
    y_scale: float
    change: Array


def sample_units(columns: Array, y: Array, p: int) -> Units | None:
    """Units from a sample of weighted rows, shape (m, k); None when they are too few or too nearly dependent."""
    if len(columns) < 4 * columns.shape[1]:
        return None
    lengths = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    q, r = thin_qr(columns)
    if not (np.diag(r) > CLEAR * lengths).all():
        return None
    size = np.sqrt(len(columns))
    fit = q[:, :p].T @ y
    rest = y - q[:, :p] @ fit
    scale = float(np.sqrt(rest @ rest)) / size
    if not scale > CLEAR * float(np.abs(y).max()):
        return None
    transform: Array = np.linalg.inv(r) * size
    return Units(transform, np.asarray(np.linalg.solve(r[:p, :p], fit), dtype=float), scale)


def settle(total: Array, n: int, p: int, units: Units) -> Exact | None:
    """Internal units from the sum of all groups' cross-products, shape (k + 1, k + 1); None if digits were lost."""
    gram = total[:-1, :-1] / n
    values = np.linalg.eigvalsh(gram)
    if not (values[0] > 1 / ROUND and values[-1] < ROUND):
        return None
    back = np.linalg.inv(np.linalg.cholesky(gram)).T
    beta = back[:p, :p].T @ total[:p, -1] / n
    rest = total[-1, -1] / n - beta @ beta
    if not rest > total[-1, -1] / n / ROUND:
        return None
    scale = float(np.sqrt(rest))
    change = np.zeros_like(total)
    change[:-1, :-1] = back
    change[:p, -1] = -(back[:p, :p] @ beta) / scale
    change[-1, -1] = 1 / scale
    transform = units.transform @ back
    return Exact(
        transform,
        units.beta + units.y_scale * transform[:p, :p] @ beta,
        units.y_scale * scale,
        change,
    )


def better(units: Units, total: Array, n: int, p: int) -> Units | None:
    """Units for another pass, from sums that lost digits; None if they say nothing."""
    try:
        back = np.linalg.inv(np.linalg.cholesky(total[:-1, :-1] / n)).T
    except np.linalg.LinAlgError:
        return None
    transform = units.transform @ back
    beta = back[:p, :p].T @ total[:p, -1] / n
    rest = total[-1, -1] / n - beta @ beta
    if not (np.isfinite(transform).all() and rest > 0):
        return None
    return Units(
        transform, units.beta + units.y_scale * transform[:p, :p] @ beta, units.y_scale * float(np.sqrt(rest))
    )


def full(packed: Array, width: int) -> Array:
    """Symmetric matrices from lower triangles, row by row."""
    rows, cols = np.tril_indices(width)
    out = np.empty((*packed.shape[:-1], width, width))
    out[..., rows, cols] = packed
    out[..., cols, rows] = packed
    return out


def distinct(design: Design) -> tuple[list[Array], list[list[int]]]:
    """Distinct columns, and where each term's effects are among them.

    The fixed part comes first, then the random effects that do not carry the name of an earlier column.
    """
    names = list(design.names)
    columns = [design.x[:, j] for j in range(design.x.shape[1])]
    places = []
    for term in design.terms:
        for j, name in enumerate(term.names):
            if name not in names:
                names.append(name)
                columns.append(term.z[:, j])
        places.append([names.index(name) for name in term.names])
    return columns, places


def pass_over(
    design: Design, columns: list[Array], codes: Index, groups: int
) -> tuple[Products, Exact] | None:
    """Sums of every group, and the exact units; None where a careful decomposition is needed.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Innermost group of each row.
    groups : int
    """
    n, p = design.x.shape
    some = spread(n, SAMPLE)
    root = None if design.weights is None else np.sqrt(design.weights[some])
    sample = np.stack([column[some] for column in columns], axis=1)
    y = design.y[some] if design.offset is None else design.y[some] - design.offset[some]
    units = sample_units(sample, y, p) if root is None else sample_units(sample * root[:, None], y * root, p)
    for _ in range(3):
        if units is None:
            return None
        packed, counts = _sums(design, columns, codes, groups, units)
        total = full(packed.sum(axis=0), len(columns) + 1)
        exact = settle(total, n, p, units)
        if exact is not None:
            return Products(packed, counts, p, units, exact.change), exact
        units = better(units, total, n, p)
    return None


def _sums(
    design: Design, columns: list[Array], codes: Index, groups: int, units: Units
) -> tuple[Array, Index]:
    from alliance_longitudinal.engine.linalg.compiled_products import add_rows

    n, k = len(codes), len(columns)
    out = np.zeros((groups, (k + 1) * (k + 2) // 2))
    counts = np.zeros(groups, dtype=np.intp)
    in_order = bool((codes[1:] >= codes[:-1]).all())

    def work(low: int, high: int) -> None:
        begin, end = np.searchsorted(codes, [low, high]) if in_order else (0, n)
        for at in range(int(begin), int(end), CHUNK):
            rows = slice(at, min(at + CHUNK, int(end)))
            raw = np.empty((k, rows.stop - at))
            for j, column in enumerate(columns):
                raw[j] = column[rows]
            y = design.y[rows] if design.offset is None else design.y[rows] - design.offset[rows]
            root = np.empty(0) if design.weights is None else np.sqrt(design.weights[rows])
            add_rows(
                raw,
                np.ascontiguousarray(y),
                root,
                np.ascontiguousarray(codes[rows]),
                units.transform,
                units.beta,
                units.y_scale,
                low,
                high,
                out,
                counts,
            )

    share(work, groups, max(1, groups * 50_000 // max(1, n)))
    return out, counts
