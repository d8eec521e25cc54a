"""Repeats the expected-course analysis on simulated clinic groups: do its intervals contain what large groups show?

`make calibrate` runs 200 seeds of each make on all cores and writes docs/calibration_expected_course.md.

The truth of a number is its value in a few very large clinic groups of the same make, where the archive is large and the
number has hardly any error. In small groups the archive is small, so bands are a little too narrow and risks a little too extreme:
that is a bias of the small archive, and the page shows it.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Courses that differ much, so that about one client in five deteriorates; therapists differ, and the alliance matters.
COURSES = {
    "client_slope_sd": 0.35,
    "slope": -0.02,
    "early_rate": -0.1,
    "early_rate_sd": 0.4,
    "therapist_slope_sd": 0.1,
    "within": -0.03,
    "between": -0.03,
}
#: Name of a make -> therapists and clients.
MAKES = {"20 therapists, 500 clients": (20, 500), "10 therapists, 200 clients": (10, 200)}
LARGE = (200, 6000)
LARGE_SEEDS = range(9001, 9005)
NAMES = (
    *(
        "cover80_k0",
        "cover95_k0",
        "rmse_k0",
        "cover80_k4",
        "rmse_k4",
        "cover80_k4_therapist",
        "rmse_k4_therapist",
    ),
    *(
        "cover80_alliance_k4",
        "deteriorated",
        "flagged",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "ppv_5",
        "ppv_10",
    ),
    *("auc", "brier", "calibration_slope", "calibration_intercept", "delta_auc_alliance", "or_alliance"),
)


def one(job: tuple[int, str, tuple[int, int]]) -> pd.DataFrame:
    """Estimates of one clinic group."""
    seed, make, (therapists, clients) = job
    study = simulated_study(seed, ClinicTruth(therapists, clients, **COURSES), items=False)
    found = al.expected_course(study, folds=5, seed=seed).estimates
    columns = ["id", "estimate", "se", "ci_low", "ci_high", "n"]
    return found.loc[found["id"].isin(NAMES), columns].assign(make=make, seed=seed)


def page(draws: pd.DataFrame, truth: "pd.Series[float]", error: "pd.Series[float]", seeds: int) -> str:
    """docs/calibration_expected_course.md."""
    limit = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of expected courses",
        "",
        f"{seeds} simulated clinic groups of each make, in five folds. The truth is the mean of {len(LARGE_SEEDS)} groups of {LARGE[1]}",
        f"clients of {LARGE[0]} therapists; its own error is in the table. Made by `make calibrate`",
        "(`benchmarks/calibrate_expected_course.py`).",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - limit):.0f} to {100 * min(0.95 + limit, 1):.0f} %.",
        "",
        "| make | number | truth (error) | groups with it | mean | bias | Monte Carlo error | spread | mean SE | interval contains the truth |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for make in MAKES:
        for name in NAMES:
            part = draws[(draws["make"] == make) & (draws["id"] == name)]
            if len(part) < 3:
                lines.append(
                    f"| {make} | `{name}` | {truth[name]:.4f} ({error[name]:.4f}) | {len(part)} | | | | | | |"
                )
                continue
            inside = ((part["ci_low"] <= truth[name]) & (truth[name] <= part["ci_high"])).mean()
            mean, spread = part["estimate"].mean(), part["estimate"].std()
            lines.append(
                f"| {make} | `{name}` | {truth[name]:.4f} ({error[name]:.4f}) | {len(part)} | {mean:.4f} | {mean - truth[name]:.4f} "
                f"| {spread / np.sqrt(len(part)):.4f} | {spread:.4f} | {part['se'].mean():.4f} | {100 * inside:.1f} % |"
            )
    lines += [
        "",
        "Numbers on accuracy are missing where fewer than 20 clients had the event. The simulated courses are no logarithm of time, so the",
        "share of scores in a band need not be 80 or 95 % even in large groups: the truth is what the method reaches there.",
        "",
        "Intervals of coverage are wide: they take the bands as given, but bands are fitted to clients of the same group and follow its spread,",
        "so coverage varies less between groups. The interval of the difference in AUC is too narrow, because this difference is skewed and",
        "cannot be far below zero; the odds ratio of the alliance (`or_alliance`) is the better number to judge by.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [(seed, "truth", LARGE) for seed in LARGE_SEEDS]
    jobs += [(seed, make, size) for make, size in MAKES.items() for seed in range(1, args.seeds + 1)]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.concat(pool.map(one, jobs), ignore_index=True)
    large = draws[draws["make"] == "truth"].groupby("id")["estimate"]
    text = page(draws, large.mean(), large.sem(), args.seeds)
    (args.out / "calibration_expected_course.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
