"""Coordinates in which the share of some random effects in the total variance is a coordinate of its own.

The share is ``Q / (Q + N)`` with ``Q = x'Ax`` of the chosen terms' factors and ``N`` of the others and the residual, in
residual variances. The coordinate ``h``, the arc sine of the share's root, fixes it:

- With a residual, ``N`` is never zero: the chosen entries are stretched by ``tan(h) sqrt(N / Q)``, and ``Q`` is held near 1.
- Without one a share of 1 is possible as well: the chosen entries are stretched by ``sin(h)``, the others by
  ``cos(h) sqrt(Q / N)``, and ``N`` is held near 1. Both ends of the range are then ordinary points.

Where a variance does not count all effects of a term, as at one value of a covariate, the term is turned so that those that
count come first; only their rows are stretched, so that a share of zero leaves the other effects what they are.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Mask
from alliance_longitudinal.engine.inference.charts import Chart, Placed, offsets, turned
from alliance_longitudinal.engine.search.theta import Face

#: Eigenvalues of a term's weights below this share of the largest one are zero.
_FLAT = 1e-10
#: A variance this small, in residual variances, is zero at the start of a search.
_TINY = 1e-12
#: Below this a variance has no logarithm that could be worked with.
_NIL = 1e-200


@dataclass(frozen=True, slots=True)
class Rest:
    """What the residual adds to the total variance, in residual variances of the reference stratum.

    Attributes
    ----------
    constant : float
    strata : tuple of float
        Weights of the squared ratios of the other strata's standard deviations, whose logarithms are the last
        coordinates of the residual structure.
    """

    constant: float
    strata: tuple[float, ...] = ()

    @property
    def none(self) -> bool:
        """Whether the residual has no part in the total."""
        return not self.constant and not self.strata

    def at(self, x: Array, extra: int) -> tuple[float, Array]:
        """Value, and half its gradient (half its second derivatives, on the diagonal, are twice that)."""
        half = np.zeros(len(x))
        places = slice(extra - len(self.strata), extra)
        half[places] = np.asarray(self.strata) * np.exp(2 * x[places])
        return self.constant + float(half.sum()), half


@dataclass(frozen=True, slots=True)
class _Forms:
    """Quadratic forms in the stacked factors, of the chosen terms and of the others, and the entries that count in each."""

    inner: Array
    outer: Array
    mine: Mask
    others: Mask
    rest: Rest
    extra: int

    def sizes(self, x: Array) -> tuple[float, float]:
        """``Q`` and ``N``."""
        return float(x @ self.inner @ x), self.rest.at(x, self.extra)[0] + float(x @ self.outer @ x)

    def log_ratio(self, x: Array) -> tuple[float, Array, Array]:
        """``sqrt(N / Q)`` and the derivatives of its logarithm; not numbers where either is zero."""
        m = len(x)
        q, n = self.sizes(x)
        if not (q > _NIL and n > _NIL):  # also where a trial step left the space of parameters
            return np.nan, np.full(m, np.nan), np.full((m, m), np.nan)
        _, half = self.rest.at(x, self.extra)
        of_q, of_n = self.inner @ x / q, (self.outer @ x + half) / n
        curve = (self.outer + np.diag(2 * half)) / n
        bend = curve - self.inner / q - 2 * np.outer(of_n, of_n) + 2 * np.outer(of_q, of_q)
        return float(np.sqrt(n / q)), of_n - of_q, bend


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A factor by which some entries are stretched, with its derivatives in all coordinates."""

    entries: Mask
    by: float
    gradient: Array
    bend: Array


