"""Effects with a known variance, and what a model of them needs at given variances between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.basics.frames import Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """Effects with their sampling variances.

    The covariance of the effects is ``diag(v) + b I + a J``: ``b`` between the effects, ``a`` between studies, ``J`` one
    where two effects are of one study.

    Attributes
    ----------
    y, v : ndarray, shape (k,)
    x : ndarray, shape (k, p)
    study : ndarray of int, shape (k,)
        Codes 0, 1, ...; each effect its own where there is one level only.
    """

    y: Floats
    v: Floats
    x: Floats
    study: NDArray[np.int64]

    @property
    def studies(self) -> int:
        """Number of studies."""
        return int(self.study.max()) + 1

    def sums(self, columns: Floats) -> Floats:
        """Sums of rows by study: (k, m) to (G, m)."""
        return np.column_stack([np.bincount(self.study, column, self.studies) for column in columns.T])

    def solve(self, a: float, b: float, columns: Floats) -> Floats:
        """The inverse covariance times ``columns``, shape (k, m)."""
        w = 1 / (self.v + b)
        out = w[:, None] * columns
        if a:
            shrink = a / (1 + a * np.bincount(self.study, w, self.studies))
            out = out - w[:, None] * (shrink[:, None] * self.sums(out))[self.study]
        return out

    def log_determinant(self, a: float, b: float) -> float:
        """Of the covariance of the effects."""
        w = 1 / (self.v + b)
        return float(
            np.sum(np.log(self.v + b)) + np.sum(np.log1p(a * np.bincount(self.study, w, self.studies)))
        )


@dataclass(frozen=True, slots=True)
class Point:
    """The model at given variances.

    Attributes
    ----------
    llf : float
        (Restricted) log-likelihood, with the constants of R's metafor.
    beta : ndarray, shape (p,)
    cov : ndarray, shape (p, p)
        Inverse of ``X'V^-1 X``.
    quadratic : float
        ``y'P y``.
    gradient : ndarray, shape (2,)
        Of ``llf`` in ``a`` and ``b``.
    information : ndarray, shape (2, 2)
        Average information (Gilmour, Thompson & Cullis 1995).
    """

    llf: float
    beta: Floats
    cov: Floats
    quadratic: float
    gradient: Floats
    information: Floats


def at(e: Evidence, a: float, b: float, reml: bool) -> Point:
    """Coefficients, likelihood and its derivatives at the variances ``a`` between studies and ``b`` between effects."""
    k, p = e.x.shape
    solved_x = e.solve(a, b, e.x)
    precision = e.x.T @ solved_x
    cov: Floats = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    beta = cov @ (solved_x.T @ e.y)

    def project(columns: Floats) -> Floats:
        inner = e.solve(a, b, columns)
        return inner - solved_x @ (cov @ (solved_x.T @ columns))

    py = project(e.y[:, None])
    moved = np.column_stack([e.sums(py)[e.study], py])  # J P y and P y
    information = moved.T @ project(moved) / 2
    w = 1 / (e.v + b)
    s = np.bincount(e.study, w, e.studies)
    traces = np.array(
        [np.sum(s / (1 + a * s)), np.sum(w) - a * np.sum(np.bincount(e.study, w**2, e.studies) / (1 + a * s))]
    )
    if reml:
        by_study = e.sums(solved_x)
        traces -= [np.sum((by_study.T @ by_study) * cov), np.sum((solved_x.T @ solved_x) * cov)]
    quadratic = float(e.y @ py[:, 0])
    llf = -0.5 * (e.log_determinant(a, b) + quadratic + (k - p * reml) * np.log(2 * np.pi))
    if reml:
        llf += 0.5 * (np.linalg.slogdet(e.x.T @ e.x)[1] - np.linalg.slogdet(precision)[1])
    gradient = -0.5 * (traces - moved.T @ py[:, 0])
    return Point(float(llf), beta, cov, quadratic, gradient, information)
