"""Repeats the analysis of therapists' development on simulated clinic groups: bias, coverage and type I error.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_therapist_development.md.

The truth: ten cases of a therapist add a number of points to the alliance, which differs between therapists, and another to every
score after the first session. Clients are numbered in the order of the simulation.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.therapist_development.compute import change_estimate, fit_change
from alliance_longitudinal.analyses.therapist_development.design import cases_of, number_cases
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Name of a make -> therapists, clients, points of alliance, its standard deviation between therapists, points of the end score.
MAKES = {
    "change, 30 therapists, 600 clients": (30, 600, 1.0, 1.0, -0.5),
    "no change on average, 30 therapists, 600 clients": (30, 600, 0.0, 1.0, 0.0),
    "no change, 30 therapists, 600 clients": (30, 600, 0.0, 0.0, 0.0),
    "change, 10 therapists, 200 clients": (10, 200, 1.0, 1.0, -0.5),
}


def study_of(seed: int, make: str) -> Study:
    """A clinic whose therapists change; ``case`` is a covariate of clients."""
    therapists, clients, alliance, sd, end = MAKES[make]
    truth = ClinicTruth(
        therapists, clients, within=0.0, between=0.0, alliance_by_case=alliance, case_therapist_sd=sd
    )
    study = simulated_study(seed, truth, items=False)
    made = simulate_clinic(seed, truth, items=False)
    case = pd.DataFrame({"client": study.clients["client"], "case": made.people.case.astype(float)})
    sessions = study.sessions
    later = sessions["session"] > 1
    of = case.set_index("client")["case"].reindex(sessions["client"]).to_numpy()
    sessions.loc[later, "phq9"] += end * (of[later] - 1) / 10
    people = study.clients.merge(case, on="client", how="left")
    return replace(study, covariates=("case",), _sessions=sessions, _clients=people)


def estimates(job: tuple[int, str]) -> pd.DataFrame:
    """Of one clinic group: ``make, name, estimate, se, low, high, truth, sd``."""
    seed, make = job
    study = study_of(seed, make)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    people = number_cases(study, "case")
    assert people is not None
    cases = cases_of(draft, people, a, y, (1, 5), 13.0, None)
    rows = []
    for outcome, truth in (("alliance", MAKES[make][2]), ("end", MAKES[make][4])):
        change = fit_change(draft, cases, outcome, "case")
        assert change is not None
        e = change_estimate(change, "", "")
        rows.append((make, e.id, e.estimate, e.se, e.ci_low, e.ci_high, truth, change.sd))
    return pd.DataFrame(rows, columns=["make", "name", "estimate", "se", "low", "high", "truth", "sd"])


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_therapist_development.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the analysis of therapists' development",
        "",
        f"{seeds} simulated clinic groups of each make. Made by `make calibrate` (`benchmarks/calibrate_therapist_development.py`).",
        "Changes are in points over ten cases of a therapist; the change of the alliance differs between therapists as the last",
        "columns say.",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| make | change | truth | mean | bias | Monte Carlo error | spread | mean SE | coverage | SD between therapists | mean estimate |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (make, name), part in draws.groupby(["make", "name"], sort=False):
        truth = float(part["truth"].iloc[0])
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread, mean = part["estimate"].std(), part["estimate"].mean()
        sd = MAKES[make][3] if name == "alliance_case" else 0.0
        lines.append(
            f"| {make} | {name} | {truth:g} | {mean:.3f} | {mean - truth:.3f} | {spread / np.sqrt(len(part)):.3f} | {spread:.3f} "
            f"| {part['se'].mean():.3f} | {100 * inside:.1f} % | {sd:g} | {part['sd'].mean():.2f} |"
        )
    lines += ["", "A coverage of a truth of zero is one less the type I error."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [(seed, make) for make in MAKES for seed in range(1, args.seeds + 1)]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.concat(pool.map(estimates, jobs), ignore_index=True)
    (args.out / "calibration_therapist_development.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
