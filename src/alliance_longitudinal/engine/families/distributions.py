"""Families: log-density of a response given its linear predictor, with the derivatives that a fit needs.

All of them are log-concave in the linear predictor, so the modes of the random effects are unique. A row stands for
``size`` equal ones: for a binomial response it has ``size`` trials and ``y`` successes, for a Poisson response ``y``
is the sum of the ``size`` counts; for the others it is a frequency.

Notation: ``l`` log-density, ``s = dl/d eta``, ``w = -ds/d eta``, ``wp = dw/d eta``; derivatives in the family's own
parameters (``aux``: log dispersion, or thresholds) are named ``l_a, s_a, w_a``. Sources: McCullagh and Nelder (1989),
chapters 4 to 6; for the ordered response, McCullagh (1980), JRSS B 42:109-142.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy import special

from alliance_longitudinal.engine.arrays import Array

#: Counts up to this are looked up in a table of sums.
_TABLE = 10_000


class Density(NamedTuple):
    """Log-density and derivatives in the linear predictor, all in the shape of the linear predictor."""

    l: Array  # noqa: E741
    s: Array
    w: Array
    wp: Array


class AuxiliaryTerms(NamedTuple):
    """Derivatives in one auxiliary parameter, in the shape of the linear predictor."""

    l: Array  # noqa: E741
    s: Array
    w: Array


class Family(Protocol):
    """What a fit asks of a family; ``y`` and ``size`` broadcast against ``eta``."""

    @property
    def name(self) -> str:
        """As in ``from_formula(family=...)``."""

    @property
    def link(self) -> str:
        """Name of the link."""

    @property
    def adds_up(self) -> bool:
        """Whether rows with equal predictors may be added up, whatever their responses."""

    @property
    def n_aux(self) -> int:
        """Number of auxiliary parameters."""

    def density(self, eta: Array, y: Array, size: Array, aux: Array, /) -> Density:
        """Log-density, up to what does not depend on parameters, and three derivatives."""

    def auxiliary(self, eta: Array, y: Array, size: Array, aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """Derivatives of log-density, score and weight in each auxiliary parameter."""

    def mean(self, eta: Array, aux: Array, /) -> Array:
        """Expected response, shape (n,); for an ordered response probabilities, shape (n, categories)."""

    def draw(self, rng: np.random.Generator, eta: Array, size: Array, aux: Array, /) -> Array:
        """A response for each row."""

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Starting values: auxiliary parameters, and the constant linear predictor of a model without predictors."""


