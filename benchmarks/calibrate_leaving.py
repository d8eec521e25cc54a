"""Delta-adjusted imputation on data with a known delta: bias and coverage of the effect of alliance on the course.

`make calibrate` runs 400 clinic groups on all cores and writes docs/calibration_leaving.md.

In each group nobody leaves at first. Then clients with a lower alliance leave more often, and their scores after leaving are made worse by a
given number of points at the horizon, in proportion before. The analysis sees only the scores up to leaving. The truth of a delta is the
mean, over all groups, of the estimates from the complete scores with this delta.
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

from alliance_longitudinal.analyses.kit.early_design import Choices, build_design
from alliance_longitudinal.analyses.kit.early_models import course_model
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.methods.missing.tipping import delta_effects
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

DOCS = Path(__file__).resolve().parents[1] / "docs"
TERM = "weeks:early_client"
HORIZON = 6.0
DELTAS = (0.0, 3.0)


def one(job: tuple[int, int, int]) -> pd.DataFrame:
    """Estimates of one group: ``delta, complete, observed, estimate, se, low, high``."""
    seed, clients, m = job
    truth = ClinicTruth(30, clients, dropout_intercept=-30.0)
    study = simulated_study(seed, truth, items=False)
    choices = Choices(study.measures["alliance"], study.measures["phq9"], TimeWindow(1, 5), 1, True, True)
    design = build_design(study.sessions, study.flow, choices, MIN_THERAPISTS)
    long = design.clients["weeks_followed"] >= HORIZON
    people = design.clients[long].reset_index(drop=True)
    rows = design.rows[design.rows["client"].isin(people["client"]) & (design.rows["weeks"] <= HORIZON)]
    rows = rows.reset_index(drop=True)
    rng = np.random.default_rng(seed)
    gone = rng.random(len(people)) < 1 / (1 + np.exp(0.3 + 0.15 * people["early_client"]))
    last = pd.Series(np.where(gone, rng.integers(1, 5, len(people)), HORIZON), index=people["client"])
    at = rows["client"].map(last).astype(float)
    share = ((rows["weeks"] - at) / (HORIZON - at).where(at < HORIZON, 1.0)).clip(0, 1)
    found = []
    observed_rows = rows[rows["weeks"] <= at]
    model = course_model(replace(design, clients=people, rows=observed_rows))
    frame = rows.assign(
        y=rows["y"].where(rows["weeks"] <= at), left=rows["client"].map(last < HORIZON).astype(int)
    )
    row = model.combination({TERM: 1.0})
    effects = delta_effects(
        model.result,
        frame,
        [TERM],
        DELTAS,
        person="client",
        time="weeks",
        left="left",
        horizon=HORIZON,
        df={TERM: row["df"]},
        m=m,
        refits=6,
        seed=seed,
    )
    for delta in DELTAS:
        whole = course_model(replace(design, clients=people, rows=rows.assign(y=rows["y"] + delta * share)))
        mine = effects.table.set_index("delta").loc[delta]
        found.append(
            (
                delta,
                whole.combination({TERM: 1.0})["estimate"],
                row["estimate"],
                mine["estimate"],
                mine["se"],
                mine["ci_low"],
                mine["ci_high"],
                float((last < HORIZON).mean()),
            )
        )
    columns = ["delta", "complete", "observed", "estimate", "se", "low", "high", "left"]
    return pd.DataFrame(found, columns=columns)


def page(draws: pd.DataFrame, seeds: int, clients: int, m: int) -> str:
    """docs/calibration_leaving.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the imputation of clients who left",
        "",
        f"{seeds} simulated groups of 30 therapists and {clients} clients, {100 * draws['left'].mean():.0f} % of whom left within six weeks, more of",
        f"those with a lower alliance; {m} completed copies. Made by `make calibrate` (`benchmarks/calibrate_leaving.py`).",
        "",
        "Truth: the mean of the estimates from complete scores. Observed scores: the model without imputation, which is right only if",
        "nobody who left went on worse than expected.",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * max(0.95 - error, 0):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| points worse | truth | observed scores: bias | imputed: bias | Monte Carlo error | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for delta, part in draws.groupby("delta"):
        truth = part["complete"].mean()
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread = part["estimate"].std()
        lines.append(
            f"| {delta:g} | {truth:.5f} | {part['observed'].mean() - truth:.5f} | {part['estimate'].mean() - truth:.5f} "
            f"| {(part['estimate'] - part['complete']).std() / np.sqrt(seeds):.5f} | {spread:.5f} | {part['se'].mean():.5f} "
            f"| {100 * inside:.1f} % |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all groups and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--clients", type=int, default=360)
    parser.add_argument("--copies", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [(seed, args.clients, args.copies) for seed in range(1, args.seeds + 1)]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.concat(pool.map(one, jobs), ignore_index=True)
    text = page(draws, args.seeds, args.clients, args.copies)
    (args.out / "calibration_leaving.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
