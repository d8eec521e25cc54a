"""Repeats `within_between` on simulated data: effects at three levels, and what feedback does to those within clients.

`make calibrate` writes docs/calibration_within_between.md.

Levels: the outcome follows the last alliance rating within clients, the client's mean, and the therapist's alliance; clients have lines
over sessions of their own in both. The therapist's alliance is the mean of the clients in the data (nearly all clients are
observed), or the usual one of which they are a sample. Feedback: simulated clinics whose alliance answers to earlier improvement, or not.
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd

from alliance_longitudinal import methods, simulate_clinic
from alliance_longitudinal.analyses.kit import fit_first
from alliance_longitudinal.analyses.within_between.compute import WAYS, level_estimates, structures
from alliance_longitudinal.analyses.within_between.design import Pairs, lagged, pairs_of
from alliance_longitudinal.analyses.within_between.latent import latent_estimates
from alliance_longitudinal.errors import AllianceError

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Effects within clients, between clients, between therapists.
EFFECTS = (-0.10, -0.30, -0.80)
#: Therapists, clients of each, rated sessions.
SIZES = ((20, 15, 8), (50, 5, 4), (50, 15, 4))
#: Effects of the last alliance; simulated clinics of 30 therapists and 450 clients.
LAGGED = (0.0, -0.15)
FEEDBACK = {"off": 0.0, "on": 0.5}


def levels(seed: int, therapists: int, clients: int, sessions: int, *, sample: bool) -> pd.DataFrame:
    """Sessions with effects at three levels; ``sample`` makes the therapist's usual alliance count, not the mean of the clients."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(therapists), clients)
    n = len(of)
    usual, own = rng.normal(0, 2, therapists), rng.normal(0, 4, n)
    if not sample:
        mean = np.bincount(of, own) / clients
        usual, own = usual + mean, own - mean[of]
    time = np.arange(sessions) - (sessions - 1) / 2
    within = rng.normal(0, 3, (n, sessions))
    within -= within.mean(axis=1, keepdims=True)
    within = within + rng.normal(0, 0.5, (n, 1)) * time
    b_w, b_c, b_t = EFFECTS
    level = b_t * usual[of] + b_c * own + rng.normal(0, 1, therapists)[of] + rng.normal(0, 2, n)
    y = level[:, None] + b_w * within + rng.normal(0, 0.3, (n, 1)) * time - 0.3 * time
    y = y + rng.normal(0, 2, within.shape)
    alliance = usual[of][:, None] + own[:, None] + within
    frames = [
        pd.DataFrame(
            {
                "client": np.arange(n).astype(str),
                "therapist": of.astype(str),
                "session": s + 1,
                "alliance": alliance[:, s] if s < sessions else np.nan,
                "phq9": y[:, s - 1] if s else np.nan,
            }
        )
        for s in range(sessions + 1)
    ]
    return pd.concat(frames, ignore_index=True)


def pairs(sessions: pd.DataFrame) -> Pairs:
    """The analysis's pairs, without the first score as a predictor."""
    rows = sessions.assign(before=lagged(sessions, "alliance", 1), first=0.0)
    rows = rows[rows["phq9"].notna() & rows["before"].notna()]
    return pairs_of(rows, "phq9", _no_covariates, therapists=True, intake=False)


