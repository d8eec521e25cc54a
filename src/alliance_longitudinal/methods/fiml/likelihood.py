"""The normal likelihood in the space of mean and covariance, with its derivatives, summed over patterns once.

A model is any object with ``moments`` and ``derivatives`` (`Model`). The second derivatives of the likelihood by the p
means and the p (p + 1) / 2 covariances are one matrix, which is made by a few products over all patterns at once; a
model with q parameters then only multiplies it by its Jacobian. With ``W = Sigma_oo^-1``, ``d = m_o - mu_o`` and ``T = S +
d d'`` of each pattern (Enders 2010, chapter 4; Savalei 2010, doi 10.1037/a0020143).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.fiml.patterns import Floats, Patterns

Information = Literal["observed", "expected"]
Index = NDArray[np.intp]


class Model(Protocol):
    """A model of q parameters for the mean (p,) and the covariance (p, p)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the q parameters."""

    @property
    def start(self) -> Floats:
        """Where the search begins, shape (q,)."""

    def moments(self, free: Floats) -> tuple[Floats, Floats]:
        """Mean (p,) and covariance (p, p)."""

    def derivatives(self, free: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the mean (q, p) and of the covariance (q, p, p)."""

    def pull(self, free: Floats, by_mean: Floats, by_cov: Floats) -> Floats:
        """The gradient (q,) of a function with gradients ``by_mean`` (p,) and symmetric ``by_cov`` (p, p)."""


@dataclass(frozen=True, slots=True)
class Point:
    """The likelihood at one mean and covariance.

    Attributes
    ----------
    deviance : float
        -2 log-likelihood; infinite where the covariance is not positive definite.
    by_mean, by_cov : float array, shape (p,), (p, p)
        Its gradient.
    information : float array, shape (p + p (p + 1) / 2,) twice
        Second derivatives of deviance / 2 by the means and the lower triangle of the covariances; empty if not asked for.
    """

    deviance: float
    by_mean: Floats
    by_cov: Floats
    information: Floats


@dataclass(frozen=True, slots=True)
class Local:
    """Deviance, its gradient (q,), and the information (q, q) of the deviance / 2 at one point."""

    deviance: float
    gradient: Floats
    information: Floats


@lru_cache(maxsize=64)
def triangle(p: int) -> tuple[Index, Index, Index, Floats]:
    """Rows and columns of the lower triangle, the place of each cell in it (p, p), and how often each cell counts."""
    i, j = np.tril_indices(p)
    place = np.zeros((p, p), dtype=np.intp)
    place[i, j] = place[j, i] = np.arange(len(i))
    return i, j, place, np.where(i == j, 1.0, 2.0)


@lru_cache(maxsize=8)
def _pairings(p: int) -> tuple[Index, Index, Floats]:
    """Of two cells (i, k) and (j, l) of the triangle: places of the pairs (i, j), (k, l) and (i, l), (k, j), and their weight."""
    i, k, place, times = triangle(p)
    wide = np.intp(len(i))
    first = place[i[:, None], i] * wide + place[k[:, None], k]
    second = place[i[:, None], k] * wide + place[k[:, None], i]
    return first, second, np.outer(times, times) / 4


def inverses(data: Patterns, cov: Floats) -> tuple[Floats, Floats] | None:
    """Inverse (K, p, p), zero where a column is missing, and log determinant (K,) of each pattern's covariance.

    None where one is not positive definite.
    """
    seen = data.stack.seen
    own = cov * (seen[:, :, None] & seen[:, None, :])
    at = np.arange(data.p)
    own[:, at, at] += ~seen
    try:
        root = np.linalg.cholesky(own)
    except np.linalg.LinAlgError:
        return None
    weight: Floats = np.asarray(np.linalg.inv(own))
    weight[:, at, at] *= seen  # a missing column's row holds nothing else
    return weight, 2 * np.log(root[:, at, at]).sum(axis=1)


def _offs(data: Patterns, mean: Floats) -> tuple[Floats, Floats]:
    stack = data.stack
    off = np.where(stack.seen, stack.mean - mean, 0.0)
    return off, stack.cov + off[:, :, None] * off[:, None, :]


def deviance(data: Patterns, mean: Floats, cov: Floats) -> float:
    """-2 log-likelihood at ``mean`` (p,) and ``cov`` (p, p); infinite where ``cov`` is not positive definite."""
    found = inverses(data, cov)
    if found is None:
        return float("inf")
    return _deviance(data, *found, _offs(data, mean)[1])


