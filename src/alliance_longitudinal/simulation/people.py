"""Who is in the clinic: caseloads, groups, families, and what clients and therapists bring with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.simulation.truth import ClinicTruth

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class People:
    """Clients and therapists; arrays by client unless said otherwise.

    Attributes
    ----------
    therapist, group, family : ndarray of int
        Codes; every client is in one group and one family (of one, where there are none).
    anxiety, avoidance : ndarray
        Attachment, standardised; they correlate at .2.
    personality_disorder : ndarray of bool
    empathy, experience, flexibility : ndarray, shape (therapists,)
        Standardised.
    alliance : ndarray
        Alliance points that all of this adds to the client's.
    slope : ndarray
        Weekly change shared with the group and the family.
    within : ndarray
        What the effect ``within`` is more for each client: with the therapist, in the arm, by attachment.
    arm : ndarray of bool
        Whether the client is in the second arm.
    leaving : ndarray
        What the therapist adds to the logit of leaving.
    case : ndarray of int
        Number of the client among those of the therapist, from 1.
    """

    therapist: Index
    group: Index
    family: Index
    anxiety: Array
    avoidance: Array
    personality_disorder: NDArray[np.bool_]
    empathy: Array
    experience: Array
    flexibility: Array
    alliance: Array
    slope: Array
    within: Array
    arm: NDArray[np.bool_]
    leaving: Array
    case: Index


def caseloads(rng: np.random.Generator, truth: ClinicTruth) -> Index:
    """Therapist of each client; unequal caseloads, everybody at least five."""
    share = rng.dirichlet(np.full(truth.therapists, 6.0))
    extra = rng.choice(truth.therapists, truth.clients - 5 * truth.therapists, p=share)
    return np.sort(np.concatenate([np.repeat(np.arange(truth.therapists), 5), extra]))


def describe_people(rng: np.random.Generator, truth: ClinicTruth, therapist: Index) -> People:
    """Draw what clients and therapists bring."""
    n, j = len(therapist), truth.therapists
    anxiety, other = rng.standard_normal((2, n))
    avoidance = 0.2 * anxiety + np.sqrt(1 - 0.2**2) * other
    disorder = rng.random(n) < truth.personality_disorder_share
    empathy, experience, flexibility = rng.standard_normal((3, j))
    group = _together(therapist, int(truth.group_size))
    family = _together(therapist, int(truth.family_size))
    alliance = (
        truth.attachment_anxiety * anxiety
        + truth.attachment_avoidance * avoidance
        + truth.personality_disorder * disorder
        + (truth.empathy * empathy + truth.experience * experience + truth.flexibility * flexibility)[
            therapist
        ]
        + rng.normal(0, truth.group_alliance_sd, n)[group]
        + rng.normal(0, truth.family_alliance_sd, n)[family]
    )
    slope = rng.normal(0, truth.group_slope_sd, n)[group] + rng.normal(0, truth.family_slope_sd, n)[family]
    within = rng.normal(0, truth.within_therapist_sd, j)[therapist]
    # New draws come last: what was drawn before stays what a seed means.
    arm = rng.random(n) < truth.arm_share
    leaving = rng.normal(0, truth.dropout_therapist_sd, j)[therapist]
    alliance = alliance + truth.arm_alliance * arm
    alliance = alliance + truth.avoidance_by_experience * avoidance * experience[therapist]
    case = np.arange(n) - np.searchsorted(therapist, therapist) + 1  # clients are sorted by therapist
    by_case = truth.alliance_by_case + rng.normal(0, truth.case_therapist_sd, j)
    alliance = alliance + by_case[therapist] * (case - 1) / 10
    slope = slope + truth.slope_by_case * (case - 1) / 10
    return People(
        therapist,
        group,
        family,
        anxiety,
        avoidance,
        disorder,
        empathy,
        experience,
        flexibility,
        alliance,
        slope + truth.arm_slope * arm,
        within + truth.within_by_arm * arm + truth.within_by_avoidance * avoidance,
        arm,
        leaving,
        case,
    )


def observed(rng: np.random.Generator, truth: ClinicTruth, therapist: Index) -> NDArray[np.bool_]:
    """Which clients the data hold: the share of each therapist's, at least one, drawn at random."""
    if truth.observed_share == 1:
        return np.ones(len(therapist), dtype=bool)
    order = np.lexsort((rng.random(len(therapist)), therapist))
    starts = np.searchsorted(therapist, therapist)  # clients are sorted by therapist
    place = np.empty(len(therapist), dtype=np.intp)
    place[order] = np.arange(len(therapist)) - starts
    wanted = np.maximum(
        1, np.round(truth.observed_share * np.bincount(therapist, minlength=truth.therapists))
    )
    kept: NDArray[np.bool_] = place < wanted[therapist]
    return kept


def _together(therapist: Index, size: int) -> Index:
    """Code of each client's group: ``size`` clients of the same therapist in a row (clients are sorted by therapist)."""
    starts = np.searchsorted(therapist, therapist)  # first client of the own therapist
    first = starts + (np.arange(len(therapist)) - starts) // size * size
    return np.unique(first, return_inverse=True)[1].astype(np.intp)
