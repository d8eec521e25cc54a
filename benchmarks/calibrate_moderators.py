"""Repeats the test of a moderator on simulated clinic groups: bias, coverage and type I error of the products within therapists.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_moderators.md.

The truth: the weekly change after session 5 falls by a given number per point of early alliance, more or less by the client's
attachment avoidance (a number, standard deviation 1) and in the second arm. Alliance is a total without errors of items.
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
from alliance_longitudinal.analyses.moderators.asked import Asked, moderator_of, sample_of
from alliance_longitudinal.analyses.moderators.compute import fit_model
from alliance_longitudinal.analyses.moderators.design import design_for
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic
from alliance_longitudinal.timing import TimeWindow

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Name of a make -> its truth.
MAKES = {
    "both moderate, 24 therapists, 480 clients": ClinicTruth(
        24, 480, within_by_avoidance=-0.02, within_by_arm=0.03, arm_share=0.5
    ),
    "none moderates, 24 therapists, 480 clients": ClinicTruth(24, 480, arm_share=0.5),
    "none moderates, therapists differ in the effect": ClinicTruth(
        24, 480, arm_share=0.5, within_therapist_sd=0.02
    ),
    "both moderate, 10 therapists, 200 clients": ClinicTruth(
        10, 200, within_by_avoidance=-0.02, within_by_arm=0.03, arm_share=0.5
    ),
}
TERMS = {"avoidance": "a number", "arm": "two arms", "experience": "therapists' experience"}


def truth_of(make: str, name: str) -> float:
    """The true product."""
    truth = MAKES[make]
    return {"avoidance": truth.within_by_avoidance, "arm": truth.within_by_arm, "experience": 0.0}[name]


def products(job: tuple[int, str]) -> pd.DataFrame:
    """Tested products of one clinic group: ``make, name, estimate, se, low, high, p``."""
    seed, make = job
    truth = MAKES[make]
    made = simulate_clinic(seed, truth, items=False)
    plain = simulated_study(seed, truth, items=False)
    clients = plain.clients.merge(made.clients[["client", "attachment_avoidance"]], on="client")
    clients = clients.rename(columns={"attachment_avoidance": "avoidance"})
    clients["arm"] = np.where(clients["arm"].astype(int).eq(1), "second", "first")
    study = replace(
        plain,
        covariates=("avoidance",),
        therapist_covariates=("experience",),
        _clients=clients,
        _therapists=made.therapists[["therapist", "experience"]],
    )
    draft = Draft(study)
    asked = Asked(draft.measure("alliance", None), draft.measure("symptoms", None), TimeWindow(1, 5), "week")
    sample = sample_of(draft, asked, min_rated=1, adjust_early_change=True)
    rows = []
    for name in TERMS:
        design = design_for(draft, sample, moderator_of(study, sample, name))
        model = fit_model(design, "slope")
        row = model.product(design.part, design.along)
        rows.append((make, name, row["estimate"], row["se"], row["ci_low"], row["ci_high"], row["p"]))
    return pd.DataFrame(rows, columns=["make", "name", "estimate", "se", "low", "high", "p"])


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_moderators.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the moderators",
        "",
        f"{seeds} simulated clinic groups of each make; the product of early alliance within therapists and a moderator, in a model of",
        "the course after session 5. Made by `make calibrate` (`benchmarks/calibrate_moderators.py`).",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| make | moderator | truth | mean | Monte Carlo error | spread | mean SE | coverage | p below .05 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (make, name), part in draws.groupby(["make", "name"], sort=False):
        truth = truth_of(make, name)
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread = part["estimate"].std()
        lines.append(
            f"| {make} | {TERMS[name]} | {truth:g} | {part['estimate'].mean():.4f} | {spread / np.sqrt(len(part)):.4f} | {spread:.4f} | "
            f"{part['se'].mean():.4f} | {100 * inside:.1f} % | {100 * (part['p'] < 0.05).mean():.1f} % |"
        )
    lines += [
        "",
        "Scores are whole points from 0 to 27, which draws effects towards zero by a few percent. With fewer than 20 therapists the model",
        "takes the effect to be the same for all of them; the analysis then adds a cluster-robust interval.",
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
        draws = pd.concat(pool.map(products, jobs), ignore_index=True)
    (args.out / "calibration_moderators.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
