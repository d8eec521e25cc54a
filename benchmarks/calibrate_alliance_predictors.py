"""Repeats the analysis of predictors of the alliance on simulated clinic groups: bias, coverage, and false findings of q.

`make calibrate` runs 400 seeds of each make on all cores and writes docs/calibration_alliance_predictors.md.

The truth, in points of the alliance: clients differ by given numbers per standard deviation of attachment anxiety and avoidance, within and
between therapists alike; therapists by one per standard deviation of empathy; the effect of avoidance falls with the therapist's
experience; growth per week rises with avoidance (added to the simulated ratings). Other covariates have no effect.
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
from alliance_longitudinal.analyses.alliance_predictors.asked import find_predictors
from alliance_longitudinal.analyses.alliance_predictors.compute import (
    estimates_of,
    fit_course,
    fit_early,
    ratings_of,
)
from alliance_longitudinal.analyses.alliance_predictors.therapists import interaction
from alliance_longitudinal.analyses.kit import Draft, at_intake
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic

DOCS = Path(__file__).resolve().parents[1] / "docs"
ANXIETY, AVOIDANCE, EMPATHY, BY_EXPERIENCE, GROWTH = -0.8, -1.5, 1.0, -0.5, 0.05
#: Mean week of sessions 1 to 5: by then growth has added to the early effect of avoidance.
EARLY_WEEK = 3.0
EFFECTS = {
    "within": 0.0,
    "between": 0.0,
    "attachment_anxiety": ANXIETY,
    "attachment_avoidance": AVOIDANCE,
    "empathy": EMPATHY,
    "avoidance_by_experience": BY_EXPERIENCE,
}
#: Name of a make -> therapists, clients, whether there are effects.
MAKES = {
    "effects, 40 therapists, 600 clients": (40, 600, True),
    "effects, 15 therapists, 200 clients": (15, 200, True),
    "no effects and 10 predictors, 40 therapists, 600 clients": (40, 600, False),
    "no effects and 10 predictors, 20 therapists, 200 clients": (20, 200, False),
}
CLIENTS = ("attachment_anxiety", "attachment_avoidance", "personality_disorder")
THERAPISTS = ("empathy", "experience", "flexibility")


def study_of(seed: int, therapists: int, clients: int, *, effects: bool) -> Study:
    """A clinic whose study file declares covariates; without effects, four more of pure chance."""
    truth = ClinicTruth(therapists, clients, **(EFFECTS if effects else {}))
    study = simulated_study(seed, truth, items=False)
    made = simulate_clinic(seed, truth, items=False)
    people = made.clients[["client", *CLIENTS]].astype(dict.fromkeys(CLIENTS, float))
    rng = np.random.default_rng([seed, 99])
    more = () if effects else tuple(f"noise_{k}" for k in range(4))
    people = people.assign(**{name: rng.standard_normal(len(people)) for name in more})
    sessions = study.sessions
    if effects:
        avoidance = people.set_index("client")["attachment_avoidance"].reindex(sessions["client"]).to_numpy()
        sessions["alliance"] += GROWTH * sessions["week"].to_numpy() * avoidance
    return replace(
        study,
        covariates=(*CLIENTS, *more),
        therapist_covariates=THERAPISTS,
        _sessions=sessions,
        _clients=study.clients.merge(people, on="client", how="left"),
        _therapists=made.therapists,
    )


def estimates(job: tuple[int, str]) -> pd.DataFrame:
    """Of one clinic group: ``make, name, estimate, se, low, high, truth``; without effects a row with the smallest q."""
    seed, make = job
    therapists, clients, effects = MAKES[make]
    study = study_of(seed, therapists, clients, effects=effects)
    if not effects:
        names = [*study.covariates, *THERAPISTS]
        table = (
            al.alliance_predictors(study, predictors=names, part=["early"]).table("effects_early").to_frame()
        )
        row = (make, "smallest q", float(table["q"].min()), float(table["p"].min()), np.nan, np.nan, np.nan)
        return pd.DataFrame([row], columns=["make", "name", "estimate", "se", "low", "high", "truth"])
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    predictors = find_predictors(study, None, at_intake(draft.sessions, y.name), [])
    draft.keep(draft.sessions["session"].ge(1) & draft.sessions[a.name].notna(), "rated", "not rated")
    ratings = ratings_of(draft, a, (1, 5))
    early = fit_early(draft, ratings, predictors, ratings.clients)
    course = fit_course(draft, ratings, predictors, ratings.clients)
    found = {
        e.id.removesuffix("_points"): e
        for model, part in ((early, "early"), (course, "growth"))
        for e in estimates_of(model, part, "", "points")
        if e.unit == "points"
    }
    pair = tuple(
        next(p for p in predictors if p.name == name) for name in ("attachment_avoidance", "experience")
    )
    joint = interaction(draft, ratings, predictors, ratings.clients, pair, "early")
    rows = []
    for name, truth in _truths().items():
        e = found[name]
        rows.append((make, name, e.estimate, e.se, e.ci_low, e.ci_high, truth))
    if joint is not None:
        sd = ratings.sd_early
        rows.append(
            (
                make,
                joint.id,
                *(sd * v for v in (joint.estimate, joint.se, joint.ci_low, joint.ci_high)),
                BY_EXPERIENCE,
            )
        )
    return pd.DataFrame(rows, columns=["make", "name", "estimate", "se", "low", "high", "truth"])


def _truths() -> dict[str, float]:
    return {
        "early_attachment_anxiety": ANXIETY,
        "early_attachment_avoidance": AVOIDANCE + GROWTH * EARLY_WEEK,
        "early_attachment_avoidance_between": AVOIDANCE + GROWTH * EARLY_WEEK,
        "early_personality_disorder": 0.0,
        "early_empathy": EMPATHY,
        "early_experience": 0.0,
        "growth_attachment_avoidance_within": 10 * GROWTH,
        "growth_empathy_between": 0.0,
    }


def page(draws: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_alliance_predictors.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of the analysis of predictors of the alliance",
        "",
        f"{seeds} simulated clinic groups of each make. Made by `make calibrate` (`benchmarks/calibrate_alliance_predictors.py`).",
        "Effects are in points of the WAI-SR per standard deviation of the predictor (growth: over ten weeks); all predictors are in",
        "one model.",
        "",
        f"With {seeds} groups a true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "| make | effect | truth | mean | bias | Monte Carlo error | spread | mean SE | coverage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    known = draws[draws["truth"].notna()]
    for (make, name), part in known.groupby(["make", "name"], sort=False):
        truth = float(part["truth"].iloc[0])
        inside = ((part["low"] <= truth) & (truth <= part["high"])).mean()
        spread, mean = part["estimate"].std(), part["estimate"].mean()
        lines.append(
            f"| {make} | {name} | {truth:g} | {mean:.3f} | {mean - truth:.3f} | {spread / np.sqrt(len(part)):.3f} | {spread:.3f} "
            f"| {part['se'].mean():.3f} | {100 * inside:.1f} % |"
        )
    lines += ["", "| make | groups with any q of .05 or less | with any p of .05 or less |", "|---|---|---|"]
    for make, part in draws[draws["truth"].isna()].groupby("make", sort=False):
        lines.append(
            f"| {make} | {100 * (part['estimate'] <= 0.05).mean():.1f} % | {100 * (part['se'] <= 0.05).mean():.1f} % |"
        )
    lines += [
        "",
        "A coverage of a truth of zero is one less the type I error. Without any effect, q promises that at most 5 % of the groups",
        "have a clear one.",
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
    (args.out / "calibration_alliance_predictors.md").write_text(page(draws, args.seeds), encoding="utf-8")
    print(page(draws, args.seeds))


if __name__ == "__main__":
    main()
