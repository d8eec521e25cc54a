"""A simulated clinic group with known truth: early alliance, symptoms, dropout by severity.

How it is made, client i of therapist j (PHQ-9 ``y``, WAI-SR total ``a``, session s about weekly, session 0 = intake):

1. Symptoms up to session 5 follow the client's own level and early rate of change; what is reported is rounded
   to whole points within 0 to 27.
2. Alliance ratings depend on therapist, client, intake severity and on *improvement reported so far*: leaving the
   early change out of a model therefore inflates the effect of alliance.
3. Clients drop out with a chance that grows with the symptoms they last reported (missing at random).
4. Among those still in treatment at session 5, ``early`` = mean of the ratings of sessions 1 to 5. After session 5
   the weekly change of client i is

   ``slope + u_j + r_i + within (early_i - mean_j) + between (mean_j - mean) + intake_effect (y_0 - mean) + change_effect (change - mean)``

   so that ``within`` and ``between`` are exactly what the adjusted three-level growth model estimates. The
   therapist's mean is that of the own caseload, which is fully observed: the observed mean is the target
   (Luedtke et al. 2008, doi 10.1037/a0012869, on the sampling ratio).
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.measures.registry import load_instruments

SIMULATED_NOTE = "Simulated data: no real clinic, therapist or client. Made to show and to check the report."
LAST_EARLY = 5  # the effect of alliance starts after this session


@dataclass(frozen=True, slots=True)
class ClinicTruth:
    """True parameters. Symptom points are PHQ-9 points, alliance points WAI-SR sum points, time in weeks.

    Standard deviations (``_sd``) and correlations (``_cor``) are those of the random effects after session 5,
    given the predictors; ``error_sd`` is the within-client residual before rounding.
    """

    therapists: int = 30
    clients: int = 900
    intake_mean: float = 17.5
    early_rate: float = -0.35
    slope: float = -0.18
    within: float = -0.020
    between: float = -0.030
    intake_effect: float = -0.010
    change_effect: float = 0.020
    therapist_level_sd: float = 0.6
    therapist_slope_sd: float = 0.08
    therapist_cor: float = 0.3
    client_level_sd: float = 1.2
    client_slope_sd: float = 0.16
    client_cor: float = -0.2
    error_sd: float = 2.2
    alliance_mean: float = 43.0
    alliance_therapist_sd: float = 2.2
    alliance_client_sd: float = 5.5
    alliance_session_sd: float = 3.0
    alliance_by_improvement: float = 0.5
    alliance_by_severity: float = -0.25
    dropout_intercept: float = -4.0
    dropout_by_severity: float = 0.10

    def to_dict(self) -> dict[str, float]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SimulatedClinic:
    """Rectangular arrays, clients by sessions 0 to S; ``attended`` says which cells exist.

    Attributes
    ----------
    client_therapist : int array, shape (n_clients,)
    weeks : float array, shape (n_clients, S + 1)
        Weeks since intake.
    phq : float array, shape (n_clients, S + 1)
        Reported total; missing where not filled in.
    wai : float array, shape (n_clients, S + 1, 12)
        Item ratings 1 to 5; missing where not filled in, and at intake.
    attended : bool array, shape (n_clients, S + 1)
    """

    truth: ClinicTruth
    client_therapist: np.ndarray
    weeks: np.ndarray
    phq: np.ndarray
    wai: np.ndarray
    attended: np.ndarray


def simulate_clinic_group(seed: int, truth: ClinicTruth | None = None, sessions: int = 16) -> SimulatedClinic:
    """Simulate one clinic group.

    Parameters
    ----------
    seed : int
        Same seed, same data.
    truth : ClinicTruth, optional
    sessions : int
        Longest treatment; planned lengths are uniform between 8 and this.
    """
    truth = truth or ClinicTruth()
    rng = np.random.default_rng(seed)
    therapist = _caseloads(rng, truth)
    weeks = _weeks(rng, truth.clients, sessions)
    level, phq = _early_symptoms(rng, truth, therapist, weeks)
    trait = _alliance_trait(rng, truth, therapist)
    wai = _ratings(rng, truth, trait, phq)
    attended = _early_attendance(rng, truth, phq)
    slope, shift = _later_course(rng, truth, therapist, phq, wai, attended)
    _later_symptoms(rng, truth, weeks, phq, attended, level + shift, slope)
    wai[:, LAST_EARLY + 1 :] = _ratings(rng, truth, trait, phq)[:, LAST_EARLY + 1 :]
    planned = rng.integers(8, sessions + 1, truth.clients)
    attended &= np.arange(sessions + 1) <= planned[:, None]
    return SimulatedClinic(truth, therapist, weeks, *_unfilled(rng, phq, wai, attended), attended)


def _caseloads(rng: np.random.Generator, truth: ClinicTruth) -> np.ndarray:
    """Therapist of each client; unequal caseloads, everybody at least five."""
    share = rng.dirichlet(np.full(truth.therapists, 6.0))
    extra = rng.choice(truth.therapists, truth.clients - 5 * truth.therapists, p=share)
    return np.sort(np.concatenate([np.repeat(np.arange(truth.therapists), 5), extra]))


def _weeks(rng: np.random.Generator, n: int, sessions: int) -> np.ndarray:
    gaps = rng.choice([1.0, 2.0, 3.0], size=(n, sessions), p=[0.85, 0.12, 0.03])
    return np.concatenate([np.zeros((n, 1)), np.cumsum(gaps, axis=1)], axis=1)


def _reported(latent: np.ndarray) -> np.ndarray:
    return np.clip(np.round(latent), 0, 27)


def _early_symptoms(
    rng: np.random.Generator, truth: ClinicTruth, therapist: np.ndarray, weeks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Latent level at session 5 and the reported scores (later columns still empty)."""
    n = len(therapist)
    start = truth.intake_mean + rng.normal(0, 0.8, truth.therapists)[therapist] + rng.normal(0, 3.0, n)
    rate = truth.early_rate + rng.normal(0, 0.3, n)
    latent = start[:, None] + rate[:, None] * weeks
    phq = _reported(latent + rng.normal(0, truth.error_sd, latent.shape))
    phq[:, LAST_EARLY + 1 :] = np.nan
    return latent[:, LAST_EARLY], phq


