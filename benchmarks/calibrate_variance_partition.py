"""Repeats the variance partition on simulated clinic groups of known variances: coverage, power, zero estimates, type I error.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_variance_partition.md.

The truth: alliance = therapist + client + session; symptoms begin at an intake score and are then half of it + therapist + client + session.
Therapists' effects on both correlate.
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

from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.variance_partition.compute import divide
from alliance_longitudinal.analyses.variance_partition.therapists import (
    correlation,
    correlation_estimates,
    power_of_model,
    tests,
)
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Variances of therapists, clients and sessions; the correlation of therapists' effects, better with better.
ALLIANCE, SYMPTOMS, CORRELATION = (4.0, 25.0, 10.0), (1.2, 12.0, 6.0), 0.5
#: Make -> therapists, clients, and whether therapists differ.
MAKES = {
    "30 therapists, 450 clients": (30, 450, 1.0),
    "15 therapists, 150 clients": (15, 150, 1.0),
    "15 therapists, 150 clients, therapists alike": (15, 150, 0.0),
}


def study_of(seed: int, make: str) -> Study:
    """A clinic group whose scores have the known variances; who has which session is the simulator's."""
    therapists, clients, differ = MAKES[make]
    study = simulated_study(seed, ClinicTruth(therapists, clients), items=False)
    sessions, rng = study.sessions, np.random.default_rng(seed)
    sessions = sessions[sessions["session"] <= 8].sort_values(["client", "session"]).reset_index(drop=True)
    own, of = (sessions[k].astype("category").cat.codes.to_numpy() for k in ("client", "therapist"))
    r = np.array([[1, -CORRELATION], [-CORRELATION, 1]])  # more symptoms are worse
    scale = np.sqrt(differ * np.array([ALLIANCE[0], SYMPTOMS[0]]))
    u = rng.multivariate_normal([0, 0], r, of.max() + 1) * scale
    n, rows = own.max() + 1, len(sessions)

    def noise(k: int) -> np.ndarray:
        return np.sqrt((ALLIANCE, SYMPTOMS)[k][1]) * rng.normal(size=n)[own] + np.sqrt(
            (ALLIANCE, SYMPTOMS)[k][2]
        ) * rng.normal(size=rows)

    intake = 15 + 3 * rng.normal(size=n)
    later = 5 + 0.5 * intake[own] + u[of, 1] + noise(1)
    first = ~sessions["client"].duplicated()
    sessions["phq9"] = np.where(first, intake[own], later)
    sessions["alliance"] = np.where(sessions["session"] == 0, np.nan, 40 + u[of, 0] + noise(0))
    return replace(study, _sessions=sessions)


def estimates(job: tuple[int, str]) -> pd.DataFrame:
    """What one clinic group gives: ``make, what, estimate, low, high, p, zero, power``."""
    seed, make = job
    draft = Draft(study_of(seed, make))
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    level = divide(draft, a, draft.sessions, 0, seed)[0]
    end = divide(draft, y, draft.sessions, 0, seed)[2]
    rows = []
    for found, truth in ((level, ALLIANCE), (end, SYMPTOMS)):
        share = next(e for e in found.shares if e.level == "therapist")
        p = {e.id.split("_")[2]: e.p for e in tests(draft, found, 100, seed)}
        zero, power = (e.estimate for e in power_of_model(found, truth[0] / sum(truth), seed))
        rows.append(
            (
                make,
                found.kind,
                share.estimate,
                share.ci_low,
                share.ci_high,
                p["mixture"],
                p["boot"],
                zero,
                power,
            )
        )
    both = correlation(level, end)
    if not isinstance(both, str):
        for e in correlation_estimates(both, ""):
            if e.level == "therapist":
                rows.append((make, "r", e.estimate, e.ci_low, e.ci_high, *[np.nan] * 4))
    columns = ["make", "what", "estimate", "low", "high", "mixture", "boot", "zero", "power"]
    return pd.DataFrame(rows, columns=columns)


WORDS = {"level": "alliance level", "end": "last score given the first"}


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_variance_partition.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the variance partition",
        "",
        f"{seeds} simulated clinic groups of each make with known variances. Made by `make calibrate`",
        "(`benchmarks/calibrate_variance_partition.py`).",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %, and a",
        f"type I error of 5 % as {100 * max(0.05 - error, 0):.0f} to {100 * (0.05 + error):.0f} %.",
        "",
        "| make | share between therapists of | truth | mean | coverage (profile) | zero: found | said | p < .05, mixture | p < .05, simulated | power said |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (make, what), part in draws[draws["what"] != "r"].groupby(["make", "what"], sort=False):
        parts = ALLIANCE if what == "level" else SYMPTOMS
        truth = MAKES[make][2] * parts[0] / (MAKES[make][2] * parts[0] + sum(parts[1:]))
        inside = ((part["low"] <= truth + 1e-12) & (truth <= part["high"])).mean()
        said = (
            (f"{100 * part['zero'].mean():.0f} %", f"{100 * part['power'].mean():.0f} %")
            if truth
            else ("", "")
        )
        lines.append(
            f"| {make} | {WORDS[what]} | {truth:.3f} | {part['estimate'].mean():.3f} | {100 * inside:.0f} % "
            f"| {100 * (part['estimate'] < 1e-9).mean():.0f} % | {said[0]} | {100 * (part['mixture'] < 0.05).mean():.0f} % "
            f"| {100 * (part['boot'] < 0.05).mean():.0f} % | {said[1]} |"
        )
    lines += [
        "",
        "| make | correlation of therapists' effects | median | coverage (profile) | not estimated |",
        "|---|---|---|---|---|",
    ]
    for make in MAKES:
        part = draws[(draws["make"] == make) & (draws["what"] == "r")]
        if not MAKES[make][2] or part.empty:
            continue
        inside = ((part["low"] <= CORRELATION) & (part["high"] >= CORRELATION)).mean()
        lines.append(
            f"| {make} | {CORRELATION} | {part['estimate'].median():.2f} | {100 * inside:.0f} % | {100 * (1 - len(part) / seeds):.0f} % |"
        )
    lines += [
        "",
        "Zero and power are said in the design of each group, for the true share. A share is not unbiased: it is estimated as zero where it",
        "would be negative. Where a variance is zero no correlation is estimated; what is left is a selection.",
    ]
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
    (args.out / "calibration_variance_partition.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
