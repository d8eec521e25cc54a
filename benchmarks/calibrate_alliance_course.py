"""Repeats the analysis of the course of the alliance on simulated clinic groups: which shape is found, coverage of phases and of the late alliance.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_alliance_course.md.

The truth: the average alliance rises along a straight line, levels off (logarithm of the session), or falls from session 5 to 8 and returns
until session 11. It does not follow improvement. Ratings are totals without errors of items.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_course.compute import fit_phases, late_estimates, phase_estimates
from alliance_longitudinal.analyses.alliance_course.design import courses_of, late_rows
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.methods import growth_shapes
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

DOCS = Path(__file__).resolve().parents[1] / "docs"
BASE = {"alliance_by_improvement": 0.0, "within": 0.0, "between": 0.0}
#: Make -> its truth, the shapes that are right, and the change per session in sessions 1 to 5, 6 to 8, 9 to 11 and after.
MAKES = {
    "straight line, 300 clients": ({"alliance_growth": 0.3}, ("linear",), (0.3, 0.3, 0.3, 0.3)),
    "levelling off, 300 clients": ({"alliance_log": 4.0}, ("log",), None),
    "falls and returns, 300 clients": ({"alliance_dip": 6.0}, ("piecewise",), (0.0, -2.0, 2.0, 0.0)),
    "falls and returns, 80 clients": ({"alliance_dip": 6.0}, ("piecewise",), (0.0, -2.0, 2.0, 0.0)),
}


def estimates(job: tuple[int, str]) -> pd.DataFrame:
    """One clinic group: the best shape, and the phases and the late alliance with their limits."""
    seed, make = job
    clients = int(make.split()[-2])
    study = simulated_study(seed, ClinicTruth(clients // 15, clients, **BASE, **MAKES[make][0]), items=False)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    rated = draft.sessions[draft.sessions[a.name].notna()]
    courses = courses_of(rated, draft.sessions, a.name, (5, 8, 11))
    shapes = growth_shapes(courses.rows, "y", "time", "client", knots=courses.knots)
    phases = phase_estimates(fit_phases(draft, courses.rows, courses.knots), courses, "alliance")
    late = late_estimates(draft, late_rows(study.sessions, a.name, y.name, TimeWindow(1, 5), 4), y)
    rows = [(make, e.id, e.estimate, e.se, e.ci_low, e.ci_high) for e in [*phases, *late]]
    table = pd.DataFrame(rows, columns=["make", "id", "estimate", "se", "low", "high"])
    return table.assign(best=shapes.best)


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_alliance_course.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the course of the alliance",
        "",
        f"{seeds} simulated clinic groups of each make. Made by `make calibrate` (`benchmarks/calibrate_alliance_course.py`).",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| make | planted shape | found best (AIC) | share with the planted one |",
        "|---|---|---|---|",
    ]
    for make, (_, right, _) in MAKES.items():
        best = draws[(draws["make"] == make) & (draws["id"] == "phase_1")]["best"]
        counts = ", ".join(f"{name} {n}" for name, n in best.value_counts().items())
        lines.append(f"| {make} | {' or '.join(right)} | {counts} | {100 * best.isin(right).mean():.0f} % |")
    lines += [
        "",
        "| make | estimate | truth | mean | bias | Monte Carlo error | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (make, name), part in draws.groupby(["make", "id"], sort=False):
        truth = truth_of(make, name)
        if truth is None:
            continue
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread, mean = part["estimate"].std(), part["estimate"].mean()
        lines.append(
            f"| {make} | {name.replace('_', ' ')} | {truth:g} | {mean:.3f} | {mean - truth:.3f} | {spread / np.sqrt(len(part)):.3f} | {spread:.3f} "
            f"| {part['se'].mean():.3f} | {100 * inside:.1f} % |"
        )
    lines += [
        "",
        "A straight line is a special case of the curve and of the phases, which the AIC prefers by chance in a quarter to a third of the data sets. In these",
        "clinics neither the early nor the late alliance changes symptoms, so that late given early is zero.",
    ]
    return "\n".join(lines) + "\n"


def truth_of(make: str, name: str) -> float | None:
    """Truth of an estimate; None where there is no single number."""
    phases = MAKES[make][2]
    if name.startswith("phase_") and phases is not None:
        return phases[int(name[-1]) - 1]
    return 0.0 if name in ("late_given_early", "early_given_late") else None


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
    text = page(draws, args.seeds)
    (args.out / "calibration_alliance_course.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
