"""A simulated clinic group with known truth: alliance, symptoms, raters, ruptures, dropout, groups and families.

How it is made, client i of therapist j (PHQ-9 ``y``, WAI-SR total ``a``, session s about weekly, session 0 = intake):

1. Symptoms up to session 5 follow the client's own level and early rate of change; what is reported is rounded
   to whole points within 0 to 27.
2. The alliance felt in session s is the therapist's, the client's (with attachment, personality disorder, the
   therapist's empathy, experience and flexibility, group and family), intake severity, growth, *improvement reported so
   far*, and a state of the session: noise, less what a rupture costs, plus what today's symptoms do to it. Because of
   the improvement, leaving the early change out of a model inflates the effect of alliance.
3. Clients drop out with a chance that grows with the symptoms they last reported (missing at random); it can also
   depend on what they would have reported next (not at random), on the alliance and on open ruptures.
4. Among those still in treatment at session 5, ``early`` = mean of the ratings of sessions 1 to 5 (without halo). After
   session 5 the weekly change of client i is

   ``slope + u_j + r_i + within (early_i - mean_j) + between (mean_j - mean) + intake_effect (y_0 - mean) + change_effect (change - mean)``

   so that ``within`` and ``between`` are exactly what the adjusted three-level growth model estimates. The
   therapist's mean is that of the own caseload, which is fully observed: the observed mean is the target
   (Luedtke et al. 2008, doi 10.1037/a0012869, on the sampling ratio), unless ``observed_share`` leaves clients out of the
   data: then it is that of all, and the observed mean measures it with error. To the level of a session comes
   ``lagged_alliance`` times the alliance state of the session before.
5. The client's reports of both carry a halo, if there is one; therapist, observer and carer rate the felt alliance, and
   a clinician the symptoms, without it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.simulation import course
from alliance_longitudinal.simulation.alliance import (
    Ratings,
    Ruptures,
    other_raters,
    ruptures,
    shape_of,
)
from alliance_longitudinal.simulation.course import LAST_EARLY, LAST_MIDDLE, USUAL_GAIN
from alliance_longitudinal.simulation.people import People, caseloads, describe_people, observed
from alliance_longitudinal.simulation.tables import client_table, session_table, therapist_table
from alliance_longitudinal.simulation.truth import ClinicTruth, truth_of

Array = NDArray[np.float64]
RATERS = ("therapist", "observer", "carer", "clinician")


@dataclass(frozen=True, slots=True)
class SimulatedClinic:
    """Rectangular arrays, clients by sessions 0 to S; ``attended`` says which cells exist. Properties give tables.

    Attributes
    ----------
    truth : ClinicTruth
    people : People
    weeks : float array, shape (n_clients, S + 1)
        Weeks since intake.
    phq : float array, shape (n_clients, S + 1)
        Reported total; missing where not filled in.
    wai : float array, shape (n_clients, S + 1, 12) or (n_clients, S + 1)
        Item ratings 1 to 5, or totals; missing where not filled in, and at intake.
    ruptures : Ruptures
    others : dict of str to float array, shape (n_clients, S + 1)
        Ratings of other raters.
    attended : bool array, shape (n_clients, S + 1)
    ends : object array, shape (n_clients,)
        How the treatment ended: ``planned``, ``dropout``, or None where the client came to the last session.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> clinic = al.simulate_clinic(1, therapists=4, clients=30, items=False)
    >>> list(clinic.sessions)
    ['client', 'therapist', 'session', 'week', 'phq9', 'wai']
    """

    truth: ClinicTruth
    people: People
    weeks: Array
    phq: Array
    wai: Array
    ruptures: Ruptures
    others: dict[str, Array]
    attended: NDArray[np.bool_]
    ends: NDArray[np.object_]

    @property
    def sessions(self) -> pd.DataFrame:
        """One row per attended session: ``client, therapist, session, week``, scores, and what was switched on."""
        return session_table(self)

    @property
    def clients(self) -> pd.DataFrame:
        """One row per client: ``client, therapist``, group, family, attachment, personality disorder."""
        return client_table(self)

    @property
    def therapists(self) -> pd.DataFrame:
        """One row per therapist: ``therapist``, empathy, experience, flexibility (standardised)."""
        return therapist_table(self)


def simulate_clinic(
    seed: int,
    truth: ClinicTruth | None = None,
    *,
    sessions: int = 16,
    items: bool = True,
    raters: tuple[str, ...] = (),
    **parameters: Any,
) -> SimulatedClinic:
    """Simulate one clinic group.

    Parameters
    ----------
    seed : int
        The same seed gives the same data. What is switched on draws from its own random streams and leaves the rest
        unchanged.
    truth : ClinicTruth, optional
        All parameters. Or give single ones by name: ``simulate_clinic(1, clients=200, therapists=20, within=0)``.
    sessions : int
        Longest treatment in sessions; planned lengths are uniform between 8 and this number.
    items : bool
        Ratings of the twelve WAI-SR items; False gives totals only, for large data (ten million sessions).
    raters : tuple of {"therapist", "observer", "carer", "clinician"}
        Who else rates: the first three rate the alliance, the clinician rates the symptoms.

    Raises
    ------
    DataError
        Unknown or impossible parameters.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> clinic = al.simulate_clinic(1, therapists=4, clients=30, within=-0.05, items=False)
    >>> clinic.sessions["client"].nunique(), clinic.sessions["therapist"].nunique()
    (30, 4)
    >>> clinic.truth.within
    -0.05
    """
    truth = _settled(truth, sessions, raters, parameters)
    rng = np.random.default_rng(seed)
    people = describe_people(np.random.default_rng([seed, 11]), truth, caseloads(rng, truth))
    weeks = course.weeks_of(rng, truth.clients, sessions)
    broken = ruptures(np.random.default_rng([seed, 12]), truth, weeks.shape)
    halo = _halo(np.random.default_rng([seed, 13]), truth, weeks.shape)
    treatment = _Treatment(rng, truth, people, weeks, broken, halo, items)
    planned = rng.integers(8, sessions + 1, truth.clients)
    if truth.planned_chance > 0:
        planned = course.planned_lengths(np.random.default_rng([seed, 16]), truth, weeks.shape)
    if truth.length_by_improvement:
        gain = treatment.phq[:, 0] - treatment.phq[:, LAST_EARLY] - USUAL_GAIN
        planned = np.clip(
            np.round(planned + truth.length_by_improvement * gain), LAST_EARLY + 1, sessions
        ).astype(int)
    ends = _ends(treatment.attended, planned)
    attended = treatment.attended & (np.arange(sessions + 1) <= planned[:, None])
    of_alliance = tuple(r for r in raters if r != "clinician")
    aside = np.random.default_rng([seed, 14])
    others = {
        f"wai_{k}": v
        for k, v in other_raters(aside, truth, treatment.felt, people.therapist, of_alliance).items()
    }
    if "clinician" in raters:
        others["phq9_clinician"] = course.reported(
            treatment.latent + aside.normal(0, truth.clinician_error_sd, weeks.shape)
        )
    attended &= observed(np.random.default_rng([seed, 15]), truth, people.therapist)[:, None]
    phq, wai = _unfilled(rng, treatment.phq, treatment.wai, attended)
    return SimulatedClinic(truth, people, weeks, phq, wai, broken, others, attended, ends)


def _ends(comes: NDArray[np.bool_], planned: NDArray[np.intp]) -> NDArray[np.object_]:
    """How each treatment ended, from the sessions to which the client would come and the last before a planned end."""
    last = comes.sum(axis=1) - 1
    out = np.where(last < planned, "dropout", "planned").astype(object)
    out[(last >= planned) & (planned == comes.shape[1] - 1)] = None
    return out


def _settled(
    truth: ClinicTruth | None, sessions: int, raters: tuple[str, ...], parameters: dict[str, Any]
) -> ClinicTruth:
    if truth is not None and parameters:
        raise DataError(
            "Give a simulated clinic either a ClinicTruth or single parameters by name, not both."
        )
    if sessions < 8:
        raise DataError(f"A simulated treatment has at least 8 sessions, not {sessions}.")
    for rater in raters:
        if rater not in RATERS:
            raise DataError(f"A simulated clinic has no rater {rater!r}; there are {', '.join(RATERS)}.")
    return truth or truth_of(parameters)


def _halo(rng: np.random.Generator, truth: ClinicTruth, shape: tuple[int, int]) -> Array:
    """Method factor of the client's reports, standard deviation 1; zeros where it acts on nothing."""
    if truth.halo_alliance == 0 == truth.halo_symptoms:
        return np.zeros((1, shape[1]))
    stable = rng.standard_normal((shape[0], 1))
    passing = rng.standard_normal(shape)
    halo: Array = np.sqrt(truth.halo_stable) * stable + np.sqrt(1 - truth.halo_stable) * passing
    return halo


