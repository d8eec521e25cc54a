"""Internal units: an orthonormal basis of all design columns, so that a fit does not depend on units or origin.

Fixed-effect columns come first, then what the random effects add. With weights every row is multiplied by
the root of its weight first. In these units the cross-product of the basis is ``n I``, each block of random
effects has cross-product ``n I`` too, and the response is its least-squares residual with variance one.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Chain, chain_of
from alliance_longitudinal.engine.linalg.kernels import MANY_LEAVES
from alliance_longitudinal.engine.linalg.matrices import DEPENDENT, independent_columns, thin_qr
from alliance_longitudinal.engine.statistics.products import Products, distinct, pass_over
from alliance_longitudinal.errors import FitError


class DesignRows(Protocol):
    """DesignRows in internal units."""

    @property
    def q(self) -> Array:
        """Basis, shape (n, k); the first p columns span the fixed part."""

    @property
    def y(self) -> Array:
        """Residual of the response from least squares on the fixed part, divided by its scale, shape (n,)."""


@dataclass(frozen=True, slots=True)
class GivenRows:
    """DesignRows that are at hand; see `DesignRows`."""

    q: Array
    y: Array


@dataclass(frozen=True)
class DeferredRows:
    """DesignRows that are made when asked for: a large fit does without them.

    Attributes
    ----------
    design : Design
    transform : ndarray, shape (k, k)
        Basis of a (weighted) row of the distinct columns.
    beta_ols : ndarray, shape (p,)
    y_scale : float
    """

    design: Design
    transform: Array
    beta_ols: Array
    y_scale: float

    @cached_property
    def q(self) -> Array:
        """See `DesignRows`."""
        columns = np.stack(distinct(self.design)[0], axis=1)
        return np.asarray((columns * _root(self.design)[:, None]) @ self.transform)

    @cached_property
    def y(self) -> Array:
        """See `DesignRows`."""
        rest = self.design.centred - self.design.x @ self.beta_ols
        return np.asarray(rest * _root(self.design) / self.y_scale)


@dataclass(frozen=True, slots=True)
class Basis:
    """Design in internal units, and the way back.

    Attributes
    ----------
    rows : DesignRows
        ``q`` and ``y``.
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
    products : Products or None
        Cross-products of the innermost groups, when they were taken without making the rows.
    """

    rows: DesignRows
    r_x: Array
    beta_ols: Array
    y_scale: float
    c: tuple[Array, ...]
    b: tuple[Array, ...]
    log_weights: float
    products: Products | None = None

    @property
    def q(self) -> Array:
        """Basis, shape (n, k); the first p columns span the fixed part."""
        return self.rows.q

    @property
    def y(self) -> Array:
        """Residual of the response from least squares on the fixed part, divided by ``y_scale``, shape (n,)."""
        return self.rows.y

    @property
    def width(self) -> int:
        """Number of columns of ``q``."""
        return len(self.c[0])


def build(design: Design) -> Basis:
    """Basis and internal units of a design; many nested groups also get their cross-products in the same pass.

    Raises
    ------
    FitError
        The response does not vary around the fixed part, or a random term's effects are linearly dependent.
    """
    chain = chain_of(list(design.factors))
    if chain is not None and len(chain.labels[0]) >= MANY_LEAVES:
        made = in_one_pass(design, chain)
        if made is not None:
            return made
    return _with_rows(design)


def in_one_pass(design: Design, chain: Chain) -> Basis | None:
    """Basis from one pass over the rows, which are not kept; None where a careful decomposition is needed."""
    columns, places = distinct(design)
    groups, k = len(chain.labels[0]), len(columns)
    if groups * (k + 1) * (k + 2) > 6 * len(design.y) * (k + 1):  # the products would be larger than the rows
        return None
    found = pass_over(design, columns, chain.places[design.factors[chain.order[0]].codes], groups)
    if found is None:
        return None
    products, exact = found
    p = len(design.names)
    r: Array = np.asarray(np.linalg.inv(exact.transform), dtype=float)
    c, b = zip(
        *(
            orthonormal(term.names, term.group, r[:, at])
            for term, at in zip(design.terms, places, strict=True)
        ),
        strict=True,
    )
    return Basis(
        DeferredRows(design, exact.transform, exact.beta, exact.y_scale),
        r[:p, :p],
        exact.beta,
        exact.y_scale,
        c,
        b,
        0.0 if design.weights is None else float(np.log(design.weights).sum()),
        products,
    )


def _root(design: Design) -> Array:
    """Roots of the prior weights, shape (n,)."""
    return np.ones(len(design.y)) if design.weights is None else np.sqrt(design.weights)


def _with_rows(design: Design) -> Basis:
    n, p = design.x.shape
    root = _root(design)
    columns = np.stack(distinct(design)[0], axis=1) * root[:, None]
    kept = independent_columns(columns)
    q, r = thin_qr(columns[:, kept])
    size = np.sqrt(n)
    q, r = q * size, r / size
    beta_q, residual, scale = _centre_response(design, q[:, :p], root)
    c, b = zip(
        *(_term(term.names, term.group, term.z * root[:, None], q) for term in design.terms), strict=True
    )
    return Basis(
        GivenRows(q, residual / scale),
        r[:p, :p],
        np.linalg.solve(r[:p, :p], beta_q),
        scale,
        tuple(c),
        tuple(b),
        float(2 * np.log(root).sum()),
    )


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
            "The fixed part predicts the response exactly, so no variation is left for a mixed model."
        )
    return beta + correction, residual, scale


def _term(names: tuple[str, ...], group: str, z: Array, q: Array) -> tuple[Array, Array]:
    return orthonormal(names, group, q.T @ z / len(z))


def orthonormal(names: tuple[str, ...], group: str, coefficients: Array) -> tuple[Array, Array]:
    """A term's effects in the basis (k, q): orthonormal columns, and the way back."""
    kept = independent_columns(coefficients, DEPENDENT)
    if len(kept) < len(names):
        lost = ", ".join(name for j, name in enumerate(names) if j not in kept)
        raise FitError(
            f"The random effects over {group!r} are linearly dependent: {lost} is constant zero or a combination of the "
            "others. Leave it out of the random term."
        )
    return thin_qr(coefficients)