@dataclass(frozen=True, slots=True)
class Logit:
    """Binomial response, logit link."""

    name: str = "binomial"
    link: str = "logit"
    adds_up: bool = True
    n_aux: int = 0

    def density(self, eta: Array, y: Array, size: Array, _aux: Array, /) -> Density:
        """``y eta - size log(1 + exp(eta))``."""
        small = np.exp(-np.abs(eta))  # one exponential serves probability and logarithm
        rest = 1 / (1 + small)
        p = np.where(eta >= 0, rest, small * rest)
        w = size * (small * rest * rest)
        value = y * eta - size * (np.maximum(eta, 0) + np.log1p(small))
        return Density(value, y - size * p, w, w * (1 - 2 * p))

    def auxiliary(self, _eta: Array, _y: Array, _size: Array, _aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """None."""
        return ()

    def mean(self, eta: Array, _aux: Array, /) -> Array:
        """Probability."""
        return np.asarray(special.expit(eta))

    def draw(self, rng: np.random.Generator, eta: Array, size: Array, aux: Array, /) -> Array:
        """Successes among ``size`` trials."""
        return rng.binomial(size.astype(np.int64), self.mean(eta, aux)).astype(float)

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Logit of the overall share."""
        return np.zeros(0), float(special.logit((y.sum() + 0.5) / (size.sum() + 1)))


@dataclass(frozen=True, slots=True)
class Cloglog:
    """Binomial response, complementary log-log link: the grouped-time proportional hazards model."""

    name: str = "binomial"
    link: str = "cloglog"
    adds_up: bool = True
    n_aux: int = 0

    def density(self, eta: Array, y: Array, size: Array, _aux: Array, /) -> Density:
        """``y log(1 - exp(-e)) - (size - y) e`` with ``e = exp(eta)``."""
        e = np.exp(np.minimum(eta, 600.0))
        small, low = e < 1e-2, np.minimum(e, 1e-2)
        with np.errstate(over="ignore"):
            r = np.where(small, 1 - low / 2 + low**2 / 12 - low**4 / 720, e / np.expm1(np.maximum(e, 1e-2)))
        # e + r - 1 without cancellation
        lack = np.where(small, low / 2 + low**2 / 12 - low**4 / 720, e + r - 1)
        rp = -r * lack
        rpp = -rp * lack - r * (e + rp)
        failures = size - y
        log_p = np.log(-np.expm1(-np.maximum(e, 1e-300)))
        value = np.where(y > 0, y * log_p, 0.0) - failures * e
        return Density(value, y * r - failures * e, failures * e - y * rp, failures * e - y * rpp)

    def auxiliary(self, _eta: Array, _y: Array, _size: Array, _aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """None."""
        return ()

    def mean(self, eta: Array, _aux: Array, /) -> Array:
        """Probability."""
        return np.asarray(-np.expm1(-np.exp(np.minimum(eta, 600.0))))

    def draw(self, rng: np.random.Generator, eta: Array, size: Array, aux: Array, /) -> Array:
        """Successes among ``size`` trials."""
        return rng.binomial(size.astype(np.int64), self.mean(eta, aux)).astype(float)

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Link of the overall share."""
        share = (y.sum() + 0.5) / (size.sum() + 1)
        return np.zeros(0), float(np.log(-np.log1p(-share)))


@dataclass(frozen=True, slots=True)
class Poisson:
    """Counts, log link."""

    name: str = "poisson"
    link: str = "log"
    adds_up: bool = True
    n_aux: int = 0

    def density(self, eta: Array, y: Array, size: Array, _aux: Array, /) -> Density:
        """``y eta - size exp(eta)``."""
        mu = size * np.exp(np.minimum(eta, 600.0))
        return Density(y * eta - mu, y - mu, mu, mu)

    def auxiliary(self, _eta: Array, _y: Array, _size: Array, _aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """None."""
        return ()

    def mean(self, eta: Array, _aux: Array, /) -> Array:
        """Expected count."""
        return np.exp(np.minimum(eta, 600.0))

    def draw(self, rng: np.random.Generator, eta: Array, size: Array, aux: Array, /) -> Array:
        """Sum of ``size`` counts."""
        return rng.poisson(size * self.mean(eta, aux)).astype(float)

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Logarithm of the mean."""
        return np.zeros(0), float(np.log((y.sum() + 0.5) / size.sum()))


def _rising(y: Array, theta: float) -> tuple[Array, Array]:
    """``log Gamma(y + theta) - log Gamma(theta) - y log theta``, and its derivative in ``log theta``.

    As sums over ``log(1 + k / theta)``: for a large theta the difference of the gamma functions has lost the digits that a
    search for the dispersion needs.
    """
    top = int(min(y.max(initial=0.0), _TABLE))
    steps = np.arange(top) / theta
    logs, shares = np.zeros(top + 1), np.zeros(top + 1)
    np.cumsum(np.log1p(steps), out=logs[1:])
    np.cumsum(-steps / (1 + steps), out=shares[1:])
    place = np.minimum(y, top).astype(np.intp)
    value, slope = logs[place], shares[place]
    large = y > top
    if large.any():
        far = y[large]
        value[large] = special.gammaln(far + theta) - special.gammaln(theta) - far * np.log(theta)
        slope[large] = theta * (special.digamma(far + theta) - special.digamma(theta)) - far
    return value, slope


@dataclass(frozen=True, slots=True)
class NegativeBinomial:
    """Counts with variance ``mu + mu^2 / theta`` (NB2), log link; the auxiliary parameter is ``log theta``."""

    name: str = "negative-binomial"
    link: str = "log"
    adds_up: bool = False
    n_aux: int = 1

    def density(self, eta: Array, y: Array, size: Array, aux: Array, /) -> Density:
        """Log-density without ``log y!``."""
        theta = np.exp(aux[0])
        eta = np.minimum(eta, 600.0)
        p = special.expit(eta - aux[0])
        log_more = np.logaddexp(0, eta - aux[0])  # log((mu + theta) / theta)
        value = _rising(y, theta)[0] + y * eta - (y + theta) * log_more
        w = (y + theta) * p * (1 - p)
        return Density(size * value, size * (y - (y + theta) * p), size * w, size * w * (1 - 2 * p))

    def auxiliary(self, eta: Array, y: Array, size: Array, aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """Derivatives in ``log theta``."""
        theta = np.exp(aux[0])
        p = special.expit(eta - aux[0])
        variance = p * (1 - p)
        log_rest = -np.logaddexp(0, eta - aux[0])  # log(1 - p)
        value = _rising(y, theta)[1] + theta * (log_rest + p) + y * p
        s = -theta * p + (y + theta) * variance
        w = theta * variance - (y + theta) * variance * (1 - 2 * p)
        return (AuxiliaryTerms(size * value, size * s, size * w),)

    def mean(self, eta: Array, _aux: Array, /) -> Array:
        """Expected count."""
        return np.exp(np.minimum(eta, 600.0))

    def draw(self, rng: np.random.Generator, eta: Array, _size: Array, aux: Array, /) -> Array:
        """A count; rows here stand for themselves only."""
        mean = self.mean(eta, aux)
        if np.isinf(aux[0]):
            return rng.poisson(mean).astype(float)
        theta = float(np.exp(aux[0]))
        return np.asarray(rng.poisson(rng.gamma(theta, mean / theta)), dtype=float)

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Dispersion one, logarithm of the mean."""
        return np.zeros(1), float(np.log((size @ y + 0.5) / size.sum()))


@dataclass(frozen=True, slots=True)
class Ordinal:
    """Ordered categories ``0..K-1``, cumulative logit: ``logit P(Y <= k) = threshold_k - eta``.

    With neighbouring thresholds ``a < b`` around ``eta``, ``P = F(b - eta) (1 - F(a - eta)) (1 - exp(a - b))``, so the
    log-density splits into two logistic terms and one that is free of ``eta``.
    """

    n_aux: int
    name: str = "ordinal"
    link: str = "logit"
    adds_up: bool = False

    def density(self, eta: Array, y: Array, size: Array, aux: Array, /) -> Density:
        """Minus infinity where the thresholds are not in order."""
        low, high, gap = self._around(eta, y, aux)
        p_low, p_high = special.expit(low), special.expit(high)
        v_low, v_high = p_low * (1 - p_low), p_high * (1 - p_high)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_gap = np.where(gap > 0, np.log(-np.expm1(-gap)), -np.inf)
        value = -np.logaddexp(0, -high) - np.logaddexp(0, low) + log_gap
        wp = -v_low * (1 - 2 * p_low) - v_high * (1 - 2 * p_high)
        return Density(size * value, size * (p_low - (1 - p_high)), size * (v_low + v_high), size * wp)

    def auxiliary(self, eta: Array, y: Array, size: Array, aux: Array, /) -> tuple[AuxiliaryTerms, ...]:
        """Derivatives in each threshold: as upper one of its category, as lower one of the next."""
        low, high, gap = self._around(eta, y, aux)
        p_low, p_high = special.expit(low), special.expit(high)
        v_low, v_high = p_low * (1 - p_low), p_high * (1 - p_high)
        steep = np.exp(-gap) / -np.expm1(-gap)
        out = []
        for k in range(self.n_aux):
            upper, lower = size * (y == k), size * (y == k + 1)
            out.append(
                AuxiliaryTerms(
                    upper * (1 - p_high + steep) - lower * (p_low + steep),
                    upper * v_high + lower * v_low,
                    upper * v_high * (1 - 2 * p_high) + lower * v_low * (1 - 2 * p_low),
                )
            )
        return tuple(out)

    def _around(self, eta: Array, y: Array, aux: Array) -> tuple[Array, Array, Array]:
        """Distance to the threshold below and above, and between the two."""
        cuts = np.concatenate([[-np.inf], aux, [np.inf]])
        k = y.astype(np.intp)
        below, above = cuts[k], cuts[k + 1]
        return below - eta, above - eta, above - below

    def mean(self, eta: Array, aux: Array, /) -> Array:
        """Probability of each category, shape (n, K)."""
        upto = special.expit(aux[None, :] - eta[:, None])
        edges = np.concatenate([np.zeros((len(eta), 1)), upto, np.ones((len(eta), 1))], axis=1)
        return np.asarray(np.diff(edges, axis=1))

    def draw(self, rng: np.random.Generator, eta: Array, _size: Array, aux: Array, /) -> Array:
        """A category's position."""
        latent = eta + rng.logistic(size=len(eta))
        return np.searchsorted(aux, latent).astype(float)

    def start(self, y: Array, size: Array) -> tuple[Array, float]:
        """Logits of the cumulative shares."""
        counts = np.bincount(y.astype(np.intp), weights=size, minlength=self.n_aux + 1) + 0.5
        return np.asarray(special.logit(np.cumsum(counts)[:-1] / counts.sum())), 0.0