def _alliance_trait(rng: np.random.Generator, truth: ClinicTruth, therapist: np.ndarray) -> np.ndarray:
    """Alliance that a client tends to report, from the therapist and from the client."""
    of_therapist = rng.normal(0, truth.alliance_therapist_sd, truth.therapists)
    trait: np.ndarray = rng.normal(0, truth.alliance_client_sd, len(therapist))
    trait += truth.alliance_mean + of_therapist[therapist]
    return trait


def _ratings(rng: np.random.Generator, truth: ClinicTruth, trait: np.ndarray, phq: np.ndarray) -> np.ndarray:
    """Item ratings, shape (n, sessions + 1, 12): trait, intake severity, improvement reported so far, and noise."""
    improvement = np.nan_to_num(phq[:, :1] - phq)
    total = (
        trait[:, None]
        + truth.alliance_by_severity * (phq[:, :1] - truth.intake_mean)
        + truth.alliance_by_improvement * improvement
        + rng.normal(0, truth.alliance_session_sd, phq.shape)
    )
    easiness = np.linspace(-0.25, 0.25, 12)
    felt = total[:, :, None] / 12 + easiness + rng.normal(0, 0.5, (*phq.shape, 12))
    items: np.ndarray = np.clip(np.round(felt), 1, 5)
    items[:, 0] = np.nan  # alliance is asked from the first session on, not at intake
    return items


def _stay(rng: np.random.Generator, truth: ClinicTruth, reported: np.ndarray) -> np.ndarray:
    """Whether a client comes again, given the symptoms reported last."""
    hazard = 1 / (1 + np.exp(-(truth.dropout_intercept + truth.dropout_by_severity * (reported - 12))))
    return rng.random(len(reported)) > hazard


def _early_attendance(rng: np.random.Generator, truth: ClinicTruth, phq: np.ndarray) -> np.ndarray:
    attended = np.zeros(phq.shape, dtype=bool)
    attended[:, :2] = True
    for session in range(2, LAST_EARLY + 1):
        attended[:, session] = attended[:, session - 1] & _stay(rng, truth, phq[:, session - 1])
    return attended


def _correlated(
    rng: np.random.Generator, n: int, level_sd: float, slope_sd: float, cor: float
) -> tuple[np.ndarray, np.ndarray]:
    first, second = rng.standard_normal((2, n))
    return level_sd * first, slope_sd * (cor * first + np.sqrt(1 - cor**2) * second)


