"""Repeats the comparison of arms with partial nesting on simulated trials: bias, coverage and type I error, with and without groups.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_group_effects.md.

The truth: clients of the second arm share groups, which differ in the weekly change; the arms differ in the variances of clients
and of single scores.
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

from alliance_longitudinal.analyses.group_effects.compute import compare_arms
from alliance_longitudinal.analyses.group_effects.design import shared_of
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Name of a make -> groups, members of each, clients alone, standard deviation between groups, difference of the arms.
MAKES = {
    "12 groups of 6, 60 alone, groups differ": (12, 6, 60, 0.2, -0.2),
    "12 groups of 6, 60 alone, no effect of groups or arms": (12, 6, 60, 0.0, 0.0),
    "6 groups of 6, 30 alone, groups differ": (6, 6, 30, 0.2, -0.2),
}
MODELS = {
    "main": "with groups",
    "ignoring": "as if clients shared nothing",
    "same": "same variances in all arms",
}


def trial(
    seed: int, groups: int, size: int, alone: int, sd: float, difference: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sessions and clients of one trial."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, sd, groups)
    rows = []
    for k in range(groups * size + alone):
        inside = k < groups * size
        change = (
            -0.2 + (difference + shared[k // size] if inside else 0) + rng.normal(0, 0.1 if inside else 0.25)
        )
        week = np.arange(9.0)
        y = 15 + rng.normal(0, 2 if inside else 3) + change * week + rng.normal(0, 1 if inside else 1.6, 9)
        columns = {"session": np.arange(9), "week": week, "phq9": y, "alliance": 40.0}
        label = f"g{k // size:02d}" if inside else None
        rows.append(
            pd.DataFrame(columns).assign(
                client=f"c{k:03d}", therapist="t", group=label, arm="B" if inside else "A"
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    people = frame[["client", "therapist", "arm"]].drop_duplicates(ignore_index=True)
    return frame.drop(columns="arm"), people


def effects(job: tuple[int, str]) -> pd.DataFrame:
    """Difference of the arms by each model: ``make, model, estimate, se, low, high``."""
    seed, make = job
    sessions, people = trial(seed, *MAKES[make])
    study = replace(simulated_study(1, ClinicTruth(5, 25), items=False), _sessions=sessions, _clients=people)
    draft = Draft(study)
    shared = shared_of(draft, draft.measure("symptoms", None), "group", "linear", None)
    found = compare_arms(shared, [], shared.rows)
    rows = []
    for model in MODELS:
        fitted = getattr(found, model)
        if fitted is not None:
            row = fitted.combination({found.terms["B"]: 1.0})
            rows.append((make, model, row["estimate"], row["se"], row["ci_low"], row["ci_high"]))
    return pd.DataFrame(rows, columns=["make", "model", "estimate", "se", "low", "high"])


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_group_effects.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the group effects",
        "",
        f"{seeds} simulated trials of each make; difference of two arms in the weekly change. Made by `make calibrate`",
        "(`benchmarks/calibrate_group_effects.py`).",
        "",
        f"With {seeds} trials a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| make | model | truth | mean | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|",
    ]
    for (make, model), part in draws.groupby(["make", "model"], sort=False):
        truth = MAKES[make][4]
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        lines.append(
            f"| {make} | {MODELS[model]} | {truth:g} | {part['estimate'].mean():.4f} | {part['estimate'].std():.4f} | "
            f"{part['se'].mean():.4f} | {100 * inside:.1f} % |"
        )
    lines += [
        "",
        "With fewer than eight groups in an arm the degrees of freedom are those of Kenward and Roger.",
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
        draws = pd.concat(pool.map(effects, jobs), ignore_index=True)
    (args.out / "calibration_group_effects.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
