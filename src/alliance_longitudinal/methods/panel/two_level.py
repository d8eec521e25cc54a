"""Two related columns at two levels: covariances within and between groups by maximum likelihood.

Groups of one size share a covariance of their means, so they are one pattern of the likelihood, as rows with the same missing
values are (``methods.fiml``); what both columns owe to covariates is profiled out by generalised least squares.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.fiml.optimum import Certificate, certify

#: The three cells of a symmetric matrix of two: variance of x, covariance, variance of y.
_CELLS = np.array([[[1.0, 0], [0, 0]], [[0, 1.0], [1, 0]], [[0, 0], [0, 1.0]]])


@dataclass(frozen=True, slots=True)
class Sums:
    """Sufficient statistics of the pairs (x, y).

    Attributes
    ----------
    n, groups : int
    sizes : float array, shape (S,)
        The different sizes of groups.
    count : float array, shape (S,)
        Groups of each size.
    within_zz, within_qz, within_qq : float array, (2, 2), (k, 2), (k, k)
        Crossproducts within groups of the pairs z and the k covariates q (of which those of groups are zero there).
    between_zz, between_qz, between_qq : float array, (S, 2, 2), (S, k, 2), (S, k, k)
        Of the groups' means, times the size, summed over groups of a size.
    """

    n: int
    groups: int
    sizes: Floats
    count: Floats
    within_zz: Floats
    within_qz: Floats
    within_qq: Floats
    between_zz: Floats
    between_qz: Floats
    between_qq: Floats


@dataclass(frozen=True, slots=True)
class TwoLevel:
    """Estimates: the cells xx, xy, yy within and then between groups, (6,), their covariance, and the fit."""

    cells: Floats
    covariance: Floats
    llf: float
    certificate: Certificate

    @property
    def within(self) -> Floats:
        """Covariance within groups (2, 2)."""
        return np.asarray(np.tensordot(self.cells[:3], _CELLS, axes=1))

    @property
    def between(self) -> Floats:
        """Covariance between groups (2, 2)."""
        return np.asarray(np.tensordot(self.cells[3:], _CELLS, axes=1))


def sums(pairs: Floats, covariates: Floats, codes: Codes) -> Sums:
    """From pairs (n, 2), covariates (n, k) with a constant first, and groups (n,)."""
    size = np.bincount(codes).astype(float)
    means = [_means(values, codes, size) for values in (pairs, covariates)]
    z, q = (values - mean[codes] for values, mean in zip((pairs, covariates), means, strict=True))
    sizes, which = np.unique(size, return_inverse=True)
    count = np.bincount(which).astype(float)
    zj, qj = means

    def by_size(left: Floats, right: Floats) -> Floats:
        out = np.zeros((len(sizes), left.shape[1], right.shape[1]))
        np.add.at(out, which, size[:, None, None] * left[:, :, None] * right[:, None, :])
        return out

    return Sums(
        len(pairs),
        len(size),
        sizes,
        count,
        z.T @ z,
        q.T @ z,
        q.T @ q,
        by_size(zj, zj),
        by_size(qj, zj),
        by_size(qj, qj),
    )


def _means(values: Floats, codes: Codes, size: Floats) -> Floats:
    total = np.zeros((len(size), values.shape[1]))
    np.add.at(total, codes, values)
    return np.asarray(total / size[:, None])


def fit(data: Sums) -> TwoLevel | None:
    """Fisher scoring from moments; None where no step leads on."""
    cells = _start(data)
    here = _at(data, cells)
    for _ in range(200):
        if here is None:
            return None
        value, gradient, expected = here
        step = -np.linalg.lstsq(expected, gradient, rcond=1e-12)[0]
        decrement = float(-gradient @ step)
        if decrement < 1e-12:
            break
        size, then = 1.0, _at(data, cells + step)
        while (then is None or then[0] > value - 1e-4 * size * decrement) and size > 1e-8:
            size /= 2
            then = _at(data, cells + size * step)
        if size <= 1e-8:
            break
        cells, here = cells + size * step, then
    if here is None:
        return None
    observed = _observed(data, cells)
    if observed is None:
        return None
    certificate = certify(2 * here[1], observed)
    covariance = np.full((6, 6), np.nan)
    if certificate.definite:
        covariance = np.asarray(np.linalg.inv(observed))
    return TwoLevel(cells, covariance, -here[0], certificate)


def _start(data: Sums) -> Floats:
    """By the mean squares within and between groups."""
    within = data.within_zz / (data.n - data.groups)
    mean = (
        data.between_zz.sum(axis=0)
        - np.outer(data.between_qz.sum(axis=0)[0], data.between_qz.sum(axis=0)[0]) / data.n
    )
    between = mean / (data.groups - 1)
    typical = data.n / data.groups
    added = (between - within) / typical
    scale = np.sqrt(np.outer(np.diag(within), np.diag(within)))
    if np.linalg.eigvalsh(added / scale)[0] < 0.01:
        added = 0.1 * np.diag(np.diag(within))
    return np.array([within[0, 0], within[0, 1], within[1, 1], added[0, 0], added[0, 1], added[1, 1]])


def _at(data: Sums, cells: Floats) -> tuple[float, Floats, Floats] | None:
    """-log-likelihood with gradient and expected information of the six cells, covariates profiled out."""
    inside = np.tensordot(cells[:3], _CELLS, axes=1)
    means = inside + data.sizes[:, None, None] * np.tensordot(cells[3:], _CELLS, axes=1)
    every = np.concatenate([inside[None], means])
    if (np.linalg.det(every) <= 0).any() or (every[:, 0, 0] <= 0).any():
        return None
    weight = np.linalg.inv(every)
    free = np.concatenate([[data.n - data.groups], data.count])
    coefficients = _profiled(data, weight)
    spread = np.concatenate(
        [
            _residual(data.within_zz, data.within_qz, data.within_qq, coefficients)[None],
            _residual(data.between_zz, data.between_qz, data.between_qq, coefficients),
        ]
    )
    log_det = np.log(np.linalg.det(every))
    value = float(free @ log_det + np.einsum("kij,kij->", weight, spread)) / 2
    value += data.n * float(np.log(2 * np.pi))
    pull = free[:, None, None] * weight - weight @ spread @ weight
    by_cell = np.einsum("kij,cij->kc", pull, _CELLS) / 2
    moved = weight[:, None] @ _CELLS
    info = free[:, None, None] * np.einsum("kaij,kbji->kab", moved, moved) / 2
    grow = np.concatenate([[0.0], data.sizes])
    gradient = np.concatenate([by_cell.sum(axis=0), grow @ by_cell])
    cross = np.einsum("k,kab->ab", grow, info)
    expected = np.block([[info.sum(axis=0), cross], [cross.T, np.einsum("k,kab->ab", grow**2, info)]])
    return value, gradient, expected


def _profiled(data: Sums, weight: Floats) -> Floats:
    """Coefficients (k, 2) of the covariates by generalised least squares."""
    k = data.within_qq.shape[0]
    left = np.einsum("ab,ij->aibj", data.within_qq, weight[0]) + np.einsum(
        "sab,sij->aibj", data.between_qq, weight[1:]
    )
    right = data.within_qz @ weight[0] + np.einsum("sai,sij->aj", data.between_qz, weight[1:])
    return np.asarray(np.linalg.solve(left.reshape(2 * k, 2 * k), right.ravel()).reshape(k, 2))


def _residual(zz: Floats, qz: Floats, qq: Floats, coefficients: Floats) -> Floats:
    cross = np.swapaxes(qz, -1, -2) @ coefficients
    out = zz - cross - np.swapaxes(cross, -1, -2) + coefficients.T @ qq @ coefficients
    return np.asarray(out)


def _observed(data: Sums, cells: Floats) -> Floats | None:
    """Observed information: differences of the analytic gradient, which hold what the profiled coefficients add."""
    out = np.empty((6, 6))
    scale = np.sqrt(np.outer(cells[[0, 2]], cells[[0, 2]]))[[0, 0, 1], [0, 1, 1]]
    for k in range(6):
        step = np.zeros(6)
        step[k] = 1e-5 * scale[k % 3]
        up, down = _at(data, cells + step), _at(data, cells - step)
        if up is None or down is None:
            return None
        out[k] = (up[1] - down[1]) / (2 * step[k])
    return (out + out.T) / 2


def sizes_of(codes: Codes) -> NDArray[np.intp]:
    """Rows of each group."""
    return np.bincount(codes)
