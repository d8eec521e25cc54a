"""Closed forms of planned studies beside simulated and refitted ones: power, bias, coverage, boundaries, models that do not converge.

`make calibrate` simulates 2,000 studies of each plan and writes docs/calibration_planning.md.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal import methods

DOCS = Path(__file__).resolve().parents[1] / "docs"
PARTS = {"residual": 5.0, "client": ((13.0, 0.05), (0.05, 0.1)), "therapist": ((1.3, 0.0), (0.0, 0.03))}
#: Plan -> therapists, clients of each, assessments, dropout.
PLANS = {
    "40 therapists, 10 clients, 8 assessments": (40, 10, 8, 0.0),
    "20 therapists, 10 clients, 8 assessments": (20, 10, 8, 0.0),
    "10 therapists, 40 clients, 8 assessments": (10, 40, 8, 0.0),
    "8 therapists, 6 clients, 5 assessments": (8, 6, 5, 0.0),
    "30 therapists, 5 to 20 clients, 8 assessments": (30, (5, 10, 20), 8, 0.0),
    "30 therapists, 10 clients, 8 assessments, 10 % leave before each": (30, 10, 8, 0.1),
}


def simulated(job: tuple[str, int]) -> pd.DataFrame:
    """One plan, for effects that its closed forms find with a power of about one half and of four fifths."""
    name, n_sim = job
    therapists, clients, times, dropout = PLANS[name]
    plan = methods.StudyPlan.of(therapists, clients, range(times), dropout=dropout, **PARTS)
    found = methods.simulate_plan(plan, n_sim, 1)
    rows = []
    for power in (0.05, 0.5, 0.8):
        sizes = {k: size_for(getattr(plan, f"power_{k}"), power) for k in ("within", "between")}
        table = found.table(sizes)
        for k, size in sizes.items():
            closed = getattr(plan, f"power_{k}")(size)
            own = {
                "plan": name,
                "effect": k,
                "closed": closed,
                "singular": found.singular,
                "none": found.no_certificate,
            }
            rows.append(own | table.loc[k].to_dict())
    return pd.DataFrame(rows)


def size_for(power: "object", wanted: float) -> float:
    """The size of effect that has the wanted power; zero for five percent."""
    if wanted <= 0.05:
        return 0.0
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= wanted else (middle, high)  # type: ignore[operator]
    return high


def page(found: pd.DataFrame, n_sim: int) -> str:
    """docs/calibration_planning.md."""
    error = 1.96 * np.sqrt(0.25 / n_sim)
    lines = [
        "# Calibration of planning",
        "",
        f"{n_sim} simulated and refitted studies of each plan beside its closed forms. Made by",
        "`make calibrate` (`benchmarks/calibrate_planning.py`).",
        "",
        f"A simulated power is within {100 * error:.1f} points of the truth in 95 of 100 plans (at a power of one half). A closed form of 5 % is that of no",
        "effect: the simulated number is the type I error.",
        "",
        "| plan | effect | power, closed form | simulated | bias / its error | coverage | variance at its boundary | not converged |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found.itertuples():
        lines.append(
            f"| {row.plan} | {row.effect} | {100 * row.closed:.0f} % | {100 * row.power:.1f} % | {row.bias / row.bias_error:.1f} "
            f"| {100 * row.coverage:.1f} % | {100 * row.singular:.0f} % | {100 * row.none:.1f} % |"
        )
    lines += [
        "",
        "The closed forms are exact for equal caseloads if every assessment takes place, and approximate otherwise. With very few therapists a variance is",
        "at its boundary in most studies; tests between therapists then find too little and intervals are too wide.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all plans and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs) as pool:
        found = pd.concat(pool.map(simulated, [(name, args.studies) for name in PLANS]), ignore_index=True)
    (args.out / "calibration_planning.md").write_text(page(found, args.studies), encoding="utf-8")
    print(page(found, args.studies))


if __name__ == "__main__":
    main()
