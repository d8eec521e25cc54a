"""Repeats the multiverse on simulated clinic groups: error rate of its joint tests without an effect, power with one.

`make calibrate` runs 400 groups of each make on all cores and writes docs/calibration_multiverse.md.

Without an effect nothing makes early alliance and later symptoms go together: the ratings answer neither to improvement nor to
severity, so no adjustment is needed for the truth of zero. With ``effects of their own`` each therapist has an effect, and these are
zero on average: then permuted data, in which no therapist has one, differ less than they should.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import pandas as pd
from scipy import stats

from alliance_longitudinal.analyses.multiverse.compute import Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import LEAST, Early, Spec, specs_of
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

DOCS = Path(__file__).resolve().parents[1] / "docs"
PLAIN = {"between": 0.0, "alliance_by_improvement": 0.0, "alliance_by_severity": 0.0}
MAKES = {
    "no effect, 30 therapists, 360 clients": ClinicTruth(30, 360, within=0.0, **PLAIN),
    "no effect, 8 therapists, 120 clients": ClinicTruth(8, 120, within=0.0, **PLAIN),
    "no effect on average, effects of their own (SD .02)": ClinicTruth(
        30, 360, within=0.0, within_therapist_sd=0.02, **PLAIN
    ),
    "effect -.01 per point and week, 30 therapists, 360 clients": ClinicTruth(30, 360, within=-0.01, **PLAIN),
    "effect -.02 per point and week, 30 therapists, 360 clients": ClinicTruth(30, 360, within=-0.02, **PLAIN),
}
TESTS = {"p_mean_t": "mean t", "p_median": "median", "p_significant": "number significant"}


def joint(job: tuple[int, str, tuple[str, ...], int]) -> tuple[str, str, float, float, float]:
    """Make, estimators and the three p of one group."""
    seed, make, estimators, n_perm = job
    study = simulated_study(seed, MAKES[make], items=False)
    alliance = study.measures["alliance"]
    windows = [Early.parse(w) for w in ("3", "1-3", "1-5", "first5")]
    specs = specs_of(
        [(alliance, "total")], windows, ("nothing", "intake", "change"), ("slope", "last"), estimators
    )
    main_one = Spec(alliance, "total", Early.parse("1-5"), "change", "slope", estimators[0])
    setting = Setting(study.measures["phq9"], "week", "within", 8.0)
    found = multiverse_of(study.sessions, specs, main_one, setting, n_perm, seed)
    assert found is not None
    curve = found.curve
    words = "least squares" if estimators == (LEAST,) else "mixed models"
    return make, words, curve.p_mean_t, curve.p_median, curve.p_significant


def page(draws: pd.DataFrame, n_perm: int) -> str:
    """docs/calibration_multiverse.md."""
    lines = [
        "# Calibration of the multiverse",
        "",
        f"Joint tests of 24 analyses (four early windows, three adjustments, two outcomes) with {n_perm} permutations, on simulated",
        "clinic groups. Made by `make calibrate` (`benchmarks/calibrate_multiverse.py`).",
        "",
        "Without an effect p is at most .05 in one of twenty groups, and uniform (Kolmogorov-Smirnov) for the median and the mean t.",
        "The number of significant analyses has ties, so its test rejects less often.",
        "",
        "| make | estimators | groups | test | p at most .05 | Monte Carlo error | p of uniformity |",
        "|---|---|---|---|---|---|---|",
    ]
    for (make, words), part in draws.groupby(["make", "words"], sort=False):
        n = len(part)
        for test, name in TESTS.items():
            share = float((part[test] <= 0.05).mean())
            error = np.sqrt(max(share * (1 - share), 0.05 * 0.95) / n)
            ties = test == "p_significant" or "effect -" in make
            uniform = "" if ties else f"{stats.kstest(part[test], 'uniform').pvalue:.3f}"
            lines.append(
                f"| {make} | {words} | {n} | {name} | {100 * share:.1f} % | {100 * error:.1f} % | {uniform} |"
            )
    lines += [
        "",
        "Where effects differ between therapists and are zero on average, the null of the permutations (no effect for any therapist) is not",
        "true, and a p of these tests may be small for this reason. The report says so among its limits.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all makes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--mixed", type=int, default=100, help="groups of each make with mixed models")
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    args = parser.parse_args()
    jobs = [
        (seed, make, estimators, args.permutations)
        for make in MAKES
        for estimators, seeds in (((LEAST,), args.seeds), (("three_level",), args.mixed))
        for seed in range(1, seeds + 1)
    ]
    with ProcessPoolExecutor(args.jobs) as pool:
        draws = pd.DataFrame(pool.map(joint, jobs, chunksize=2), columns=["make", "words", *TESTS])
    (args.out / "calibration_multiverse.md").write_text(page(draws, args.permutations), encoding="utf-8")
    print(page(draws, args.permutations))


if __name__ == "__main__":
    main()
