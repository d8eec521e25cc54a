"""Repeats the actor-partner model of `dyads` on simulated couples: bias, coverage and type I error, also with missing members.

`make calibrate` writes docs/calibration_dyads.md. The couples belong to therapists who differ, their outcomes are related, and every
member's first score counts. Missing: a tenth of the ratings, and outcomes of one role more often where the own rating is known to be low.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dyads.compute import fit_pairs, pair_estimates
from alliance_longitudinal.analyses.dyads.design import Asked, Cases, Missing
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Effects of own and other rating, by role.
TRUTHS = {
    "equal roles, no partner effect": ((-0.4, -0.4), (0.0, 0.0)),
    "roles differ": ((-0.6, -0.3), (-0.3, 0.0)),
}
#: Therapists, cases.
SIZES = ((25, 150), (10, 40))
ROLES = ("m", "w")
BASE = simulated_study(1, ClinicTruth(therapists=5, clients=25), items=False)


def couples(seed: int, size: tuple[int, int], truth: str, *, holes: bool) -> pd.DataFrame:
    """Members of couples: ``case, person, client, therapist, role, x, partner, intake, y``."""
    rng = np.random.default_rng(seed)
    therapists, cases = size
    actor, partner = TRUTHS[truth]
    of = np.arange(cases) % therapists
    x = rng.multivariate_normal([0, 0], [[16, 6], [6, 16]], cases)
    first = rng.normal(16, 4, (cases, 2)) - 0.2 * x
    y = 0.6 * first + np.array(actor) * x + np.array(partner) * x[:, ::-1]
    y = (
        y
        + rng.normal(0, 1, therapists)[of][:, None]
        + rng.normal(0, 1.5, (cases, 1))
        + rng.normal(0, 2, (cases, 2))
    )
    if holes:
        x[rng.random((cases, 2)) < 0.1] = np.nan
        chance = np.select([np.isnan(x[:, 1]), x[:, 1] < 0], [0.25, 0.4], 0.1)
        y[rng.random(cases) < chance, 1] = np.nan
    return pd.DataFrame(
        {
            "case": np.repeat([f"F{k}" for k in range(cases)], 2),
            "person": [f"{r}{k}" for k in range(cases) for r in ROLES],
            "client": [f"{r}{k}" for k in range(cases) for r in ROLES],
            "therapist": np.repeat([f"t{j}" for j in of], 2),
            "role": list(ROLES) * cases,
            "x": x.ravel(),
            "partner": x[:, ::-1].ravel(),
            "intake": first.ravel(),
            "y": y.ravel(),
        }
    )


def estimates_of(job: tuple[int, tuple[int, int], str, str]) -> list[dict[str, object]]:
    """Estimates by role of one set of couples, and whether the test of equal roles rejects."""
    seed, size, truth, how = job
    missing: Missing = "fiml" if how.endswith("fiml") else "drop"
    people = couples(seed, size, truth, holes=how != "complete")
    if how == "missing, drop":
        whole = people[["x", "y"]].notna().all(axis=1).groupby(people["case"]).transform("all")
        people = people[whole]
    draft = Draft(BASE)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    asked = Asked(a, y, None, None, "role", None, TimeWindow(1, 3), True, missing)
    try:
        found = fit_pairs(draft, Cases(people.reset_index(drop=True), ROLES), asked, roles=True)
    except AllianceError:
        return []
    actor, partner = TRUTHS[truth]
    wanted = {f"actor_{r}": actor[k] for k, r in enumerate(ROLES)}
    wanted |= {f"partner_{r}": partner[k] for k, r in enumerate(ROLES)}
    assert found.distinguishable is not None
    return [
        {
            "size": size,
            "truth": truth,
            "how": how,
            "effect": e.id,
            "true": wanted[e.id],
            "estimate": e.estimate,
            "se": e.se,
            "covers": e.ci_low <= wanted[e.id] <= e.ci_high,
            "rejects": found.distinguishable.p < 0.05,
        }
        for e in pair_estimates(found, ROLES, asked)
        if e.id in wanted
    ]


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_dyads.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of actor and partner effects",
        "",
        f"{seeds} simulated sets of couples for each row. Made by `make calibrate` (`benchmarks/calibrate_dyads.py`). With {seeds} sets a true",
        f"coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "The couples belong to therapists who differ. Missing: a tenth of the ratings, and outcomes of one role more often where",
        "the own rating is known to be low. `drop` leaves these couples out, `fiml` uses what is there. Size: therapists, couples.",
        "",
        "| size | truth | missing | effect | true | mean | bias | Monte Carlo error | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (size, truth, how, effect), part in draws.groupby(["size", "truth", "how", "effect"], sort=False):
        true, mean, spread = float(part["true"].iloc[0]), part["estimate"].mean(), part["estimate"].std()
        lines.append(
            f"| {', '.join(map(str, size))} | {truth} | {how} | {effect} | {true:g} | {mean:.3f} | {mean - true:.3f} | "
            f"{spread / np.sqrt(len(part)):.3f} | {spread:.3f} | {part['se'].mean():.3f} | {100 * part['covers'].mean():.1f} % |"
        )
    lines += ["", "| size | truth | missing | test of equal roles rejects | sets |", "|---|---|---|---|---|"]
    once = draws[draws["effect"] == "actor_m"]
    for (size, truth, how), part in once.groupby(["size", "truth", "how"], sort=False):
        lines.append(
            f"| {', '.join(map(str, size))} | {truth} | {how} | {100 * part['rejects'].mean():.1f} % | {len(part)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    ways = ("complete", "missing, drop", "missing, fiml")
    jobs = [(s, z, t, h) for z, t, h, s in product(SIZES, TRUTHS, ways, range(1, args.seeds + 1))]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.DataFrame([row for rows in pool.map(estimates_of, jobs) for row in rows])
    (args.out / "calibration_dyads.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
