"""A factor model as arrays: which parameters are fixed, which are free, and which are one and the same.

The model of p items and k factors is ``y = nu + Lambda eta + e`` with ``eta ~ (alpha, Psi)`` and ``e ~ (0, Theta)``, so
``mu = nu + Lambda alpha`` and ``Sigma = Lambda Psi Lambda' + Theta``.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The parameter arrays and the order of their axes: loadings (p, k), factor covariances (k, k), residual covariances
#: (p, p), intercepts (p, 1), factor means (k, 1).
ARRAYS = ("loading", "factor_cov", "residual", "intercept", "factor_mean")
_SYMMETRIC = ("factor_cov", "residual")


@dataclass(frozen=True, slots=True)
class FactorSpec:
    """A finished model.

    Attributes
    ----------
    items, factors : tuple of str
    fixed : mapping of array name to float array
        The values of what is not free.
    index : mapping of array name to int array of the same shape
        Number of the free parameter in each cell, -1 where fixed; a number in several cells is one parameter.
    names : tuple of str
        Of the q free parameters.
    start : float array, shape (q,)
    """

    items: tuple[str, ...]
    factors: tuple[str, ...]
    fixed: dict[str, Floats]
    index: dict[str, NDArray[np.intp]]
    names: tuple[str, ...]
    start: Floats

    def arrays(self, free: Floats) -> dict[str, Floats]:
        """The five arrays with the q free parameters in place."""
        out = {}
        for name in ARRAYS:
            own, values = self.index[name], self.fixed[name].copy()
            values[own >= 0] = free[own[own >= 0]]
            out[name] = values
        return out

    def moments(self, free: Floats) -> tuple[Floats, Floats]:
        """Model-implied mean (p,) and covariance (p, p)."""
        a = self.arrays(free)
        mean = a["intercept"] + a["loading"] @ a["factor_mean"]
        return mean[:, 0], a["loading"] @ a["factor_cov"] @ a["loading"].T + a["residual"]

    def derivatives(self, free: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the mean (q, p) and of the covariance (q, p, p) by each free parameter."""
        a = self.arrays(free)
        p, q = len(self.items), len(self.names)
        d_mean, d_cov = np.zeros((q, p)), np.zeros((q, p, p))
        load, spread = a["loading"], a["loading"] @ a["factor_cov"]
        for i, j in zip(*np.nonzero(self.index["loading"] >= 0), strict=True):
            k = self.index["loading"][i, j]
            d_mean[k, i] += a["factor_mean"][j, 0]
            d_cov[k, i, :] += spread[:, j]
            d_cov[k, :, i] += spread[:, j]
        for i, j in zip(*np.nonzero(self.index["factor_cov"] >= 0), strict=True):
            d_cov[self.index["factor_cov"][i, j]] += np.outer(load[:, i], load[:, j])
        for i, j in zip(*np.nonzero(self.index["residual"] >= 0), strict=True):
            d_cov[self.index["residual"][i, j], i, j] += 1.0
        for i in np.nonzero(self.index["intercept"][:, 0] >= 0)[0]:
            d_mean[self.index["intercept"][i, 0], i] += 1.0
        for j in np.nonzero(self.index["factor_mean"][:, 0] >= 0)[0]:
            d_mean[self.index["factor_mean"][j, 0]] += load[:, j]
        return d_mean, d_cov


@dataclass(slots=True)
class SpecBuilder:
    """Collects the cells of a model; ``build`` makes the frozen spec.

    A cell that is set free with the ``name`` of an earlier one is the same parameter.
    """

    items: tuple[str, ...]
    factors: tuple[str, ...]
    _fixed: dict[str, Floats] = field(init=False)
    _index: dict[str, NDArray[np.intp]] = field(init=False)
    _names: dict[str, int] = field(init=False, default_factory=dict)
    _start: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        p, k = len(self.items), len(self.factors)
        shapes = {
            "loading": (p, k),
            "factor_cov": (k, k),
            "residual": (p, p),
            "intercept": (p, 1),
            "factor_mean": (k, 1),
        }
        self._fixed = {name: np.zeros(shape) for name, shape in shapes.items()}
        self._index = {name: np.full(shape, -1, dtype=np.intp) for name, shape in shapes.items()}

    def fix(self, array: str, i: int, j: int, value: float) -> None:
        """Set one cell, in a symmetric array also its mirror image, to ``value``."""
        self._fixed[array][i, j] = value
        if array in _SYMMETRIC:
            self._fixed[array][j, i] = value

    def free(self, array: str, i: int, j: int, start: float, name: str = "") -> None:
        """Let one cell (and its mirror image) be estimated."""
        key = name or f"{array}[{i},{j}]"
        if key not in self._names:
            self._names[key] = len(self._names)
            self._start.append(start)
        self._index[array][i, j] = self._names[key]
        if array in _SYMMETRIC:
            self._index[array][j, i] = self._names[key]

    def build(self) -> FactorSpec:
        """The finished model."""
        return FactorSpec(
            self.items, self.factors, self._fixed, self._index, tuple(self._names), np.array(self._start)
        )
