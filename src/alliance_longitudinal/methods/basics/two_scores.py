"""Two scores per unit, units in groups, groups in larger groups: one likelihood, whatever scores are missing.

``y_k = x_g B_k + u_gk + ... + e_k`` for the scores k = 1, 2, with a 2 by 2 covariance at every level. The units' scores are sums once;
then each level is integrated out by 2 by 2 algebra for all its groups at once: with the precision ``P`` and ``h = P y`` of what lies
below and the covariance ``S`` of the level, ``P -> (I + P S)^-1 P``, ``h -> (I + P S)^-1 h``, and -2 log-likelihood gains
``log det(I + P S) - h' S (I + P S)^-1 h``. A covariance may be singular.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.basics.frames import Codes, Floats


@dataclass(frozen=True, slots=True)
class TwoScores:
    """Sums of the scores of each lowest group, and how groups nest.

    Attributes
    ----------
    counts : ndarray, shape (groups, 3)
        Units with both scores, with the first only, with the second only.
    sums : ndarray, shape (groups, 4)
        Sums of the scores: first and second of units with both, of the first only, of the second only.
    squares : ndarray, shape (5,)
        Over all units: squares and product of those with both, squares of the first only, of the second only.
    parents : tuple of ndarray
        For each level above, the group that each group of the level below belongs to.
    x : ndarray, shape (top groups, q)
        Predictors of the means at the top level.
    kinds : ndarray, shape (kinds, 3)
        The different rows of ``counts``: groups alike in them have the same precision, which is computed once.
    kind : ndarray of int, shape (groups,)
    """

    counts: Floats
    sums: Floats
    squares: Floats
    parents: tuple[Codes, ...]
    x: Floats
    kinds: Floats
    kind: Codes

    @property
    def levels(self) -> int:
        """Levels of groups above the units."""
        return 1 + len(self.parents)

    @property
    def scores(self) -> int:
        """Number of scores that are there."""
        return int(2 * self.counts[:, 0].sum() + self.counts[:, 1:].sum())


def two_scores(
    first: Floats, second: Floats, lowest: Codes, parents: tuple[Codes, ...], x: Floats
) -> TwoScores:
    """Sum up units; a missing score is NaN, and units without any are left out.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
    lowest : ndarray of int, shape (n,)
        Lowest group of each unit.
    """
    groups = len(parents[0]) if parents else len(x)
    a, b = ~np.isnan(first), ~np.isnan(second)
    kinds = (a & b, a & ~b, b & ~a)
    y1, y2 = np.nan_to_num(first), np.nan_to_num(second)

    def add(values: Floats, rows: NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(lowest[rows], values[rows], groups), dtype=np.float64)

    counts = np.column_stack([np.bincount(lowest[k], minlength=groups).astype(float) for k in kinds])
    sums = np.column_stack([add(y1, kinds[0]), add(y2, kinds[0]), add(y1, kinds[1]), add(y2, kinds[2])])
    both = kinds[0]
    squares = np.array(
        [
            y1[both] @ y1[both],
            y1[both] @ y2[both],
            y2[both] @ y2[both],
            y1[kinds[1]] @ y1[kinds[1]],
            y2[kinds[2]] @ y2[kinds[2]],
        ]
    )
    rows, kind = np.unique(counts, axis=0, return_inverse=True)
    return TwoScores(counts, sums, squares, parents, x, rows, kind.ravel().astype(np.int64))


@dataclass(frozen=True, slots=True)
class Solved:
    """The likelihood at given covariances.

    Attributes
    ----------
    deviance : float
        -2 log-likelihood (restricted if asked for).
    beta : ndarray, shape (2, q)
        Coefficients of each score.
    cov : ndarray, shape (2 q, 2 q)
        Their covariance, the first score's first.
    """

    deviance: float
    beta: Floats
    cov: Floats


def solve(data: TwoScores, unit: Floats, levels: "list[Floats]", reml: bool) -> Solved:
    """Likelihood and coefficients at the covariance of units (positive definite) and of each level, lowest first."""
    q = data.x.shape[1]
    parts = quadratic(data, unit, levels)
    if parts is None:
        return Solved(np.inf, np.zeros((2, q)), np.zeros((2 * q,) * 2))
    deviance, right, information = parts
    cov = np.asarray(np.linalg.inv(information), dtype=np.float64)
    beta = cov @ right
    deviance -= float(right @ beta)
    if reml:
        deviance += float(np.linalg.slogdet(information)[1]) - 2 * q * np.log(2 * np.pi)
    return Solved(deviance, beta.reshape(2, q), cov)


def quadratic(data: TwoScores, unit: Floats, levels: "list[Floats]") -> "tuple[float, Floats, Floats] | None":
    """-2 log-likelihood as ``c - 2 r' b + b' I b`` of the coefficients b: ``c, r, I``; None if the units' covariance is none."""
    det = float(unit[0, 0] * unit[1, 1] - unit[0, 1] ** 2)
    if not (det > 0 and unit[0, 0] > 0):
        return None
    inverse = np.array([[unit[1, 1], -unit[0, 1]], [-unit[0, 1], unit[0, 0]]]) / det
    one, two = 1 / unit[0, 0], 1 / unit[1, 1]
    n = data.counts.sum(axis=0)
    p = data.kinds[:, 0, None, None] * inverse
    p[:, 0, 0] += data.kinds[:, 1] * one
    p[:, 1, 1] += data.kinds[:, 2] * two
    h = data.sums[:, :2] @ inverse
    h[:, 0] += data.sums[:, 2] * one
    h[:, 1] += data.sums[:, 3] * two
    s = data.squares
    deviance = n[0] * np.log(det) + n[1] * np.log(unit[0, 0]) + n[2] * np.log(unit[1, 1])
    deviance += (
        inverse[0, 0] * s[0] + 2 * inverse[0, 1] * s[1] + inverse[1, 1] * s[2] + one * s[3] + two * s[4]
    )
    deviance += data.scores * np.log(2 * np.pi)
    kind: Codes | None = data.kind  # above the lowest level every group has a precision of its own
    for level, parent in zip(levels, (*data.parents, None), strict=True):
        p, h, change = _integrate(p, h, level, kind)
        deviance += change
        if kind is not None:
            p, kind = p[kind], None
        if parent is not None:
            p, h = _collect(p, parent), _collect(h, parent)
    q = data.x.shape[1]
    information = np.einsum("gij,ga,gb->iajb", p, data.x, data.x).reshape(2 * q, 2 * q)
    return float(deviance), np.einsum("gi,ga->ia", h, data.x).reshape(2 * q), information


