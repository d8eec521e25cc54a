"""Coordinates in which the share of some random effects in the total variance is a coordinate of its own.

The share is ``Q / (Q + N)`` with ``Q = x'Ax`` of the chosen terms' factors and ``N`` of the others and the residual, in
residual variances. The coordinate ``h`` fixes it by stretching the chosen entries by ``c = tan(h) sqrt(N / Q)``. Where a
variance does not count all effects of a term, as at one value of a covariate, the term is turned so that those that count
come first; only their rows are stretched, so that a share of zero leaves the other effects what they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.fitting.theta import Face
from alliance_longitudinal.engine.inference.charts import Chart, Placed, offsets, turned

Array = NDArray[np.float64]

#: Eigenvalues of a term's weights below this share of the largest one are zero.
_FLAT = 1e-10


@dataclass(frozen=True, slots=True)
class Rest:
    """What the residual adds to the total variance, in residual variances of the reference stratum.

    Attributes
    ----------
    constant : float
    strata : tuple of float
        Weights of the squared ratios of the other strata's standard deviations, whose logarithms are the last
        coordinates of the residual structure.
    """

    constant: float
    strata: tuple[float, ...] = ()

    @property
    def none(self) -> bool:
        """Whether the residual has no part in the total."""
        return not self.constant and not self.strata

    def at(self, x: Array, extra: int) -> tuple[float, Array]:
        """Value, and half its gradient (half its second derivatives, on the diagonal, are twice that)."""
        half = np.zeros(len(x))
        places = slice(extra - len(self.strata), extra)
        half[places] = np.asarray(self.strata) * np.exp(2 * x[places])
        return self.constant + float(half.sum()), half


@dataclass(frozen=True, slots=True)
class _Parts:
    """Quadratic forms in the stacked factors: chosen, other; which entries are stretched."""

    inner: Array
    outer: Array
    mine: NDArray[np.bool_]
    rest: Rest
    extra: int

    def numbers(self, x: Array) -> tuple[float, float, Array, Array, Array]:
        """``N``, ``Q``, half their gradients, and half the second derivative of ``N``."""
        rest, half = self.rest.at(x, self.extra)
        slope = self.outer @ x
        inside = self.inner @ x
        n, q = rest + float(x @ slope), float(x @ inside)
        return n, q, slope + half, inside, self.outer + np.diag(2 * half)

    def log_ratio(self, x: Array) -> tuple[float, Array, Array]:
        """``sqrt(N / Q)`` and the derivatives of its logarithm."""
        n, q, of_n, of_q, curve = self.numbers(x)
        gradient = of_n / n - of_q / q
        bend = curve / n - self.inner / q - 2 * np.outer(of_n, of_n) / n**2 + 2 * np.outer(of_q, of_q) / q**2
        size = float(np.sqrt(n / q)) if n / q >= 0 else np.nan  # a trial step may leave the space; it is lost
        return size, gradient, bend


def share(face: Face, chosen: list[int], weights: list[Array], rest: Rest) -> Chart:
    """Chart of the share of some terms in the total variance; the coordinate is the arc sine of its root.

    Parameters
    ----------
    chosen : list of int
        Terms whose share it is; at least one of their weights is not zero.
    weights : list of ndarray, shape (q_t, q_t)
        ``M`` of each term: its variance is ``tr(M D)`` residual variances.
    rest : Rest
    """
    m = face.dimension
    parts, turn = _parts(face, chosen, weights, rest)
    inner, mine = parts.inner, parts.mine

    def place(u: Array) -> Placed:
        x, h = u[:-1], u[-1]
        size, gradient, bend = parts.log_ratio(x)
        tan, sec2 = np.tan(h), 1 / np.cos(h) ** 2
        c = tan * size
        c1 = np.append(tan * size * gradient, sec2 * size)
        c2 = np.zeros((m + 1, m + 1))
        c2[:m, :m] = c * (np.outer(gradient, gradient) + bend)
        c2[:m, -1] = c2[-1, :m] = sec2 * size * gradient
        c2[-1, -1] = 2 * tan * sec2 * size
        jacobian, second = np.zeros((m, m + 1)), np.zeros((m, m + 1, m + 1))
        jacobian[:, :m] = np.diag(np.where(mine, c, 1.0))
        jacobian[mine] += x[mine, None] * c1
        for k in np.flatnonzero(mine):
            second[k] = x[k] * c2
            second[k, k] += c1
            second[k, :, k] += c1
        return Placed(np.where(mine, c * x, x), jacobian, second)

    def start(relative: list[Array], _: float, extra: Array) -> Array:
        x = face.pack(turned(relative, turn), extra)
        n, within = parts.numbers(x)[:2]
        ratio = within / (within + n)
        if within < 1e-12:  # only the direction counts
            x = np.where(mine, face.pack([np.eye(q) for q in face.sizes], extra), x)
        x = np.where(mine, x / np.sqrt(x @ inner @ x), x)
        return np.array([*x, np.arcsin(np.sqrt(ratio))])

    return Chart(face, turn, place, start, lambda h: float(np.sin(h) ** 2), 0.0, np.pi / 2, inner)


def _parts(
    face: Face, chosen: list[int], weights: list[Array], rest: Rest
) -> tuple[_Parts, dict[int, Array]]:
    m, at = face.dimension, offsets(face)
    inner, outer = np.zeros((m, m)), np.zeros((m, m))
    mine, turn = np.zeros(m, dtype=bool), {}
    for t, weight in enumerate(weights):
        rank = face.sizes[t]
        if t in chosen:
            values, vectors = np.linalg.eigh(weight)
            rank = int(np.sum(values > _FLAT * max(float(values[-1]), 1e-300)))
            if rank < face.sizes[t]:
                turn[t] = vectors[:, ::-1]
                weight = np.diag(np.where(np.arange(len(values)) < rank, values[::-1], 0.0))
        for a, (i, k) in enumerate(face.places(t)):
            mine[at[t] + a] = t in chosen and i < rank
            for b, (j, v) in enumerate(face.places(t)):
                if k == v:
                    (inner if t in chosen else outer)[at[t] + a, at[t] + b] = weight[i, j]
    return _Parts(inner, outer, mine, rest, face.extra), turn
