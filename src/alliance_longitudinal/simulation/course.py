"""Symptoms and attendance: up to session 5 by the client's own course, after it by the model that is to be found."""

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.simulation.truth import ClinicTruth

Array = NDArray[np.float64]
Index = NDArray[np.intp]

LAST_EARLY = 5  # the effect of alliance starts after this session
USUAL_GAIN = 1.75  # points that the average client improves by then
LAST_MIDDLE = 10  # that of the later alliance, where there is one, after this one


def weeks_of(rng: np.random.Generator, n: int, sessions: int) -> Array:
    """Weeks since intake, shape (n, sessions + 1): mostly weekly, with gaps of two and three."""
    gaps = rng.choice([1.0, 2.0, 3.0], size=(n, sessions), p=[0.85, 0.12, 0.03])
    return np.concatenate([np.zeros((n, 1)), np.cumsum(gaps, axis=1)], axis=1)


def reported(latent: Array) -> Array:
    """A PHQ-9 total: whole points from 0 to 27."""
    whole: Array = np.clip(np.round(latent), 0, 27)
    return whole


def early_symptoms(
    rng: np.random.Generator, truth: ClinicTruth, therapist: Index, weeks: Array, halo: Array
) -> tuple[Array, Array, Array]:
    """Latent level at session 5, reported scores (later ones still missing), and the latent scores behind them."""
    n = len(therapist)
    start = truth.intake_mean + rng.normal(0, truth.intake_therapist_sd, truth.therapists)[therapist]
    start = start + rng.normal(0, truth.intake_client_sd, n)
    rate = truth.early_rate + rng.normal(0, truth.early_rate_sd, n)
    latent = start[:, None] + rate[:, None] * weeks
    noisy = latent + rng.normal(0, truth.error_sd, latent.shape)
    phq = reported(noisy - truth.halo_symptoms * halo)
    phq[:, LAST_EARLY + 1 :] = np.nan
    return latent[:, LAST_EARLY], phq, noisy


def leaves(truth: ClinicTruth, chance: Array, last: Array, more: Array | float = 0.0) -> NDArray[np.bool_]:
    """Whether a client does not come again, given the symptoms reported last and whatever else moves the logit."""
    hazard = 1 / (1 + np.exp(-(truth.dropout_intercept + truth.dropout_by_severity * (last - 12) + more)))
    gone: NDArray[np.bool_] = chance <= hazard
    return gone


def planned_lengths(rng: np.random.Generator, truth: ClinicTruth, shape: tuple[int, int]) -> Index:
    """Last session of each client before a planned end, shape (n,); the longest possible where none comes.

    Before session t, from the second on, a treatment ends as planned with the logit of ``planned_chance`` plus
    ``planned_by_session (t - 2)``.
    """
    session = np.arange(shape[1])
    with np.errstate(divide="ignore"):
        logit = np.log(truth.planned_chance) - np.log1p(-truth.planned_chance)
    chance = 1 / (1 + np.exp(-(logit + truth.planned_by_session * (session - 2))))
    ends = (rng.random(shape) < chance) & (session >= 2)
    first = np.where(ends.any(axis=1), ends.argmax(axis=1), shape[1])
    return np.asarray(first - 1, dtype=np.intp)


def later_course(
    rng: np.random.Generator,
    truth: ClinicTruth,
    therapist: Index,
    early: Array,
    phq: Array,
    there: NDArray[np.bool_],
    within: Array,
) -> tuple[Array, Array]:
    """Weekly change and shift in level of each client after session 5 (equation in `clinic`)."""
    sums = np.bincount(therapist[there], early[there], truth.therapists)
    caseload = np.bincount(therapist[there], minlength=truth.therapists)
    own_mean = (sums / np.maximum(caseload, 1))[therapist]
    shift_j, slope_j = _correlated(
        rng, truth.therapists, truth.therapist_level_sd, truth.therapist_slope_sd, truth.therapist_cor
    )
    shift_i, slope_i = _correlated(
        rng, len(therapist), truth.client_level_sd, truth.client_slope_sd, truth.client_cor
    )
    change = phq[:, LAST_EARLY] - phq[:, 0]
    slope = (
        truth.slope
        + slope_j[therapist]
        + slope_i
        + (truth.within + within) * (early - own_mean)
        + truth.between * (own_mean - truth.alliance_mean)
        + truth.intake_effect * (phq[:, 0] - truth.intake_mean)
        + truth.change_effect * (change - LAST_EARLY * truth.early_rate)
    )
    return slope, shift_j[therapist] + shift_i


def _correlated(
    rng: np.random.Generator, n: int, level_sd: float, slope_sd: float, cor: float
) -> tuple[Array, Array]:
    first, second = rng.standard_normal((2, n))
    return level_sd * first, slope_sd * (cor * first + np.sqrt(1 - cor**2) * second)
