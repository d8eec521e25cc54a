"""A linear structural model as arrays: which parameters are fixed, which are free, and which are one and the same.

The model of p columns and k latent variables is ``y = nu + Lambda eta + e`` with ``eta = alpha + B eta + zeta``, ``zeta ~ (0, Psi)``
and ``e ~ (0, Theta)``, so with ``A = (I - B)^-1``: ``mu = nu + Lambda A alpha`` and ``Sigma = Lambda A Psi A' Lambda' + Theta``
(Joreskog's LISREL).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The parameter arrays and the order of their axes: loadings (p, k), paths among latent variables (k, k; row on column),
#: their (residual) covariances (k, k), residual covariances (p, p), intercepts (p, 1), latent means or intercepts (k, 1).
ARRAYS = ("loading", "path", "factor_cov", "residual", "intercept", "factor_mean")
_SYMMETRIC = ("factor_cov", "residual")
Cells = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Structure:
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
    cells : mapping of array name to parameter, row and column of each free cell
    """

    items: tuple[str, ...]
    factors: tuple[str, ...]
    fixed: dict[str, Floats]
    index: dict[str, NDArray[np.intp]]
    names: tuple[str, ...]
    start: Floats
    cells: dict[str, Cells]

    def arrays(self, free: Floats) -> dict[str, Floats]:
        """The arrays with the q free parameters in place."""
        out = {}
        for name in ARRAYS:
            values = self.fixed[name].copy()
            which, i, j = self.cells[name]
            values[i, j] = free[which]
            out[name] = values
        return out

    def moments(self, free: Floats) -> tuple[Floats, Floats]:
        """Model-implied mean (p,) and covariance (p, p)."""
        a = self.arrays(free)
        load = a["loading"] @ self._total(a)
        mean = a["intercept"] + load @ a["factor_mean"]
        return mean[:, 0], load @ a["factor_cov"] @ load.T + a["residual"]

    def derivatives(self, free: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the mean (q, p) and of the covariance (q, p, p) by each free parameter."""
        a = self.arrays(free)
        p, q = len(self.items), len(self.names)
        d_mean, d_cov = np.zeros((q, p)), np.zeros((q, p, p))
        total = self._total(a)
        load = a["loading"] @ total
        level = (total @ a["factor_mean"])[:, 0]
        spread = load @ a["factor_cov"] @ total.T
        for k, i, j in zip(*self.cells["loading"], strict=True):
            d_mean[k, i] += level[j]
            d_cov[k, i, :] += spread[:, j]
            d_cov[k, :, i] += spread[:, j]
        for k, i, j in zip(*self.cells["path"], strict=True):
            d_mean[k] += load[:, i] * level[j]
            one = np.outer(load[:, i], spread[:, j])
            d_cov[k] += one + one.T
        for k, i, j in zip(*self.cells["factor_cov"], strict=True):
            d_cov[k] += np.outer(load[:, i], load[:, j])
        which, i, j = self.cells["residual"]
        d_cov[which, i, j] += 1.0
        which, i, _ = self.cells["intercept"]
        d_mean[which, i] += 1.0
        for k, i, _ in zip(*self.cells["factor_mean"], strict=True):
            d_mean[k] += load[:, i]
        return d_mean, d_cov

    def pull(self, free: Floats, by_mean: Floats, by_cov: Floats) -> Floats:
        """The gradient (q,) of a function of the moments with gradients ``by_mean`` (p,) and symmetric ``by_cov`` (p, p)."""
        a = self.arrays(free)
        total = self._total(a)
        load = a["loading"] @ total
        level, side = total @ a["factor_mean"], by_mean[:, None]
        inner = by_cov @ load @ a["factor_cov"]
        by_total = side @ a["factor_mean"].T + 2 * inner  # by the product of loadings and total effects
        by = {
            "loading": side @ level.T + 2 * inner @ total.T,
            "path": load.T @ by_total @ total.T,
            "factor_cov": load.T @ by_cov @ load,
            "residual": by_cov,
            "intercept": side,
            "factor_mean": load.T @ side,
        }
        out = np.zeros(len(free))
        for name in ARRAYS:
            which, i, j = self.cells[name]
            out += np.bincount(which, by[name][i, j], minlength=len(free))
        return out

    def _total(self, a: dict[str, Floats]) -> Floats:
        """Total effects ``(I - B)^-1``."""
        one: Floats = np.eye(len(self.factors))
        return np.asarray(np.linalg.inv(one - a["path"])) if a["path"].any() else one


@dataclass(slots=True)
class Builder:
    """Collects the cells of a model; ``build`` makes the frozen structure.

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
            "path": (k, k),
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

    def build(self) -> Structure:
        """The finished model."""
        cells: dict[str, Cells] = {}
        for name, own in self._index.items():
            i, j = np.nonzero(own >= 0)
            cells[name] = (own[i, j], i, j)
        names = tuple(self._names)
        return Structure(
            self.items,
            self.factors,
            self._fixed,
            self._index,
            names,
            np.array(self._start, dtype=float),
            cells,
        )
