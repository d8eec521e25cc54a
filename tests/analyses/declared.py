"""Studies with declared covariates and arms."""

from dataclasses import replace

import numpy as np
import pandas as pd

from alliance_longitudinal import Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth


def with_covariates(study: Study, seed: int = 1) -> Study:
    """The study with two arms, and covariates of every level, some of them missing.

    ``arm`` (CBT, IPT), ``age`` (missing for 5 clients), ``education`` (low, middle, high; low is the reference),
    ``experience`` of therapists, ``adherence`` of sessions.
    """
    rng = np.random.default_rng(seed)
    clients, sessions, therapists = study.clients, study.sessions, study.therapists
    n = len(clients)
    clients["arm"] = rng.choice(["CBT", "IPT"], n, p=[0.6, 0.4])
    clients["age"] = rng.normal(40, 10, n).round()
    clients.loc[clients.index[:5], "age"] = np.nan
    clients["education"] = pd.Categorical(
        rng.choice(["low", "middle", "high"], n), categories=["low", "middle", "high"], ordered=True
    )
    therapists["experience"] = rng.integers(1, 30, len(therapists)).astype(float)
    sessions["arm"] = sessions["client"].map(clients.set_index("client")["arm"])
    sessions["adherence"] = rng.normal(0, 1, len(sessions))
    return replace(
        study,
        covariates=("age", "education"),
        therapist_covariates=("experience",),
        session_covariates=("adherence",),
        _clients=clients,
        _sessions=sessions,
        _therapists=therapists,
    )


def trial(seed: int = 5, therapists: int = 16, clients: int = 240) -> Study:
    """A simulated clinic with declared covariates and arms."""
    return with_covariates(simulated_study(seed, ClinicTruth(therapists=therapists, clients=clients)))