def _later_course(
    rng: np.random.Generator,
    truth: ClinicTruth,
    therapist: np.ndarray,
    phq: np.ndarray,
    wai: np.ndarray,
    attended: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Shift in level and weekly change of each client after session 5 (equation of the module's text)."""
    early = wai[:, 1 : LAST_EARLY + 1].sum(axis=2).mean(axis=1)
    there = attended[:, LAST_EARLY]
    sums = np.bincount(therapist[there], early[there], truth.therapists)
    mean_of_therapist = sums / np.maximum(np.bincount(therapist[there], minlength=truth.therapists), 1)
    own_mean = mean_of_therapist[therapist]
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
        + truth.within * (early - own_mean)
        + truth.between * (own_mean - truth.alliance_mean)
        + truth.intake_effect * (phq[:, 0] - truth.intake_mean)
        + truth.change_effect * (change - LAST_EARLY * truth.early_rate)
    )
    return slope, shift_j[therapist] + shift_i


def _later_symptoms(
    rng: np.random.Generator,
    truth: ClinicTruth,
    weeks: np.ndarray,
    phq: np.ndarray,
    attended: np.ndarray,
    level: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Fill in, in place, the reported scores and the attendance after session 5."""
    for session in range(LAST_EARLY + 1, phq.shape[1]):
        latent = level + slope * (weeks[:, session] - weeks[:, LAST_EARLY])
        phq[:, session] = _reported(latent + rng.normal(0, truth.error_sd, len(level)))
        attended[:, session] = attended[:, session - 1] & _stay(rng, truth, phq[:, session - 1])


def _unfilled(
    rng: np.random.Generator, phq: np.ndarray, wai: np.ndarray, attended: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forms not filled in: 5 % of PHQ-9 after intake, 10 % of WAI-SR, and one item in 300."""
    phq = np.where(attended, phq, np.nan)
    phq[:, 1:][rng.random(phq[:, 1:].shape) < 0.05] = np.nan
    wai = np.where(attended[:, :, None], wai, np.nan)
    wai[rng.random(wai.shape[:2]) < 0.10] = np.nan
    wai[rng.random(wai.shape) < 1 / 300] = np.nan
    return phq, wai


def session_table(clinic: SimulatedClinic) -> pd.DataFrame:
    """One row per attended session: ``client, therapist, session, week``, ``phq9``, ``wai_1`` to ``wai_12``."""
    client, session = np.nonzero(clinic.attended)
    items = {f"wai_{k + 1}": clinic.wai[client, session, k] for k in range(12)}
    return pd.DataFrame(
        {
            "client": [f"{c + 1:04d}" for c in client],
            "therapist": [f"T{clinic.client_therapist[c] + 1:02d}" for c in client],
            "session": session,
            "week": clinic.weeks[client, session],
            "phq9": clinic.phq[client, session],
            **items,
        }
    )


def simulated_study(seed: int, truth: ClinicTruth | None = None) -> Study:
    """A simulated clinic group as a study in memory, as if its clean export had been loaded.

    Scores are complete-form sums; used by the calibration, which repeats an analysis over many seeds.
    """
    truth = truth or ClinicTruth()
    frame = session_table(simulate_clinic_group(seed, truth))
    items = [f"wai_{k}" for k in range(1, 13)]
    frame["alliance"] = frame[items].sum(axis=1, min_count=12)
    registry = load_instruments()
    measures = {
        "alliance": Measure("alliance", "alliance", "client", registry["wai_sr"], timing="end"),
        "phq9": Measure("phq9", "symptoms", "client", registry["phq_9"], timing="start"),
    }
    sessions = frame.drop(columns=items)
    flow = SampleFlow().record(sessions, sessions, "Simulated sessions", "nothing removed")
    return Study(
        title=f"Simulated clinic group, seed {seed}",
        measures=measures,
        early_window=(1, LAST_EARLY),
        covariates=(),
        flow=flow,
        findings=(Finding("simulated", "info", SIMULATED_NOTE),),
        sources=(),
        simulated={"note": SIMULATED_NOTE, "truth": truth.to_dict()},
        _sessions=sessions,
        _clients=sessions[["client", "therapist"]].drop_duplicates(ignore_index=True),
    )
