"""Looks into results, and makes variants of a study."""

from dataclasses import replace

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.analysis_result import AnalysisResult
from alliance_longitudinal.data.study import Study


def value(result: AnalysisResult, name: str, column: str = "estimate") -> float:
    """One number of a result."""
    return float(result.estimates.set_index("id").loc[name, column])


def with_sessions(study: Study, sessions: pd.DataFrame) -> Study:
    """The same study with other sessions."""
    return replace(study, _sessions=sessions)


def shuffled(study: Study, seed: int = 0) -> Study:
    """The same study with its rows in another order and other names for clients and therapists."""
    sessions = study.sessions
    rng = np.random.default_rng(seed)
    clients, therapists = sessions["client"].unique(), sessions["therapist"].unique()
    new_client = dict(zip(clients, [f"c{k}" for k in rng.permutation(len(clients))], strict=True))
    new_therapist = dict(zip(therapists, [f"x{k}" for k in rng.permutation(len(therapists))], strict=True))
    sessions["client"] = sessions["client"].map(new_client)
    sessions["therapist"] = sessions["therapist"].map(new_therapist)
    return with_sessions(study, sessions.sample(frac=1, random_state=seed).reset_index(drop=True))
