"""Size of the tests of variances under the null hypothesis: a section of docs/calibration_engine.md.

Three-level data without variance at the outer level, few outer groups; shares of p values below 0.05 and 0.10 by method,
with the plain chi-squared test (one degree of freedom) beside them.
"""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from scipy import stats

import alliance_longitudinal as al

OUTER = (6, 12, 30)
#: The bootstrap takes a refit of two models for each of its samples: it is tried on every sixth data set.
BOOTSTRAP_EVERY = 6


def frame_of(rng: np.random.Generator, outer: int) -> pd.DataFrame:
    """Rows of ``outer`` groups of 2 to 6 units with 2 to 6 rows; units differ, groups do not."""
    rows = []
    for o in range(outer):
        for i in range(rng.integers(2, 7)):
            unit = rng.normal()
            rows += [(o, f"{o}-{i}", week, unit + rng.normal()) for week in range(rng.integers(2, 7))]
    return pd.DataFrame(rows, columns=["outer", "unit", "week", "y"])


def _one(job: tuple[int, int]) -> list[tuple[int, str, float]]:
    outer, seed = job
    frame = frame_of(np.random.default_rng([outer, seed]), outer)
    fit = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 | unit)", frame).fit()
    found = []
    for method, n_sim in (("exact", 2000), ("mixture", 100), ("bootstrap", 199)):
        if method == "bootstrap" and seed % BOOTSTRAP_EVERY:
            continue
        row = fit.variance_tests(method, n_sim=n_sim, seed=seed).iloc[0]
        found.append((outer, method, float(row["p"])))
    return [*found, (outer, "plain chi-squared (1)", float(stats.chi2.sf(row["statistic"], 1)))]


def size_section(seeds: int, pool: ProcessPoolExecutor) -> str:
    """The section as Markdown."""
    jobs = [(outer, seed) for outer in OUTER for seed in range(seeds)]
    parts = [row for rows in pool.map(_one, jobs, chunksize=8) for row in rows]
    table = pd.DataFrame(parts, columns=["groups", "method", "p"])
    lines = [
        "## Tests of a variance that is zero",
        "",
        "Share of data sets in which `variance_tests` rejects the true hypothesis that the outer groups do not differ; the "
        "nominal level is in the head of the column. The plain chi-squared test ignores that a variance cannot be negative.",
        "",
        "| outer groups | method | at 5 % | at 10 % | data sets | Monte Carlo error at 5 % |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for (groups, method), part in table.groupby(["groups", "method"], sort=False):
        n, p = len(part), part["p"]
        error = 100 * (0.05 * 0.95 / n) ** 0.5
        lines.append(
            f"| {groups} | {method} | {100 * (p <= 0.05).mean():.1f} % | {100 * (p <= 0.1).mean():.1f} % | {n} | {error:.1f} |"
        )
    return "\n".join(lines) + "\n"
