"""Internal units: an orthonormal basis of all design columns, so that a fit does not depend on units or origin.

Fixed-effect columns come first, then what the random effects add. With weights every row is multiplied by
the root of its weight first. In these units the cross-product of the basis is ``n I``, each block of random
effects has cross-product ``n I`` too, and the response is its least-squares residual with variance one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.fitting.linalg import DEPENDENT, independent_columns, thin_qr
from alliance_longitudinal.errors import FitError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Basis:
    """Design in internal units, and the way back.

    Attributes
    ----------
    q : ndarray, shape (n, k)
        Basis; the first p columns span the fixed part.
    y : ndarray, shape (n,)
        Residual of the response from least squares on the fixed part, divided by ``y_scale``.
    r_x : ndarray, shape (p, p)
        Upper triangular: internal coefficients are ``r_x @ (beta - beta_ols) / y_scale``.
    beta_ols : ndarray, shape (p,)
        Least-squares coefficients, in the user's units.
    y_scale : float
    c : tuple of ndarray, shape (k, q_t)
        Each term's effects in the basis (orthonormal columns).
    b : tuple of ndarray, shape (q_t, q_t)
        Upper triangular: internal random effects are ``b @ effects / y_scale``.
    log_weights : float
        Sum of the logarithms of the prior weights.
    """

    q: Array
    y: Array
    r_x: Array
    beta_ols: Array
    y_scale: float
    c: tuple[Array, ...]
    b: tuple[Array, ...]
    log_weights: float


def build(design: Design) -> Basis:
    """Basis and internal units of a design.

    Raises
    ------
    FitError
        The response does not vary around the fixed part, or a random term's effects are linearly dependent.
    """
    n, p = design.x.shape
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    columns = _distinct(design) * root[:, None]
    kept = independent_columns(columns)
    q, r = thin_qr(columns[:, kept])
    size = np.sqrt(n)
    q, r = q * size, r / size
    beta_q, residual, scale = _centre_response(design, q[:, :p], root)
    c, b = zip(
        *(_term(term.names, term.group, term.z * root[:, None], q) for term in design.terms), strict=True
    )
    return Basis(
        q,
        residual / scale,
        r[:p, :p],
        np.linalg.solve(r[:p, :p], beta_q),
        scale,
        tuple(c),
        tuple(b),
        float(2 * np.log(root).sum()),
    )


def _distinct(design: Design) -> Array:
    """Fixed-effect columns, then the random effects' columns that do not carry the name of an earlier one."""
    names = list(design.names)
    columns = [design.x]
    for term in design.terms:
        for j, name in enumerate(term.names):
            if name not in names:
                names.append(name)
                columns.append(term.z[:, [j]])
    return np.concatenate(columns, axis=1)


def _centre_response(design: Design, q: Array, root: Array) -> tuple[Array, Array, float]:
    y = design.centred * root
    n = len(y)
    if np.ptp(design.y) == 0:
        raise FitError(
            f"The response has the same value, {design.y[0]:g}, in all {n} rows; there is nothing to model."
        )
    beta = q.T @ y / n
    residual = y - q @ beta
    correction = (
        q.T @ residual / n
    )  # once more: the first pass loses digits when the response has a large mean
    residual = residual - q @ correction
    scale = float(np.sqrt(residual @ residual / n))
    if scale <= 1e-9 * np.sqrt(y @ y / n) and scale <= 1e-9 * float(np.abs(y).max()):
        raise FitError(
            "The fixed part reproduces the response exactly; no variation is left for a mixed model."
        )
    return beta + correction, residual, scale


def _term(names: tuple[str, ...], group: str, z: Array, q: Array) -> tuple[Array, Array]:
    coefficients = q.T @ z / len(z)
    kept = independent_columns(coefficients, DEPENDENT)
    if len(kept) < len(names):
        lost = ", ".join(name for j, name in enumerate(names) if j not in kept)
        raise FitError(
            f"The random effects over {group!r} are linearly dependent: {lost} is constant zero or a combination of the "
            "others. Leave it out of the random term."
        )
    return thin_qr(coefficients)
