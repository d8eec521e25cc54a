"""A planned study: who is measured when, how therapists, clients and scores differ, and what closed forms say of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.given import (
    different_times,
    effect_to_find,
    number_of,
    share_of_variance,
    sizes,
    variance,
)
from alliance_longitudinal.methods.basics.values import real
from alliance_longitudinal.methods.planning.bounded import power_between_reml, power_within_reml
from alliance_longitudinal.methods.planning.caseloads import power_variance_unequal
from alliance_longitudinal.methods.planning.closed_forms import (
    VariancePower,
    power_variance,
    two_sided,
)

Covariance = tuple[tuple[float, float], tuple[float, float]]
_SHARE = "a probability, at least 0 and below 1"
#: Clients whose attendance is drawn for the mean of their information.
_DRAWN = 4000
#: Values of the sum of squares over which a therapist's information is averaged.
_NODES = 100


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A planned study of clients' rates of change, and how their scores vary.

    The model of a score of client ``i`` of therapist ``j`` at time ``t`` is
    ``y = b0 + b1 t + (g + h t) a_ij + (k + m t) c_j + u_j + v_j t + r_ij + s_ij t + e``. ``a`` differs between
    the clients of a therapist and ``c`` between therapists, each with a standard deviation of 1. ``h`` and
    ``m`` are the effects that the study aims to detect. If ``effect_variance`` is above 0, each therapist has
    their own ``h``, and the study aims to detect its mean.

    Attributes
    ----------
    caseloads : tuple of int
        Clients of each therapist. There must be at least 3 therapists, one of them with at least two clients.
    times : tuple of float
        Times of a client's assessments.
    residual : float
        Variance of a score around the client's line.
    client, therapist : 2 by 2
        Covariances of level (at time 0) and rate of change, between the clients of a therapist and between therapists.
    dropout : float
        Probability of dropping out before each assessment after the first.
    missing : float
        Probability that an assessment of a client who is still there is missing.
    effect_variance : float
        Variance between therapists of the effect within therapists, ``h``.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> plan = methods.StudyPlan.of(
    ...     30, 20, range(8), residual=5, client=((13, 0), (0, 0.04)), therapist=((1, 0), (0, 0.01))
    ... )
    >>> round(plan.power_within(0.05), 2), round(plan.power_between(0.05), 2)
    (0.85, 0.49)
    """

    caseloads: tuple[int, ...]
    times: tuple[float, ...]
    residual: float
    client: Covariance
    therapist: Covariance
    dropout: float = 0.0
    missing: float = 0.0
    effect_variance: float = 0.0

    @classmethod
    def of(
        cls,
        therapists: int,
        clients: int | Sequence[int],
        times: Iterable[float],
        *,
        residual: float,
        client: object,
        therapist: object,
        dropout: float = 0.0,
        missing: float = 0.0,
        effect_variance: float = 0.0,
    ) -> "StudyPlan":
        """Make and check a plan; if ``clients`` has several values, the therapists receive these caseloads in turn.

        Raises
        ------
        DataError
            If a value lies outside its limits.
        """
        j = number_of("therapists", therapists, "therapists", 3)
        given = sizes("clients", clients)
        if not given:
            raise DataError("clients is empty; it is clients of each therapist, whole numbers of at least 1.")
        caseloads = tuple(given[k % len(given)] for k in range(j))
        if max(caseloads) < 2:
            raise DataError(
                "Every therapist has one client, so clients of the same therapist cannot be compared. Plan at least two."
            )
        when = different_times(times)
        return cls(
            caseloads,
            when,
            variance("residual", residual),
            _covariance("client", client),
            _covariance("therapist", therapist),
            real("dropout", dropout, _SHARE, least=0, below=1),
            real("missing", missing, _SHARE, least=0, below=1),
            variance("effect_variance", effect_variance, zero=True),
        )

    @property
    def therapists(self) -> int:
        """Number of therapists."""
        return len(self.caseloads)

    @property
    def clients(self) -> int:
        """Number of clients."""
        return sum(self.caseloads)

    @property
    def between_clients(self) -> float:
        """Variance of the estimated rates of change of a therapist's clients.

        ``s^2 + residual / S`` with ``S`` the sum of squared deviations of a client's times from their mean. If
        some assessments do not take place, it is the harmonic mean over clients (from the mean of their
        information). This is an approximation, so simulate such plans.
        """
        return _between_clients(self.times, self.dropout, self.missing, self.residual, self.client[1][1])

    @property
    def share(self) -> float:
        """Therapists' share of the variance of the estimated rates of change."""
        between = self.therapist[1][1]
        return between / (between + self.between_clients)

    def power_within(self, effect: float) -> float:
        """Power for an effect on the rate of change within therapists.

        `power_within`, or `power_within_reml` if the effect differs between therapists. Then a therapist's
        information depends on how much the predictor varies among their clients, which is averaged over its
        chi-squared distribution; unequal caseloads enter through the harmonic mean of the information.
        """
        effect = effect_to_find(effect)
        spare = (
            self.clients - self.therapists
        )  # only the numbers of clients and therapists count, not who has whom
        if spare < 2:
            raise DataError(
                f"{self.clients} clients of {self.therapists} therapists leave no degrees of freedom. Plan more clients."
            )
        if self.effect_variance > 0:
            several = [n for n in self.caseloads if n > 1]
            if len(several) < 3:
                raise DataError(
                    f"Therapists with two or more clients: {len(several)}. How the effect differs between therapists cannot be "
                    "estimated. Plan at least 3."
                )
            each = _slope_information(tuple(several), self.effect_variance, self.between_clients)
            size = self.between_clients / (1 / each - self.effect_variance)
            return power_within_reml(
                effect, len(several), max(size + 1, 2.0), self.effect_variance, self.between_clients
            )
        return two_sided(effect, float(np.sqrt(self.between_clients / spare)), spare - 1)

    def power_between(self, effect: float) -> float:
        """Power for an effect on the rate of change between therapists.

        `power_between`, minus the power lost in studies in which the variance between therapists is estimated
        as zero (few therapists, or few clients per therapist; `planning.bounded`). Unequal caseloads enter
        through the harmonic mean of the therapists' information.
        """
        effect = effect_to_find(effect)
        tau, within = self.therapist[1][1], self.between_clients
        information = float(np.mean(1 / (tau + within / np.array(self.caseloads, dtype=float))))
        return power_between_reml(effect, self.therapists, within / (1 / information - tau), tau, within)

    def power_therapists(
        self, share: float | None = None, n_sim: int = 10_000, seed: int = 0
    ) -> VariancePower:
        """Power to detect that therapists differ in their clients' rates of change, and probability of an estimate of zero.

        ``share`` is the therapists' share of the variance of the *true* rates of change; by default that of the
        plan. The result is exact for equal caseloads (`power_variance`), otherwise simulated
        (`power_variance_unequal`).
        """
        icc = self.share
        if share is not None:
            share = share_of_variance("share", share)
            between = share / (1 - share) * self.client[1][1]
            icc = between / (between + self.between_clients)
        if len(set(self.caseloads)) == 1:
            return power_variance(self.therapists, self.caseloads[0], icc)
        return power_variance_unequal(self.caseloads, icc, n_sim, seed)

    def rows(self, seed: int = 0) -> pd.DataFrame:
        """One row per assessment that takes place: ``therapist, client, weeks, within, between``.

        The predictors have mean 0 and a standard deviation of exactly 1. As in the closed forms, the divisor is
        the number of clients minus the number of therapists for ``within``, and the number of therapists minus
        one for ``between``.
        """
        rng = np.random.default_rng(seed)
        sizes = np.array(self.caseloads)
        own = np.repeat(np.arange(self.therapists), sizes)
        within = rng.standard_normal(self.clients)
        within -= (np.bincount(own, within) / sizes)[own]
        within *= np.sqrt((self.clients - self.therapists) / np.sum(within**2))
        between = rng.standard_normal(self.therapists)
        between -= between.mean()
        between *= np.sqrt((self.therapists - 1) / np.sum(between**2))
        there = _attended(self.clients, len(self.times), self.dropout, self.missing, rng)
        client, occasion = np.nonzero(there)
        return pd.DataFrame(
            {
                "therapist": own[client],
                "client": client,
                "weeks": np.array(self.times)[occasion],
                "within": within[client],
                "between": between[own[client]],
            }
        )


