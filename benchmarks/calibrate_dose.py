"""Repeats the analysis of dose on simulated clinic groups: coverage of the share improved, and of length and change in both worlds.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_dose.md.

In the world of dose, lengths of treatment are set by chance. In the world of the good-enough level, they are 0.8 sessions shorter per point
of improvement reported up to session 5. The truth of a share, and of the slope in the second world, is the mean of large clinics.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dose.compute import fit_length, length_estimates, time_estimates, times_of
from alliance_longitudinal.analyses.dose.design import dose_of
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOWN = {
    "share_by_8": "improved in treatment by session 8",
    "share_by_8_km": "the same by Kaplan and Meier",
    "slope_by_length": "change per session by length",
}
#: Make -> therapists, clients, and the truth.
MAKES = {
    "dose, 20 therapists, 300 clients": (20, 300, {}),
    "good-enough level, 20 therapists, 300 clients": (20, 300, {"length_by_improvement": -0.8}),
    "dose, 8 therapists, 80 clients": (8, 80, {}),
}


def estimates(job: tuple[int, str, int]) -> pd.DataFrame:
    """Estimates of one clinic: ``make, id, estimate, se, low, high``, and whether the AIC prefers the good-enough level."""
    seed, make, times = job
    therapists, clients, truth = MAKES[make]
    made = ClinicTruth(therapists * times, clients * times, dropout_by_severity=0.0, **truth)
    draft = Draft(simulated_study(seed, made, items=False))
    y = draft.measure("symptoms", None)
    found = dose_of(draft, y, 6.0, inclusive=True)
    numbers = [
        *time_estimates(times_of(found), found, 8),
        *length_estimates(fit_length(draft, found.scores), found, y),
    ]
    gel = next(e.estimate for e in numbers if e.id == "gel_vs_dose_aic") > 0
    rows = [(make, e.id, e.estimate, e.se, e.ci_low, e.ci_high) for e in numbers if e.id in SHOWN]
    return pd.DataFrame(rows, columns=["make", "id", "estimate", "se", "low", "high"]).assign(gel=gel)


def page(draws: pd.DataFrame, known: dict[tuple[str, str], float], seeds: int) -> str:
    """docs/calibration_dose.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the analysis of dose",
        "",
        f"{seeds} simulated clinic groups of each make. Made by `make calibrate` (`benchmarks/calibrate_dose.py`).",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "Truths are the mean of clinics that are eight times as large; that of the slope by length in the world of dose is zero.",
        "",
        "| make | estimate | truth | mean | bias | Monte Carlo error | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (make, name), part in draws.groupby(["make", "id"], sort=False):
        truth = 0.0 if name == "slope_by_length" and make.startswith("dose") else known[make, name]
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread, mean = part["estimate"].std(), part["estimate"].mean()
        lines.append(
            f"| {make} | {SHOWN[name]} | {truth:.4f} | {mean:.4f} | {mean - truth:.4f} | {spread / np.sqrt(len(part)):.4f} | {spread:.4f} | "
            f"{part['se'].mean():.4f} | {100 * inside:.1f} % |"
        )
    lines += ["", "| make | AIC prefers the good-enough level |", "|---|---|"]
    for make, part in draws[draws["id"] == "share_by_8"].groupby("make", sort=False):
        lines.append(f"| {make} | {100 * part['gel'].mean():.0f} % |")
    lines += [
        "",
        "Where lengths are set by chance, the AIC prefers the larger model in about one of six data sets (chi-squared above two).",
        "The truth of a share comes from few large clinics, whose therapists differ: it is itself uncertain by about .01.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [(seed, make, 1) for make in MAKES for seed in range(1, args.seeds + 1)]
    big = [(seed, make, 8) for make in MAKES for seed in range(9001, 9003)]
    with ProcessPoolExecutor(args.jobs) as pool:
        large = pd.concat(pool.map(estimates, big), ignore_index=True)
        draws = pd.concat(pool.map(estimates, jobs), ignore_index=True)
    known = {
        (make, name): float(v) for (make, name), v in large.groupby(["make", "id"])["estimate"].mean().items()
    }
    text = page(draws, known, args.seeds)
    (args.out / "calibration_dose.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
