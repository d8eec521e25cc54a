"""CPU time of ruptures in simulated series, and of both sides of 10,000 cases, in a fresh process; JSON."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

if __name__ == "__main__":  # not in bench.py, which reads the tasks and gives its other work all threads
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[_name] = "1"

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

#: Task -> what it is, and at most how many seconds of CPU.
TASKS = {
    "events": ("ruptures: 500 null series sets for 900 clients", 10.0),
    "one_with_many": ("one with many: 10,000 cases of 500 therapists, both sides", 5.0),
    "sessions": ("the same with 4 sessions per case", 5.0),
    "dyads": ("couples: actor and partner effects of 10,000 cases by role, with 500 therapists", 5.0),
    "report": ("the whole analysis dyads of 10,000 couples", 5.0),
}
CASES, THERAPISTS = 10_000, 500


def sides(sessions: int) -> pd.DataFrame:
    """Ratings of clients and therapists: ``therapist, client, session, role, rating``."""
    rng = np.random.default_rng(1)
    therapist = np.repeat(np.arange(THERAPISTS), CASES // THERAPISTS)
    parts = []
    for role in range(2):
        own = rng.normal(0, 1, THERAPISTS)[therapist] + rng.normal(0, 2, CASES)
        rating = own[:, None] + rng.normal(0, 2, (CASES, sessions))
        ids = {"therapist": np.repeat(therapist, sessions), "client": np.repeat(np.arange(CASES), sessions)}
        rows = pd.DataFrame(ids).assign(session=np.tile(np.arange(sessions), CASES), rating=rating.ravel())
        parts.append(rows.assign(role="ct"[role]))
    return pd.concat(parts, ignore_index=True)


def couples() -> pd.DataFrame:
    """Members of couples: ``case, person, therapist, role, x, partner, first, y``."""
    rng = np.random.default_rng(1)
    x = rng.multivariate_normal([0, 0], [[16, 6], [6, 16]], CASES)
    first = rng.normal(16, 4, (CASES, 2)) - 0.2 * x
    of = np.arange(CASES) % THERAPISTS
    y = 0.6 * first - 0.4 * x + rng.normal(0, 1, THERAPISTS)[of][:, None] + rng.normal(0, 1.5, (CASES, 1))
    y = y + rng.normal(0, 2, (CASES, 2))
    names = {
        "case": np.repeat([f"F{k}" for k in range(CASES)], 2),
        "person": [f"{r}{k}" for k in range(CASES) for r in "mw"],
        "therapist": np.repeat([f"t{j}" for j in of], 2),
        "role": ["m", "w"] * CASES,
    }
    numbers = {"x": x.ravel(), "partner": x[:, ::-1].ravel(), "first": first.ravel(), "y": y.ravel()}
    return pd.DataFrame(names | numbers)


def study_of(people: pd.DataFrame) -> al.Study:
    """Couples with ratings at sessions 1 to 3 and outcomes at 0 and 6."""
    rng = np.random.default_rng(2)
    base = simulated_study(1, ClinicTruth(therapists=5, clients=25), items=False)
    parts = []
    for session in (0, 1, 2, 3, 6):
        rated = session in (1, 2, 3)
        alliance = 43 + people["x"] + rng.normal(0, 0.5, len(people)) if rated else np.nan
        phq9 = people["first"] if session == 0 else people["y"] if session == 6 else np.nan
        ids = {"client": people["person"], "family": people["case"], "therapist": people["therapist"]}
        parts.append(
            pd.DataFrame(ids).assign(session=session, week=float(session), alliance=alliance, phq9=phq9)
        )
    sessions = pd.concat(parts, ignore_index=True)
    clients = people.rename(columns={"person": "client"})[["client", "therapist", "role"]]
    return replace(base, _sessions=sessions, _clients=clients, covariates=("role",), early_window=(1, 3))


def job(task: str) -> Callable[[], object]:
    """What is timed, with its data ready."""
    if task == "events":
        rows = simulated_study(1, ClinicTruth(therapists=45, clients=900), items=False).sessions
        return lambda: methods.find_ruptures(rows, "alliance", min_ratings=8, limits=(12, 60), step=1).null
    if task in ("one_with_many", "sessions"):
        frame = sides(4 if task == "sessions" else 1)
        session = "session" if task == "sessions" else None
        return lambda: methods.one_with_many(frame, "rating", "role", "therapist", "client", session)
    people = couples()
    if task == "report":
        study = study_of(people)
        return lambda: al.dyads(study, role="role")
    call = {"covariates": "first", "group": "therapist"}
    return lambda: methods.actor_partner(people, "y", "x", "partner", "person", "case", "role", **call)


def main(task: str) -> None:
    """Print the CPU seconds of a task, with loading and compiling as a user has them."""
    work = job(task)
    start = time.process_time()
    work()
    print(json.dumps({"cpu": time.process_time() - start}))


if __name__ == "__main__":
    main(sys.argv[1])