def _attended(
    clients: int, times: int, dropout: float, missing: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether each client has each assessment, shape (clients, times); the first takes place."""
    stays = rng.random((clients, times)) >= dropout
    stays[:, 0] = True
    done = np.logical_and.accumulate(stays, axis=1) & (rng.random((clients, times)) >= missing)
    done[:, 0] = True
    return done


@lru_cache(maxsize=1024)
def _slope_information(caseloads: tuple[int, ...], effect_variance: float, between_clients: float) -> float:
    """Mean information of therapists on the mean of their effects.

    A therapist of ``n`` clients has ``1 / (effect_variance + between_clients / S)``, where ``S``, the sum of squares of a
    standard normal predictor, has ``n - 1`` degrees of freedom; see `StudyPlan.power_within`.
    """
    from scipy import stats

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    sizes, counts = np.unique(caseloads, return_counts=True)
    squares = stats.chi2.ppf((nodes[None, :] + 1) / 2, sizes[:, None] - 1)
    information = squares / (effect_variance * squares + between_clients)
    return float(counts @ (information @ weights / 2) / counts.sum())


@lru_cache(maxsize=256)
def _between_clients(
    times: tuple[float, ...], dropout: float, missing: float, residual: float, rates: float
) -> float:
    """See `StudyPlan.between_clients`; who has which assessments is drawn, always the same."""
    when = np.array(times)
    whole = dropout == 0 and missing == 0
    there = (
        np.ones((1, len(when)), dtype=bool)
        if whole
        else _attended(_DRAWN, len(when), dropout, missing, np.random.default_rng(0))
    )
    n = there.sum(axis=1)
    mean = there @ when / n
    spread = np.sum(there * (when - mean[:, None]) ** 2, axis=1)
    information = np.where(spread > 0, spread / (rates * spread + residual), 0.0)
    return float(1 / information.mean())


def _covariance(name: str, value: Any) -> Covariance:
    matrix = np.array(value, dtype=float) if np.shape(value) == (2, 2) else np.full((2, 2), np.nan)
    scale = max(float(np.abs(matrix).max()), 1e-300)
    good = np.isfinite(matrix).all() and abs(matrix[0, 1] - matrix[1, 0]) <= 1e-9 * scale
    if not good or np.linalg.eigvalsh(matrix).min() < -1e-9 * scale:
        raise DataError(
            f"{name} is not a covariance. It is a 2 by 2 covariance of level and rate of change, such as ((13, 0), (0, 0.04))."
        )
    return ((float(matrix[0, 0]), float(matrix[0, 1])), (float(matrix[1, 0]), float(matrix[1, 1])))