def _integrate(p: Floats, h: Floats, cov: Floats, kind: Codes | None) -> tuple[Floats, Floats, float]:
    """Precisions of the kinds, ``h`` of the groups, and what -2 log-likelihood gains."""
    inner = np.eye(2) + p @ cov
    det = inner[:, 0, 0] * inner[:, 1, 1] - inner[:, 0, 1] * inner[:, 1, 0]
    inverse = np.empty_like(inner)
    inverse[:, 0, 0], inverse[:, 1, 1] = inner[:, 1, 1], inner[:, 0, 0]
    inverse[:, 0, 1], inverse[:, 1, 0] = -inner[:, 0, 1], -inner[:, 1, 0]
    inverse /= det[:, None, None]
    own, log_det = inverse, np.log(det)
    if kind is not None:
        own, log_det = inverse[kind], log_det[kind]
    new_h = np.empty_like(h)
    for i in (0, 1):
        new_h[:, i] = own[:, i, 0] * h[:, 0] + own[:, i, 1] * h[:, 1]
    return inverse @ p, new_h, float(log_det.sum() - np.vdot(h @ cov, new_h))


def _collect(values: Floats, parent: Codes) -> Floats:
    flat = values.reshape(len(values), -1)
    out = np.column_stack([np.bincount(parent, column) for column in flat.T])
    return np.asarray(out.reshape(-1, *values.shape[1:]), dtype=np.float64)
