"""A chain within clients with known truth: a cause, the alliance one session later, symptoms another session later."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class ChainTruth:
    """What is true of a simulated chain.

    Attributes
    ----------
    a : float
        Alliance points per point of the last session's cause, on average over clients.
    b : float
        Symptom points per point of the last session's alliance, on average over clients.
    path_sd : float
        Standard deviation of both paths between clients.
    cov_ab : float
        Covariance of both paths between clients. The average client's indirect path is ``a b + cov_ab``.
    direct : float
        Symptom points per point of the cause two sessions before.
    level_by_cause : float
        Alliance points of a client per point of the client's mean cause; what it does to the mean symptoms is -0.3 times that.
    feedback : float
        Alliance points per point of the last session's symptoms, as far as they differ from the client's expected course. Negative: the alliance
        follows improvement.
    """

    a: float = 0.5
    b: float = -0.4
    path_sd: float = 0.2
    cov_ab: float = -0.03
    direct: float = -0.1
    level_by_cause: float = 0.8
    feedback: float = 0.0

    @property
    def indirect(self) -> float:
        """The path of an average client by way of the alliance."""
        return self.a * self.b + self.cov_ab


def simulate_chain(
    seed: int,
    clients: int = 80,
    therapists: int = 10,
    sessions: int = 11,
    truth: ChainTruth | None = None,
) -> pd.DataFrame:
    """Sessions of clients in which the cause acts on the next session's alliance, and this on the symptoms after it.

    The alliance follows the symptoms only if the truth has ``feedback``. Symptoms fall by 0.3 points per session.

    Parameters
    ----------
    seed : int
    clients, therapists, sessions : int
        Clients belong to therapists in turn; therapists do not differ.
    truth : ChainTruth, optional
        None: the standard one.

    Returns
    -------
    DataFrame
        ``client, therapist, session, week, empathy`` (the cause), ``alliance, phq9``; one row per client and session, from session 0.

    Examples
    --------
    >>> from alliance_longitudinal.simulation import ChainTruth, simulate_chain
    >>> rows = simulate_chain(1, clients=4, therapists=2, sessions=3)
    >>> len(rows), list(rows.columns)
    (12, ['client', 'therapist', 'session', 'week', 'empathy', 'alliance', 'phq9'])
    >>> ChainTruth().indirect
    -0.23
    """
    known = ChainTruth() if truth is None else truth
    rng = np.random.default_rng(seed)
    spread = [[known.path_sd**2, known.cov_ab], [known.cov_ab, known.path_sd**2]]
    paths = rng.multivariate_normal([known.a, known.b], spread, clients)
    parts = []
    for k, (a, b) in enumerate(paths):
        level = rng.normal(0, 2)
        own = known.level_by_cause * level
        cause = rng.normal(0, 2, sessions)
        alliance = 40 + own + rng.normal(0, 3) + rng.normal(0, 1.5, sessions)
        alliance[1:] += a * cause[:-1]
        symptoms = (
            15 + rng.normal(0, 3) - 0.3 * own + rng.normal(0, 1.5, sessions) - 0.3 * np.arange(sessions)
        )
        symptoms[1:] += b * (alliance[:-1] - alliance.mean())
        symptoms[2:] += known.direct * cause[:-2]
        if known.feedback:
            _answer(alliance, symptoms, known.feedback, b)
        parts.append(
            pd.DataFrame(
                {
                    "client": f"c{k:03d}",
                    "therapist": f"t{k % therapists:02d}",
                    "session": np.arange(sessions),
                    "week": np.arange(sessions, dtype=float),
                    "empathy": 50 + level + cause,
                    "alliance": alliance,
                    "phq9": symptoms,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _answer(alliance: "np.ndarray", symptoms: "np.ndarray", feedback: float, b: float) -> None:
    """Let the alliance answer the symptoms before it, and the symptoms the alliance that changed; in place."""
    expected = symptoms.mean() - 0.3 * (np.arange(len(symptoms)) - (len(symptoms) - 1) / 2)
    change = 0.0
    for t in range(1, len(symptoms)):
        symptoms[t] += b * change  # of the alliance one session earlier
        change = feedback * (symptoms[t - 1] - expected[t - 1])
        alliance[t] += change