class _Treatment:
    """The simulation itself, step by step; each method fills in arrays made by the one before.

    The order of the draws from ``rng`` is part of what a seed means: the bundled demonstration study depends on it.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        truth: ClinicTruth,
        people: People,
        weeks: Array,
        broken: Ruptures,
        halo: Array,
        items: bool,
    ) -> None:
        self.rng, self.truth, self.people, self.weeks = rng, truth, people, weeks
        self.broken, self.halo = broken, halo
        self.level, self.phq, self.latent = course.early_symptoms(rng, truth, people.therapist, weeks, halo)
        of_therapist = rng.normal(0, truth.alliance_therapist_sd, truth.therapists)
        self.trait = rng.normal(0, truth.alliance_client_sd, len(weeks)) + people.alliance
        self.trait += truth.alliance_mean + of_therapist[people.therapist]
        self._early(items)
        self._course(items)

    def _early(self, items: bool) -> None:
        noise = Ratings.drawn(self.rng, self.truth, self.weeks.shape, items)
        self.state = noise.total - self.broken.loss
        self.felt = self._expected() + self.state
        self.wai = noise.written(self.felt + self.truth.halo_alliance * self.halo)
        self.attended = np.zeros(self.weeks.shape, dtype=bool)
        self.attended[:, :2] = True
        for session in range(2, LAST_EARLY + 1):
            self._come_again(session, self.rng.random(len(self.weeks)))

    def _expected(self) -> Array:
        """Alliance expected of the client in every session, given what has been reported so far."""
        improvement = np.nan_to_num(self.phq[:, :1] - self.phq)
        expected: Array = (
            self.trait[:, None]
            + self.truth.alliance_by_severity * (self.phq[:, :1] - self.truth.intake_mean)
            + shape_of(self.truth, np.arange(self.weeks.shape[1]))
            + self.truth.alliance_by_improvement * improvement
        )
        return expected

    def _come_again(self, session: int, chance: Array) -> None:
        truth = self.truth
        more = (
            truth.dropout_by_today * (course.reported(self.latent[:, session]) - 12)
            + truth.dropout_by_alliance * (truth.alliance_mean - self.felt[:, session - 1])
            + truth.dropout_by_rupture * self.broken.open[:, session - 1]
            + self.people.leaving
        )
        gone = course.leaves(truth, chance, self.phq[:, session - 1], more)
        self.attended[:, session] = self.attended[:, session - 1] & ~gone

    def _course(self, items: bool) -> None:
        """Sessions after the window: symptoms from last session's alliance, alliance from today's symptoms."""
        truth, rng, weeks = self.truth, self.rng, self.weeks
        window = slice(1, LAST_EARLY + 1)
        given = self.wai[:, window].sum(axis=2) if items else self.wai[:, window]
        early = given.mean(axis=1) - truth.halo_alliance * self.halo[:, window].mean(axis=1)
        slope, shift = course.later_course(
            rng,
            truth,
            self.people.therapist,
            early,
            self.phq,
            self.attended[:, LAST_EARLY],
            self.people.within,
        )
        slope = slope + self.people.slope
        draws = [
            (rng.normal(0, truth.error_sd, len(weeks)), rng.random(len(weeks)))
            for _ in range(LAST_EARLY + 1, weeks.shape[1])
        ]
        noise = Ratings.drawn(rng, truth, weeks.shape, items)
        for session, (error, chance) in enumerate(draws, start=LAST_EARLY + 1):
            course_now = self.level + shift + slope * (weeks[:, session] - weeks[:, LAST_EARLY])
            if truth.late_alliance and session > LAST_MIDDLE:
                middle = self.felt[:, LAST_EARLY + 1 : LAST_MIDDLE + 1].mean(axis=1)
                course_now += (
                    truth.late_alliance * (middle - early) * (weeks[:, session] - weeks[:, LAST_MIDDLE])
                )
            self.latent[:, session] = course_now + truth.lagged_alliance * self.state[:, session - 1] + error
            halo = self.halo[:, session]
            self.phq[:, session] = course.reported(self.latent[:, session] - truth.halo_symptoms * halo)
            self.state[:, session] = (
                noise.total[:, session] - self.broken.loss[:, session] + truth.lagged_symptoms * error
            )
            self.felt[:, session] = self._expected_in(session) + self.state[:, session]
            self._come_again(session, chance)
        rest = slice(LAST_EARLY + 1, None)
        heard = self.felt[:, rest] + truth.halo_alliance * self.halo[:, rest]
        self.wai[:, rest] = noise.written(heard, rest)

    def _expected_in(self, session: int) -> Array:
        """`_expected` of one session."""
        improvement = self.phq[:, 0] - self.phq[:, session]
        expected: Array = (
            self.trait
            + self.truth.alliance_by_severity * (self.phq[:, 0] - self.truth.intake_mean)
            + shape_of(self.truth, np.array(session))
            + self.truth.alliance_by_improvement * improvement
        )
        return expected


def _unfilled(
    rng: np.random.Generator, phq: Array, wai: Array, attended: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Forms not filled in: 5 % of PHQ-9 after intake, 10 % of WAI-SR, and one item in 300."""
    wai[:, 0] = np.nan  # alliance is asked from the first session on, not at intake
    phq = np.where(attended, phq, np.nan)
    phq[:, 1:][rng.random(phq[:, 1:].shape) < 0.05] = np.nan
    wai[~attended] = np.nan
    wai[rng.random(wai.shape[:2]) < 0.10] = np.nan
    if wai.ndim == 3:
        wai[rng.random(wai.shape) < 1 / 300] = np.nan
    return phq, wai
