"""Cholesky parameters of relative covariances, on the whole cone or on a face of lower rank.

A covariance of rank r is ``D = L L'`` with ``L`` a q by r lower trapezoid. Its diagonal is not bounded below:
a bound makes false optima at zero. Free parameters of another kind (a residual structure's) may come first.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alliance_longitudinal.engine.arrays import Array


@dataclass(frozen=True, slots=True)
class Face:
    """Sizes and ranks of the terms' covariances, in design order, and the order of their entries.

    Attributes
    ----------
    sizes, ranks : tuple of int
    entry_order : tuple of int
        Terms in the order in which the criterion stacks their entries.
    extra : int
        Free parameters that precede the trapezoids' entries, in the parameters as in the criterion's entries.
    """

    sizes: tuple[int, ...]
    ranks: tuple[int, ...]
    entry_order: tuple[int, ...]
    extra: int = 0

    @property
    def dimension(self) -> int:
        """Number of parameters."""
        return self.extra + sum(len(self.places(t)) for t in self.entry_order)

    def places(self, t: int) -> tuple[tuple[int, int], ...]:
        """Free entries of a term's trapezoid."""
        return _places(self.sizes[t], self.ranks[t])

    def factors(self, theta: Array) -> list[Array]:
        """The trapezoids, in design order."""
        out = [np.zeros((q, r)) for q, r in zip(self.sizes, self.ranks, strict=True)]
        at = self.extra
        for t in self.entry_order:
            for i, j in self.places(t):
                out[t][i, j] = theta[at]
                at += 1
        return out

    def covariances(self, theta: Array) -> list[Array]:
        """Relative covariances ``L L'``, in design order."""
        return [factor @ factor.T for factor in self.factors(theta)]

    def pack(self, relative: list[Array], extra: Array | tuple[()] = ()) -> Array:
        """Parameters of given covariances, each cut to the face's rank by its largest eigenvalues."""
        theta = [float(value) for value in extra]
        for t in self.entry_order:
            lower = _trapezoid(relative[t], self.ranks[t])
            theta += [lower[i, j] for i, j in self.places(t)]
        return np.array(theta)

    def chain(self, theta: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in the parameters from those in the covariances' entries."""
        jacobian = self.jacobian(theta)
        second = _second_derivatives(self)
        bend = (gradient @ second.reshape(len(second), -1)).reshape(second.shape[1:])
        return jacobian.T @ gradient, jacobian.T @ hessian @ jacobian + bend

    def jacobian(self, theta: Array) -> Array:
        """Derivative of the stacked covariance entries, shape (entries, parameters)."""
        out: Array = _second_derivatives(self) @ theta
        if self.extra:
            out[: self.extra, : self.extra] += np.eye(self.extra)
        return out

    def gammas(self, gradient: Array) -> list[Array]:
        """Symmetric matrices ``Gamma`` with ``df = tr(Gamma dD)``, in design order."""
        out = [np.zeros((q, q)) for q in self.sizes]
        at = self.extra
        for t in self.entry_order:
            for i, j in zip(*np.tril_indices(self.sizes[t]), strict=True):
                out[t][i, j] = out[t][j, i] = gradient[at] if i == j else gradient[at] / 2
                at += 1
        return out

    def full(self) -> "Face":
        """The whole cone."""
        return Face(self.sizes, self.sizes, self.entry_order, self.extra)


def _trapezoid(d: Array, rank: int) -> Array:
    """Lower trapezoid ``L`` of a rank with ``L L'`` nearest to a covariance."""
    if rank == 0:
        return np.zeros((len(d), 0))
    if rank == len(d):
        try:
            return np.asarray(np.linalg.cholesky(d))
        except np.linalg.LinAlgError:  # singular
            pass
    values, vectors = np.linalg.eigh(d)
    root = (vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0)))[:, :rank]
    lower = np.asarray(np.linalg.qr(root.T, mode="r")).T
    return np.asarray(lower * np.where(np.diag(lower) < 0, -1.0, 1.0))


@lru_cache(maxsize=256)
def _places(size: int, rank: int) -> tuple[tuple[int, int], ...]:
    return tuple((i, j) for i in range(size) for j in range(min(i + 1, rank)))


@lru_cache(maxsize=256)
def _second_derivatives(face: Face) -> Array:
    """Second derivatives of the stacked covariance entries, constant because ``L L'`` is quadratic.

    Shape (entries, parameters, parameters); times the parameters it is the Jacobian.
    """
    entries = face.extra + sum(q * (q + 1) // 2 for q in face.sizes)
    out = np.zeros((entries, face.dimension, face.dimension))
    row = column = face.extra
    for t in face.entry_order:
        places = face.places(t)
        low = {(i, j): i * (i + 1) // 2 + j for i in range(face.sizes[t]) for j in range(i + 1)}
        for a, (i, j) in enumerate(places):
            for b, (u, v) in enumerate(places):
                if j == v:
                    out[row + low[(max(i, u), min(i, u))], column + a, column + b] = 2.0 if i == u else 1.0
        row += len(low)
        column += len(places)
    return out
