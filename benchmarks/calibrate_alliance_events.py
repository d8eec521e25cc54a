"""Repeats the analysis of ruptures on simulated clinic groups: how often does it find what is not there?

`make calibrate` runs 200 seeds of each make on all cores and writes docs/calibration_alliance_events.md.

In the first make the alliance only fluctuates: the number of ruptures should lie within the limits of what fluctuation produces in 95 %
of the groups, and ruptures are not related to outcome. In the second there are ruptures, some of which are repaired: whether
one is does not depend on the therapist, whose experience is a random number.
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

import alliance_longitudinal as al
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = {"therapists": 20, "clients": 300, "alliance_by_improvement": 0.0}
MAKES = {
    "fluctuation only": {},
    "ruptures": {"rupture_chance": 0.05, "rupture_depth": 12.0, "rupture_length": 2, "rupture_repaired": 0.6},
}
RULES = ("drop_1sd", "drop_2sd", "chart", "residual_2sd")
#: Estimates whose truth is known -> the truth. Only the first make has no ruptures.
TRUTHS = {
    "fluctuation only": {"outcome_events": 0.0, "outcome_events_between": 0.0, "repair_experience": 1.0},
    "ruptures": {"outcome_events": 0.0, "repair_experience": 1.0},
}


def one(job: tuple[int, str]) -> pd.DataFrame:
    """Whether numbers lie where they should, in one clinic group: ``make, name, estimate, inside``."""
    seed, make = job
    study = simulated_study(seed, ClinicTruth(**SIZE, **MAKES[make]), items=False)
    names = study.clients["therapist"].unique()
    therapists = pd.DataFrame(
        {"therapist": names, "experience": np.random.default_rng(seed).normal(10, 4, len(names))}
    )
    study = replace(study, _therapists=therapists, therapist_covariates=("experience",))
    found = al.alliance_events(
        study, simulations=100, seed=seed, repair_by=["experience"]
    ).estimates.set_index("id")
    rows = []
    for rule in RULES:
        expected, n = found.loc[f"expected_{rule}"], found.loc[f"n_{rule}", "estimate"]
        excess = n / expected["estimate"] if expected["estimate"] else np.nan
        rows.append(
            (make, f"found and expected: {rule}", excess, expected["ci_low"] <= n <= expected["ci_high"])
        )
    gap = found.loc["repaired", "estimate"] - found.loc["repaired_expected", "estimate"]
    inside = (
        found.loc["repaired", "ci_low"]
        <= found.loc["repaired_expected", "estimate"]
        <= found.loc["repaired", "ci_high"]
    )
    rows.append((make, "repaired, less expected", gap, inside))
    for name, truth in TRUTHS[make].items():
        if name in found.index:
            row = found.loc[name]
            rows.append(
                (make, f"{name} (truth {truth:g})", row["estimate"], row["ci_low"] <= truth <= row["ci_high"])
            )
    return pd.DataFrame(rows, columns=["make", "name", "estimate", "inside"])


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_alliance_events.md."""
    limit = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the analysis of ruptures",
        "",
        f"{seeds} simulated clinic groups of each make, each of {SIZE['clients']} clients of {SIZE['therapists']} therapists, with 100 simulated",
        "sets of fluctuation. Made by `make calibrate` (`benchmarks/calibrate_alliance_events.py`).",
        "",
        f"With {seeds} groups a true 95 % shows as {100 * (0.95 - limit):.0f} to {100 * min(0.95 + limit, 1):.0f} %.",
        "",
        "| make | number | groups | mean | inside |",
        "|---|---|---|---|---|",
    ]
    for (make, name), part in draws.groupby(["make", "name"], sort=False):
        inside = 100 * part["inside"].astype(float).mean()
        lines.append(f"| {make} | {name} | {len(part)} | {part['estimate'].mean():.3f} | {inside:.1f} % |")
    lines += [
        "",
        "The mean of 'found and expected' is the number found for each one expected; inside: the number found lies within the limits of 95 %",
        "of simulated data. With real ruptures it should lie outside. For the others, inside: the interval contains the truth, or, for",
        "repairs, the share that fluctuation alone would produce.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [(seed, make) for make in MAKES for seed in range(1, args.seeds + 1)]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.concat(pool.map(one, jobs), ignore_index=True)
    text = page(draws, args.seeds)
    (args.out / "calibration_alliance_events.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