def _deviance(data: Patterns, weight: Floats, log_det: Floats, spread: Floats) -> float:
    known = data.stack.seen.sum(axis=1) * np.log(2 * np.pi)
    return float(data.stack.n @ (known + log_det + np.einsum("kij,kij->k", weight, spread)))


def independence_deviance(data: Patterns) -> float:
    """-2 log-likelihood of the model in which no two columns are related."""
    return deviance(data, data.mean, np.diag(data.variance))


def point(data: Patterns, mean: Floats, cov: Floats, information: Information | None = None) -> Point:
    """The likelihood at one mean (p,) and covariance (p, p).

    Gradient by Sigma ``n (W - W T W)``, by mu ``-2 n W d``; of the deviance / 2, the second derivative by two covariances in
    directions A and B is ``n (2 tr(A W B R) - tr(A W B W)) / 2`` made symmetric, with ``R = W T W`` (in expectation ``W``), by
    a mean and a covariance ``n m' W A W d`` (in expectation zero), by two means ``n W``.
    """
    p, n = data.p, data.stack.n
    found = inverses(data, cov)
    if found is None:
        return Point(float("inf"), np.zeros(p), np.zeros((p, p)), np.eye(p + p * (p + 1) // 2))
    weight, log_det = found
    off, spread = _offs(data, mean)
    right = weight @ spread @ weight
    pull = np.einsum("kij,kj->ki", weight, off)
    by_mean = -2 * n @ pull
    by_cov = np.einsum("k,kij->ij", n, weight - right)
    info = np.empty((0, 0))
    if information == "expected":
        info = _information(n, weight, weight, np.zeros_like(pull))
    elif information == "observed":
        info = _information(n, weight, (right + right.transpose(0, 2, 1)) / 2, pull)
    return Point(_deviance(data, weight, log_det, spread), by_mean, (by_cov + by_cov.T) / 2, info)


def _information(n: Floats, weight: Floats, right: Floats, pull: Floats) -> Floats:
    """Second derivatives in the space of means and covariances."""
    p = weight.shape[1]
    i, j, _, times = triangle(p)
    first, second, counts = _pairings(p)
    low = weight[:, i, j]
    pairs = (low * n[:, None]).T @ low
    if right is not weight:
        cross = (low * n[:, None]).T @ right[:, i, j]
        pairs = cross + cross.T - pairs
    out = np.empty((p + len(i), p + len(i)))
    out[p:, p:] = (pairs.take(first) + pairs.take(second)) * counts
    out[:p, :p] = np.einsum("k,kij->ij", n, weight)
    mixed = np.tensordot(weight * n[:, None, None], pull, axes=(0, 0))  # by mean, row, column
    out[:p, p:] = (mixed[:, i, j] + mixed[:, j, i]) * times / 2
    out[p:, :p] = out[:p, p:].T
    return out


def local(data: Patterns, model: Model, free: Floats, information: bool | Information = True) -> Local:
    """Deviance with derivatives by the parameters of a model; ``True`` stands for the expected information."""
    kind: Information | None = (
        information if isinstance(information, str) else "expected" if information else None
    )
    mean, cov = model.moments(free)
    at = point(data, mean, cov, kind)
    q = len(free)
    if not np.isfinite(at.deviance):
        return Local(float("inf"), np.zeros(q), np.eye(q))
    gradient = model.pull(free, at.by_mean, at.by_cov)
    if kind is None:
        return Local(at.deviance, gradient, np.zeros((q, q)))
    slopes = jacobian(model, free)
    info = slopes @ at.information @ slopes.T
    if kind == "observed":
        info += _curvature(model, free, at)
    return Local(at.deviance, gradient, (info + info.T) / 2)


def jacobian(model: Model, free: Floats) -> Floats:
    """Derivatives of the means and the lower triangle of the covariances, shape (q, p + p (p + 1) / 2)."""
    d_mean, d_cov = model.derivatives(free)
    i, j, _, _ = triangle(d_mean.shape[1])
    return np.hstack([d_mean, d_cov[:, i, j]])


def _curvature(model: Model, free: Floats, at: Point) -> Floats:
    """What the bend of the model adds to the observed information: differences of the gradient in the moments held fixed."""
    q = len(free)
    out = np.empty((q, q))
    for k in range(q):
        size = 1e-5 * max(abs(free[k]), 0.1)
        step = np.zeros(q)
        step[k] = size
        up = model.pull(free + step, at.by_mean, at.by_cov)
        out[k] = (up - model.pull(free - step, at.by_mean, at.by_cov)) / (4 * size)
    return out
