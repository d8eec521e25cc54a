"""The true parameters of a simulated clinic, their units, and which of them may not be what."""

from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

from alliance_longitudinal.errors import DataError


@dataclass(frozen=True, slots=True)
class ClinicTruth:
    """True parameters: symptoms in PHQ-9 points, alliance in points of the WAI-SR total, time in weeks.

    Everything from ``attachment_anxiety`` on is switched off in the default clinic.

    Attributes
    ----------
    therapists, clients : int
        Every therapist has at least five clients.
    intake_mean, intake_therapist_sd, intake_client_sd : float
        Symptoms at intake.
    early_rate, early_rate_sd : float
        Change per week up to session 5, and its standard deviation between clients.
    slope : float
        Change per week after session 5 of a client with average predictors.
    within, between : float
        Effect of one alliance point on that change: of a client's early mean relative to the therapist's mean, and of
        the therapist's mean relative to the overall mean. Their difference is the contextual effect.
    intake_effect, change_effect : float
        Effect on that change of one point of intake severity, and of the change up to session 5.
    therapist_level_sd, therapist_slope_sd, therapist_cor : float
        Random effects of therapists after session 5 given the predictors: level, weekly change, their correlation.
    client_level_sd, client_slope_sd, client_cor : float
        The same for clients within therapists.
    error_sd : float
        Within-client residual of a symptom score, before rounding.
    alliance_mean, alliance_therapist_sd, alliance_client_sd, alliance_session_sd : float
        Mean of the alliance, and its standard deviation between therapists, between clients within therapists, and
        between sessions within clients.
    alliance_by_improvement, alliance_by_severity : float
        Alliance points per point of improvement reported so far, and per point of intake severity above the mean.
    dropout_intercept, dropout_by_severity : float
        Logit of leaving before the next session, and its rise per symptom point of the last report (no rise at 12
        points).
    attachment_anxiety, attachment_avoidance : float
        Alliance points per standard deviation of the client's attachment anxiety or avoidance.
    personality_disorder, personality_disorder_share : float
        Alliance points that a personality disorder adds, and the share of clients who have one.
    empathy, experience, flexibility : float
        Alliance points per standard deviation of the therapist's empathy, experience, flexibility.
    alliance_growth : float
        Alliance points per session.
    lagged_alliance : float
        Symptom points per point of the last session's alliance above what is expected for the client (after session
        5).
    lagged_symptoms : float
        Alliance points per point of today's symptoms above what is expected for the client (after session 5).
    halo_alliance, halo_symptoms, halo_stable : float
        A method factor (standard deviation 1) raises the client's alliance ratings by ``halo_alliance`` and lowers the
        client's symptom reports by ``halo_symptoms``; the share ``halo_stable`` of its variance lies between clients.
        Symptoms themselves follow the alliance without halo.
    within_therapist_sd : float
        Standard deviation between therapists of the effect ``within``.
    observed_share : float
        Share of each therapist's clients who are in the data (at least one). ``between`` is the effect of the mean
        over all clients, which the mean over the observed clients measures with error.
    therapist_rating_bias, therapist_rating_style_sd, therapist_rating_accuracy, therapist_rating_error_sd : float
        The therapist's rating: points above the client's, standard deviation of therapists' own response style, slope
        on the felt alliance, error.
    observer_accuracy, observer_error_sd, carer_accuracy, carer_error_sd : float
        The same for an observer's and for a carer's rating.
    clinician_error_sd : float
        Error of a clinician's rating of symptoms, which has no halo.
    rupture_chance, rupture_depth, rupture_length, rupture_repaired : float
        Probability of a rupture per session, points lost, sessions until it is repaired (linearly), and share that is
        repaired.
    dropout_by_today, dropout_by_alliance, dropout_by_rupture : float
        Rise of the logit of leaving per symptom point of the session that is then missed (*not* missing at random), per
        alliance point below the mean, and while a rupture is open.
    group_size, group_alliance_sd, group_slope_sd : float
        Number of clients of one therapist who are treated together, and standard deviations of what they share.
    family_size, family_alliance_sd, family_slope_sd : float
        Number of clients of one therapist from one family or couple, and standard deviations of what they share.

    avoidance_by_experience : float
        Alliance points per product of the client's attachment avoidance and the therapist's experience, both standardised.
    arm_share, arm_alliance, arm_slope : float
        Share of clients in a second treatment arm (drawn within therapists), and what it adds to the alliance and to
        the weekly change after session 5.
    within_by_arm, within_by_avoidance : float
        Increase of the effect ``within`` in the second arm, and per standard deviation of attachment avoidance.
    dropout_therapist_sd : float
        Standard deviation between therapists of the logit of leaving.
    alliance_log, alliance_dip : float
        Alliance points per unit of the logarithm of the session number (a fast rise that levels off), and points lost
        in the middle: most at session 8, none before session 5 or after session 11 (a high-low-high course).
    late_alliance : float
        Symptom points per week after session 10 per point by which the mean alliance felt in sessions 6 to 10 is
        above the client's early mean.
    alliance_by_case, slope_by_case : float
        What ten more earlier cases of the therapist add to a client's alliance, and to the weekly change after
        session 5. Cases are in the order of the clients.
    case_therapist_sd : float
        Standard deviation between therapists of ``alliance_by_case``.
    length_by_improvement : float
        Sessions added to the planned length per point of improvement above 1.75 that is reported up to session 5.
        Below 0, clients who improve quickly end sooner (good-enough level), but not before session 6.
    planned_chance, planned_by_session : float
        Probability of a planned end before session 2, and the rise of its logit per session. Above 0, treatments end
        in this way and not at a length set beforehand. Clients then have an ``end``: planned, dropout, or missing for
        those still in treatment at the last session. A planned end comes before leaving: the logit of leaving given
        above is for those who do not end as planned.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> truth = al.ClinicTruth(therapists=20, clients=400, within=-0.1)
    >>> truth.within, truth.to_dict()["clients"]
    (-0.1, 400)
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
    # from here on: neutral unless asked for
    intake_therapist_sd: float = 0.8
    intake_client_sd: float = 3.0
    early_rate_sd: float = 0.3
    attachment_anxiety: float = 0.0
    attachment_avoidance: float = 0.0
    personality_disorder: float = 0.0
    personality_disorder_share: float = 0.2
    empathy: float = 0.0
    experience: float = 0.0
    flexibility: float = 0.0
    alliance_growth: float = 0.0
    lagged_alliance: float = 0.0
    lagged_symptoms: float = 0.0
    halo_alliance: float = 0.0
    halo_symptoms: float = 0.0
    halo_stable: float = 0.5
    therapist_rating_bias: float = -3.0
    therapist_rating_style_sd: float = 2.0
    therapist_rating_accuracy: float = 0.5
    therapist_rating_error_sd: float = 4.0
    observer_accuracy: float = 0.6
    observer_error_sd: float = 4.0
    carer_accuracy: float = 0.4
    carer_error_sd: float = 5.0
    clinician_error_sd: float = 2.0
    rupture_chance: float = 0.0
    rupture_depth: float = 8.0
    rupture_length: int = 3
    rupture_repaired: float = 0.7
    dropout_by_today: float = 0.0
    dropout_by_alliance: float = 0.0
    dropout_by_rupture: float = 0.0
    group_size: int = 1
    group_alliance_sd: float = 0.0
    group_slope_sd: float = 0.0
    family_size: int = 1
    family_alliance_sd: float = 0.0
    family_slope_sd: float = 0.0
    within_therapist_sd: float = 0.0
    observed_share: float = 1.0
    avoidance_by_experience: float = 0.0
    arm_share: float = 0.0
    arm_alliance: float = 0.0
    arm_slope: float = 0.0
    within_by_arm: float = 0.0
    within_by_avoidance: float = 0.0
    dropout_therapist_sd: float = 0.0
    planned_chance: float = 0.0
    planned_by_session: float = 0.0
    alliance_log: float = 0.0
    alliance_dip: float = 0.0
    late_alliance: float = 0.0
    alliance_by_case: float = 0.0
    slope_by_case: float = 0.0
    case_therapist_sd: float = 0.0
    length_by_improvement: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.clients < 5 * self.therapists:
            raise DataError(
                f"{self.clients} clients are too few for {self.therapists} therapists, because "
                f"every therapist has at least five. Ask for at least {5 * self.therapists} clients."
            )

    def to_dict(self) -> dict[str, float]:
        """Plain data: what every clinic has, and what was switched on or changed."""
        standard = _STANDARD
        last = list(standard).index("dropout_by_severity")
        always = set(list(standard)[: last + 1])
        return {k: v for k, v in asdict(self).items() if k in always or v != standard[k]}


_STANDARD: dict[str, Any] = {f.name: f.default for f in fields(ClinicTruth)}
_COUNTS = {"therapists", "clients", "rupture_length", "group_size", "family_size"}
_SHARES = {
    "personality_disorder_share",
    "halo_stable",
    "rupture_chance",
    "rupture_repaired",
    "observed_share",
    "arm_share",
    "planned_chance",
}


def _check(name: str, value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value != value
        or abs(value) == float("inf")
    ):
        raise DataError(f"{name} of a simulated clinic must be a finite number, not {value!r}.")
    if name in _COUNTS and (value != int(value) or value < 1):
        raise DataError(f"{name} of a simulated clinic must be a whole number of at least 1, not {value!r}.")
    if name in _SHARES and not 0 <= value <= 1:
        raise DataError(f"{name} of a simulated clinic must lie between 0 and 1, not at {value!r}.")
    if name.endswith("_sd") and value < 0:
        raise DataError(f"{name} of a simulated clinic is a standard deviation and cannot be {value!r}.")
    if name.endswith("_cor") and not -1 <= value <= 1:
        raise DataError(f"{name} of a simulated clinic is a correlation and cannot be {value!r}.")


def truth_of(parameters: dict[str, Any]) -> ClinicTruth:
    """Truth from parameters by name.

    Raises
    ------
    DataError
        A name is unknown (with the nearest one) or a value impossible.
    """
    for name in parameters:
        if name not in _STANDARD:
            near = get_close_matches(name, _STANDARD, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " See help(alliance_longitudinal.ClinicTruth)."
            raise DataError(f"A simulated clinic has no parameter {name!r}.{hint}")
    return ClinicTruth(**parameters)
