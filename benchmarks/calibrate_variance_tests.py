"""Size of the tests of variances under the null hypothesis: run by hand, minutes.

Three-level data without variance at the outer level, few outer groups; shares of p values below 0.05 and 0.10 by method,
with the plain chi-squared test (one degree of freedom) beside them.
"""

import sys

import numpy as np
import pandas as pd
from scipy import stats

import alliance_longitudinal as al


def frame_of(rng: np.random.Generator, outer: int) -> pd.DataFrame:
    """Rows of ``outer`` groups of 2 to 6 units with 2 to 6 rows; units differ, groups do not."""
    rows = []
    for o in range(outer):
        for i in range(rng.integers(2, 7)):
            unit = rng.normal()
            rows += [(o, f"{o}-{i}", week, unit + rng.normal()) for week in range(rng.integers(2, 7))]
    return pd.DataFrame(rows, columns=["outer", "unit", "week", "y"])


def main(count: int = 400, n_boot: int = 199) -> None:
    """Print the shares."""
    for outer in (6, 12, 30):
        rng = np.random.default_rng(outer)
        p: dict[str, list[float]] = {"exact": [], "mixture": [], "bootstrap": [], "plain chi2(1)": []}
        for seed in range(count):
            model = al.MixedModel.from_formula(
                "y ~ week + (1 | outer) + (1 | unit)", frame_of(rng, outer)
            ).fit()
            for method, n_sim in (("exact", 2000), ("mixture", 100), ("bootstrap", n_boot)):
                if method == "bootstrap" and seed >= count // 4:
                    continue
                row = model.variance_tests(method, n_sim=n_sim, seed=seed).iloc[0]
                p[method].append(row["p"])
            p["plain chi2(1)"].append(float(stats.chi2.sf(row["statistic"], 1)))
        for method, values in p.items():
            found = np.array(values)
            print(
                f"{outer:3d} groups  {method:14s} {np.mean(found <= 0.05):.3f} {np.mean(found <= 0.10):.3f} of {len(found)}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