def _no_covariates(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    return rows, []


def of_levels(job: tuple[int, tuple[int, int, int], bool]) -> list[dict[str, object]]:
    """Estimates of one data set with the common course."""
    seed, size, sample = job
    found = pairs(levels(seed, *size, sample=sample))
    fixed = "y ~ " + " + ".join(found.terms("common"))
    fitted = fit_first("common", "common", fixed, found.rows, structures(found, "common", slopes=False))
    ids = {"within": "within", "client": "client", "therapist": "therapist, observed means"}
    estimates = level_estimates(found, fitted, "common", "", ids, "")
    if sample:
        words = {
            "therapist_latent_ml": "therapist, latent means",
            "therapist_latent_moment": "therapist, by reliability",
        }
        estimates += [e for e in latent_estimates(found, fitted, "") if e.id in words]
        ids |= words
    truth = dict(zip(("within", "client", "therapist"), EFFECTS, strict=True))
    words = {
        "therapist_latent_ml": "therapist, latent means",
        "therapist_latent_moment": "therapist, by reliability",
    }
    kind = "a sample of clients" if sample else "all clients"
    return [
        {
            "kind": kind,
            "size": size,
            "name": words.get(e.id, e.id),
            "truth": truth[e.level if e.level != "session" else "within"],
            "estimate": e.estimate,
            "se": e.se,
            "covers": e.ci_low <= truth[e.level if e.level != "session" else "within"] <= e.ci_high,
        }
        for e in estimates
    ]


def of_feedback(job: tuple[int, float, str]) -> list[dict[str, object]]:
    """The effect within clients by every way to remove time, and the estimate that allows feedback; sessions 6 to 11."""
    seed, truth, feedback = job
    rows = simulate_clinic(
        seed,
        therapists=30,
        clients=450,
        items=False,
        lagged_alliance=truth,
        alliance_by_improvement=FEEDBACK[feedback],
    ).sessions
    rows = rows[rows["session"].between(6, 11)].rename(columns={"wai": "alliance"})
    found = pairs(rows)
    out = []
    for way in WAYS:
        fixed = "y ~ " + " + ".join(found.terms(way))
        try:
            fitted = fit_first(way, way, fixed, found.rows, structures(found, way, slopes=False))
        except AllianceError:
            continue
        (e,) = level_estimates(found, fitted, way, "", {"within": way}, "")
        out.append((way, e.estimate, e.se, e.ci_low <= truth <= e.ci_high))
    cross = methods.riclpm(rows, "alliance", "phq9", "client", "session")
    if cross.converged:
        value, se = float(cross.params["x_to_y"]), float(cross.bse["x_to_y"])
        out.append(("lagged_effects (with client levels)", value, se, abs(value - truth) < 1.959964 * se))
    return [
        {"feedback": feedback, "truth": truth, "name": name, "estimate": value, "se": se, "covers": covers}
        for name, value, se, covers in out
    ]


def table(draws: pd.DataFrame, keys: list[str], heads: list[str]) -> list[str]:
    """Bias, spread, mean error and coverage by ``keys``."""
    lines = [
        "| "
        + " | ".join([*heads, "truth", "mean", "bias", "Monte Carlo error", "spread", "mean SE", "coverage"])
        + " |",
        "|" + "---|" * (len(heads) + 7),
    ]
    for names, part in draws.groupby(keys, sort=False):
        truth, spread = float(part["truth"].iloc[0]), float(part["estimate"].std())
        mean = float(part["estimate"].mean())
        said = [", ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in names]
        lines.append(
            f"| {' | '.join(said)} | {truth:g} | {mean:.3f} | {mean - truth:.3f} | {spread / np.sqrt(len(part)):.3f} | {spread:.3f} | "
            f"{part['se'].mean():.3f} | {100 * part['covers'].mean():.1f} % |"
        )
    return lines


def page(by_level: pd.DataFrame, by_feedback: pd.DataFrame, seeds: int) -> str:
    """docs/calibration_within_between.md."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / seeds)
    lines = [
        "# Calibration of within and between",
        "",
        f"{seeds} simulated data sets for each row. Made by `make calibrate` (`benchmarks/calibrate_within_between.py`). With {seeds} sets a",
        f"true coverage of 95 % shows as {100 * (0.95 - error):.0f} to {100 * min(0.95 + error, 1):.0f} %.",
        "",
        "## Three levels",
        "",
        "Clients have lines over sessions of their own in the alliance and in the outcome; the model has the common course. If the clients",
        "in the data are a sample, the therapist's usual alliance has the effect, and the observed means are drawn towards the effect",
        "between clients. Sizes: therapists, clients of each, rated sessions. Coverage is promised for clients and therapists only.",
        "",
        *table(by_level, ["kind", "size", "name"], ["clients in the data", "size", "effect"]),
        "",
        "## Within clients, with and without feedback",
        "",
        "Clinics of 30 therapists and 450 clients, sessions 6 to 11. With feedback the alliance answers to earlier improvement: then no",
        "way to remove time is right, and the report points to `lagged_effects`.",
        "",
        *table(by_feedback, ["feedback", "truth", "name"], ["feedback", "effect", "time removed"]),
    ]
    return "\n".join(lines) + "\n"


def _all(
    pool: ProcessPoolExecutor, work: Callable[..., list[dict[str, object]]], jobs: list[object]
) -> pd.DataFrame:
    return pd.DataFrame([row for rows in pool.map(work, jobs) for row in rows])


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    seeds = range(1, args.seeds + 1)
    with ProcessPoolExecutor(args.jobs) as pool:
        by_level = _all(pool, of_levels, [(s, k, b) for k, b, s in product(SIZES, (False, True), seeds)])
        by_feedback = _all(pool, of_feedback, [(s, t, f) for f, t, s in product(FEEDBACK, LAGGED, seeds)])
    text = page(by_level.sort_values(["kind", "size"], kind="stable"), by_feedback, args.seeds)
    (args.out / "calibration_within_between.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
