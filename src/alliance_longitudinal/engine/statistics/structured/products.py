"""Cross-products ``U'R^-1 U`` of every innermost group, with two derivatives in the residual structure's parameters.

The inverse of ``R`` is tridiagonal in a group, so that the cross-products are sums over rows and neighbouring rows, times
functions of the gap and of the strata (engine notes on lag-sufficient statistics; Pinheiro and Bates 2000, section 5.3, give
the transformation row by row). With few distinct gaps the sums are taken once, and an evaluation touches no row.
"""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.statistics.structured.correlation import Curve, neighbours
from alliance_longitudinal.engine.statistics.structured.pattern import Pattern

#: Sums are kept when they are at most this many times the rows.
KEPT_PER_ROW = 4
#: Digits, in median gaps, to which two gaps are the same: more is lost when large times are subtracted.
_SAME_GAP = 10


@dataclass(frozen=True, slots=True)
class Classes:
    """Kinds of summands, each with one coefficient.

    Attributes
    ----------
    lags : ndarray, shape (L,)
        Distinct gaps.
    gap : ndarray of int, shape (n,)
        Which of them lies before each row; -1 on first rows.
    exponents : ndarray, shape (A, H - 1)
        How often the coefficient is divided by each other stratum's ratio of standard deviations.
    curve : ndarray of int, shape (A, 2)
        Which function of the gap (0: one, 1: ``g``, 2: ``-h``), and which gap.
    """

    lags: Array
    gap: Index
    exponents: Array
    curve: Index