def share(face: Face, chosen: list[int], weights: list[Array], rest: Rest) -> Chart:
    """Chart of the share of some terms in the total variance; the coordinate is the arc sine of its root.

    Parameters
    ----------
    chosen : list of int
        Terms whose share it is; at least one of their weights is not zero.
    weights : list of ndarray, shape (q_t, q_t)
        ``M`` of each term: its variance is ``tr(M D)`` residual variances.
    rest : Rest
    """
    forms, turn = _forms(face, chosen, weights, rest)
    gauge = forms.outer if rest.none else forms.inner

    def place(u: Array) -> Placed:
        x, h = u[:-1], float(u[-1])
        if rest.none:
            ratio, gradient, bend = forms.log_ratio(x)
            others = _product(forms.others, _cosine(h), 1 / ratio, -gradient, -bend)
            return _placed(x, [_sine(forms.mine, h, len(u)), others])
        return _placed(x, [_product(forms.mine, _tangent(h), *forms.log_ratio(x))])

    def start(relative: list[Array], _: float, extra: Array) -> Array:
        x = face.pack(turned(relative, turn), extra)
        q, n = forms.sizes(x)
        h = float(np.arcsin(np.sqrt(q / (q + n))))
        unit = face.pack([np.eye(size) for size in face.sizes], extra)
        if q < _TINY:  # only the direction counts
            x = np.where(forms.mine, unit, x)
        if rest.none and n < _TINY:
            x = np.where(forms.others, unit, x)
        x = np.where(forms.mine, x / np.sqrt(x @ forms.inner @ x), x)
        if rest.none:  # the total as the size of the chosen, the others of size one
            x = np.where(forms.mine, np.sqrt(q + n) * x, x)
            x = np.where(forms.others, x / np.sqrt(x @ forms.outer @ x), x)
        return np.array([*x, h])

    return Chart(face, turn, place, start, lambda h: float(np.sin(h) ** 2), 0.0, np.pi / 2, gauge)


def _tangent(h: float) -> tuple[float, float, float]:
    """Tangent and its two derivatives."""
    tan, sec2 = np.tan(h), 1 / np.cos(h) ** 2
    return tan, sec2, 2 * tan * sec2


def _cosine(h: float) -> tuple[float, float, float]:
    """Cosine and its two derivatives; exactly zero at the end of the range."""
    cos = np.cos(h) if h < np.pi / 2 else 0.0
    return cos, -np.sin(h), -cos


def _sine(entries: Mask, h: float, d: int) -> _Stretch:
    """Stretch by the sine of the last coordinate."""
    gradient, bend = np.zeros(d), np.zeros((d, d))
    gradient[-1], bend[-1, -1] = np.cos(h), -np.sin(h)
    return _Stretch(entries, float(np.sin(h)), gradient, bend)


def _product(
    entries: Mask, of_h: tuple[float, float, float], size: float, gradient: Array, bend: Array
) -> _Stretch:
    """Stretch by a function of the last coordinate times one of the others, given by its logarithm's derivatives."""
    m = len(gradient)
    value, slope, curve = of_h
    second = np.zeros((m + 1, m + 1))
    second[:m, :m] = value * size * (np.outer(gradient, gradient) + bend)
    second[:m, -1] = second[-1, :m] = slope * size * gradient
    second[-1, -1] = curve * size
    return _Stretch(entries, value * size, np.append(value * size * gradient, slope * size), second)


def _placed(x: Array, stretches: list[_Stretch]) -> Placed:
    m = len(x)
    factor, jacobian, bend = x.copy(), np.zeros((m, m + 1)), np.zeros((m, m + 1, m + 1))
    jacobian[:, :m] = np.eye(m)
    for s in stretches:
        for k in np.flatnonzero(s.entries):
            factor[k] = s.by * x[k]
            jacobian[k, k] = s.by
            jacobian[k] += x[k] * s.gradient
            bend[k] = x[k] * s.bend
            bend[k, k] += s.gradient
            bend[k, :, k] += s.gradient
    return Placed(factor, jacobian, bend)


def _forms(
    face: Face, chosen: list[int], weights: list[Array], rest: Rest
) -> tuple[_Forms, dict[int, Array]]:
    m, at = face.dimension, offsets(face)
    form = {True: np.zeros((m, m)), False: np.zeros((m, m))}  # of the chosen, of the others
    counted = {True: np.zeros(m, dtype=bool), False: np.zeros(m, dtype=bool)}
    turn: dict[int, Array] = {}
    for t, weight in enumerate(weights):
        mine, rank = t in chosen, face.sizes[t]
        if mine or rest.none:
            weight, rank = _first(weight, t, turn)
        for a, (i, k) in enumerate(face.places(t)):
            counted[mine][at[t] + a] = i < rank
            for b, (j, v) in enumerate(face.places(t)):
                if k == v:
                    form[mine][at[t] + a, at[t] + b] = weight[i, j]
    return _Forms(form[True], form[False], counted[True], counted[False], rest, face.extra), turn


def _first(weight: Array, t: int, turn: dict[int, Array]) -> tuple[Array, int]:
    """Weight of a term's effects, turned so that those that count come first, and how many they are."""
    values, vectors = np.linalg.eigh(weight)
    rank = int(np.sum(values > _FLAT * max(float(values[-1]), 1e-300)))
    if rank < len(values):
        turn[t] = vectors[:, ::-1]
        weight = np.diag(np.where(np.arange(len(values)) < rank, values[::-1], 0.0))
    return weight, rank
