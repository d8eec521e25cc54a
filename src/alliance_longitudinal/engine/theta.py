"""Cholesky parameters of relative covariances, on the whole cone or on a face of lower rank.

A covariance of rank r is ``D = L L'`` with ``L`` a q by r lower trapezoid. Its diagonal is not bounded below:
a bound makes false optima at zero.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Face:
    """Sizes and ranks of the terms' covariances, in design order, and the order of their entries.

    Attributes
    ----------
    sizes, ranks : tuple of int
    entry_order : tuple of int
        Terms in the order in which the criterion stacks their entries.
    """

    sizes: tuple[int, ...]
    ranks: tuple[int, ...]
    entry_order: tuple[int, ...]

    @property
    def dimension(self) -> int:
        """Number of parameters."""
        return sum(len(self._places(t)) for t in self.entry_order)

    def _places(self, t: int) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.sizes[t]) for j in range(min(i + 1, self.ranks[t]))]

    def factors(self, theta: Array) -> list[Array]:
        """The trapezoids, in design order."""
        out = [np.zeros((q, r)) for q, r in zip(self.sizes, self.ranks, strict=True)]
        at = 0
        for t in self.entry_order:
            for i, j in self._places(t):
                out[t][i, j] = theta[at]
                at += 1
        return out

    def covariances(self, theta: Array) -> list[Array]:
        """Relative covariances ``L L'``, in design order."""
        return [factor @ factor.T for factor in self.factors(theta)]

    def pack(self, relative: list[Array]) -> Array:
        """Parameters of given covariances, each cut to the face's rank by its largest eigenvalues."""
        theta = []
        for t in self.entry_order:
            values, vectors = np.linalg.eigh(relative[t])
            root = vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))
            root = root[:, : self.ranks[t]]
            lower = np.asarray(np.linalg.qr(root.T, mode="r")).T
            lower = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
            theta += [lower[i, j] for i, j in self._places(t)]
        return np.array(theta)

    def chain(self, theta: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in the parameters from those in the covariances' entries."""
        jacobian = self.jacobian(theta)
        g = jacobian.T @ gradient
        h = jacobian.T @ hessian @ jacobian
        at = 0
        gammas = self.gammas(gradient)
        for t in self.entry_order:
            places = self._places(t)
            for a, (i, j) in enumerate(places):
                for b, (u, v) in enumerate(places):
                    if j == v:
                        h[at + a, at + b] += 2 * gammas[t][i, u]
            at += len(places)
        return g, h

    def jacobian(self, theta: Array) -> Array:
        """Derivative of the stacked covariance entries, shape (entries, parameters)."""
        factors = self.factors(theta)
        entries = sum(q * (q + 1) // 2 for q in self.sizes)
        out = np.zeros((entries, len(theta)))
        row = column = 0
        for t in self.entry_order:
            low = list(zip(*np.tril_indices(self.sizes[t]), strict=True))
            for a, (i, j) in enumerate(self._places(t)):
                for b, (u, v) in enumerate(low):
                    out[row + b, column + a] = (u == i) * factors[t][v, j] + (v == i) * factors[t][u, j]
            row += len(low)
            column += len(self._places(t))
        return out

    def gammas(self, gradient: Array) -> list[Array]:
        """Symmetric matrices ``Gamma`` with ``df = tr(Gamma dD)``, in design order."""
        out = [np.zeros((q, q)) for q in self.sizes]
        at = 0
        for t in self.entry_order:
            for i, j in zip(*np.tril_indices(self.sizes[t]), strict=True):
                out[t][i, j] = out[t][j, i] = gradient[at] if i == j else gradient[at] / 2
                at += 1
        return out

    def full(self) -> "Face":
        """The whole cone."""
        return Face(self.sizes, self.sizes, self.entry_order)