@dataclass(frozen=True, slots=True)
class Products:
    """Rows and, where it pays, their sums.

    Attributes
    ----------
    pattern : Pattern
    classes : Classes
    u : ndarray, shape (n, k)
        Basis and response, rows as in the pattern.
    sums : ndarray, shape (A, J, k, k), or None
    """

    pattern: Pattern
    classes: Classes
    u: Array
    sums: Array | None

    def at(self, tau: Array, order: int) -> tuple[Array, Array, Array]:
        """Cross-products (J, k, k) and derivatives (J, m, k, k), (J, m(m+1)/2, k, k), pairs row by row of the triangle."""
        m = self.pattern.size
        counts = (1, 1 + m, 1 + m + m * (m + 1) // 2)[order]
        stack = self._by_sums(tau, counts) if self.sums is not None else self._by_rows(tau, counts)
        stack = np.moveaxis(stack, 0, 1)
        return stack[:, 0], stack[:, 1 : 1 + m], stack[:, 1 + m :]

    def with_response(self, y: Array) -> "Products":
        """The same for another response (rows as in the pattern)."""
        u = np.column_stack([self.u[:, :-1], y])
        sums = None if self.sums is None else self.sums.copy()
        if sums is not None:
            _fill(sums, self.pattern, self.classes, u, [(a, u.shape[1] - 1) for a in range(u.shape[1])])
        return replace(self, u=u, sums=sums)

    def _by_sums(self, tau: Array, counts: int) -> Array:
        assert self.sums is not None
        c = self.classes
        curves = _curves(self.pattern, c.lags, tau)
        which, gap = c.curve.T
        parts = [np.where(which == 0, x0, np.where(which == 1, x1[gap], -x2[gap])) for x0, x1, x2 in curves]
        weights = coefficients(Curve(*parts), c.exponents, tau, self.pattern.correlated)[:counts]
        flat = self.sums.reshape(len(self.sums), -1)
        return np.asarray((weights @ flat).reshape(counts, *self.sums.shape[1:]))

    def _by_rows(self, tau: Array, counts: int) -> Array:
        pattern, u = self.pattern, self.u
        one_hot = np.eye(len(pattern.strata))[:, 1:]
        own = one_hot[pattern.stratum]
        before = np.roll(own, 1, axis=0)
        last = np.roll(pattern.first, -1)
        diagonal, beside = [], []
        for x0, x1, x2 in _curves(pattern, pattern.lag, tau):
            g = np.where(pattern.first, 0.0, x1)
            diagonal.append(x0 + g + np.where(last, 0.0, np.roll(g, -1)))
            beside.append(np.where(pattern.first, 0.0, x2))
        on = coefficients(Curve(*diagonal), 2 * own, tau, pattern.correlated)[:counts]
        off = coefficients(Curve(*beside), own + before, tau, pattern.correlated)[:counts]
        k = u.shape[1]
        out = np.empty((counts, len(pattern.starts) - 1, k, k))
        previous = np.roll(u, 1, axis=0)
        for a in range(k):
            for b in range(a + 1):
                cross = u[:, a] * previous[:, b] + u[:, b] * previous[:, a]
                summed = np.add.reduceat(on * (u[:, a] * u[:, b]) - off * cross, pattern.starts[:-1], axis=1)
                out[:, :, a, b] = out[:, :, b, a] = summed
        return out


def build_products(pattern: Pattern, u: Array) -> Products:
    """Cross-products of rows that are in the pattern's order."""
    classes = _classes(pattern)
    groups, k = len(pattern.starts) - 1, u.shape[1]
    if len(classes.curve) * groups > KEPT_PER_ROW * len(u):
        return Products(pattern, classes, u, None)
    sums = np.zeros((len(classes.curve), groups, k, k))
    _fill(sums, pattern, classes, u, [(a, b) for b in range(k) for a in range(b + 1)])
    return Products(pattern, classes, u, sums)


def coefficients(curve: Curve, exponents: Array, tau: Array, correlated: bool) -> Array:
    """Coefficients ``f(psi) exp(-exponents . tau)`` with derivatives, shape (1 + m + m(m+1)/2, A)."""
    ratios = tau[1:] if correlated else tau
    w = np.exp(-exponents @ ratios)
    e = exponents.T
    value, slope, bend = w * curve.value, w * curve.first, w * curve.second
    first = [slope] if correlated else []
    first += list(-e * value)
    second = []
    for i in range(len(tau)):
        for j in range(i + 1):
            if correlated and i == 0:
                second.append(bend)
            elif correlated and j == 0:
                second.append(-e[i - 1] * slope)
            else:
                second.append(e[i - correlated] * e[j - correlated] * value)
    return np.stack([value, *first, *second])


def log_determinant(products: Products, tau: Array) -> tuple[float, Array, Array]:
    """``log|R|`` of all groups together, its gradient (m,) and Hessian (m, m)."""
    pattern, c = products.pattern, products.classes
    rows = np.bincount(pattern.stratum, minlength=len(pattern.strata))[1:]
    gradient, hessian = np.zeros(pattern.size), np.zeros((pattern.size, pattern.size))
    ratios = tau[1:] if pattern.correlated else tau
    value = float(2 * rows @ ratios)
    gradient[len(gradient) - len(rows) :] = 2 * rows
    if pattern.correlated:
        count = np.bincount(c.gap[c.gap >= 0], minlength=len(c.lags))
        log = neighbours(pattern.structure, float(tau[0]), c.lags).log
        value += float(count @ log.value)
        gradient[0], hessian[0, 0] = count @ log.first, count @ log.second
    return value, gradient, hessian


def _curves(pattern: Pattern, lags: Array, tau: Array) -> list[tuple[float, Array, Array]]:
    """The functions one, ``g`` and ``h`` at the lags: their values, first and second derivatives."""
    if not pattern.correlated:
        none = np.zeros(max(len(lags), 1))
        return [(1.0, none, none), (0.0, none, none), (0.0, none, none)]
    with np.errstate(
        divide="ignore", invalid="ignore", over="ignore"
    ):  # first rows have no lag; they are not used
        n = neighbours(pattern.structure, float(tau[0]), lags)
    return [
        (1.0, n.g.value, n.h.value),
        (0.0, n.g.first, n.h.first),
        (0.0, n.g.second, n.h.second),
    ]


def _classes(pattern: Pattern) -> Classes:
    one_hot = np.eye(len(pattern.strata))[:, 1:]
    levels = range(len(pattern.strata))
    exponents = [2 * one_hot[h] for h in levels]
    curve = [(0, 0) for _ in levels]
    gap = np.full(len(pattern.first), -1, dtype=np.intp)
    lags = np.zeros(0)
    if pattern.correlated:
        gaps = pattern.lag[~pattern.first]
        same = np.unique(np.round(gaps, _SAME_GAP), return_inverse=True)[1]
        gap[~pattern.first] = same
        lags = np.bincount(same, gaps) / np.bincount(same)
        exponents += [2 * one_hot[h] for h in levels for _ in lags]
        curve += [(1, g) for _ in levels for g in range(len(lags))]
        exponents += [one_hot[h] + one_hot[i] for h in levels for i in levels for _ in lags]
        curve += [(2, g) for _ in levels for _ in levels for g in range(len(lags))]
    return Classes(lags, gap, np.array(exponents), np.array(curve, dtype=np.intp))


def _fill(sums: Array, pattern: Pattern, classes: Classes, u: Array, pairs: list[tuple[int, int]]) -> None:
    """Sums of the given pairs of columns, in place."""
    groups, strata, lags = len(pattern.starts) - 1, len(pattern.strata), len(classes.lags)
    group = np.repeat(np.arange(groups), np.diff(pattern.starts))
    own, later = pattern.stratum, ~pattern.first
    place = own * groups + group
    here = np.flatnonzero(later)
    before = here - 1
    gap = classes.gap[here]
    for a, b in pairs:
        square = u[:, a] * u[:, b]
        sums[:strata, :, a, b] = np.bincount(place, square, strata * groups).reshape(strata, groups)
        if lags:
            on = np.zeros(strata * lags * groups)
            for rows in (here, before):
                on += np.bincount((own[rows] * lags + gap) * groups + group[here], square[rows], len(on))
            cross = u[here, a] * u[before, b] + u[here, b] * u[before, a]
            at = ((own[here] * strata + own[before]) * lags + gap) * groups + group[here]
            off = np.bincount(at, cross, strata * strata * lags * groups)
            sums[strata:, :, a, b] = np.concatenate([on, off]).reshape(-1, groups)
        sums[:, :, b, a] = sums[:, :, a, b]
