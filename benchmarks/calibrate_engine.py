"""Coverage of the engine's 95 % intervals for fixed effects, variances and ICC: docs/calibration/engine.md.

Three-level growth data of known truth, with few (12) and more (40) outer groups; Wald intervals with each small-sample
method for the coefficients, profile intervals for standard deviations, correlations and intraclass correlations. With
them the residual structures and the size of the tests of variances, from their own scripts.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
import pandas as pd
from calibrate_residuals import residual_section
from calibrate_variance_tests import SEEDS, csv_rows, section, sizes

import alliance_longitudinal as al

DOCS = Path(__file__).resolve().parents[1] / "docs"
FORMULA = "y ~ week * rating + (1 + week | outer/unit)"
BETA = {"Intercept": 15.0, "week": -0.8, "rating": -0.5, "week:rating": 0.2}
OUTER = np.array([[2.0, 0.15], [0.15, 0.09]])
UNIT = np.array([[6.0, -0.3], [-0.3, 0.25]])
SIGMA = 2.0
METHODS = {
    "Satterthwaite": {"df": "satterthwaite"},
    "Kenward-Roger": {"df": "kenward-roger"},
    "CR2": {"cov_type": "CR2", "cov_groups": "outer"},
}


def frame_of(seed: int, groups: int) -> pd.DataFrame:
    """``groups`` outer groups of 4 to 8 units with 4 to 8 rows; the rating belongs to the unit."""
    rng = np.random.default_rng([seed, groups])
    parts = []
    for o in range(groups):
        b = rng.multivariate_normal([0, 0], OUTER)
        for i in range(rng.integers(4, 9)):
            u = b + rng.multivariate_normal([0, 0], UNIT)
            rating, week = rng.normal(), np.arange(rng.integers(4, 9), dtype=float)
            mean = BETA["Intercept"] + BETA["rating"] * rating + u[0]
            slope = BETA["week"] + BETA["week:rating"] * rating + u[1]
            y = mean + slope * week + rng.normal(0, SIGMA, len(week))
            parts.append(
                pd.DataFrame({"y": y, "week": week, "rating": rating, "outer": o, "unit": f"{o}-{i}"})
            )
    return pd.concat(parts, ignore_index=True)


def true_values() -> dict[str, float]:
    """Parameters by the names that intervals have."""
    out = {}
    for name, psi in (("outer", OUTER), ("unit:outer", UNIT)):
        sd = np.sqrt(np.diag(psi))
        out |= {f"sd(Intercept)|{name}": sd[0], f"sd(week)|{name}": sd[1]}
        out[f"cor(Intercept,week)|{name}"] = psi[0, 1] / sd.prod()
    total = OUTER[0, 0] + UNIT[0, 0] + SIGMA**2
    shares = {"icc|outer": OUTER[0, 0] / total, "icc|unit:outer": UNIT[0, 0] / total}
    return out | {"sigma": SIGMA} | shares


def one(job: tuple[int, int]) -> list[tuple[int, str, str, float, float]]:
    """Intervals of one data set: groups, method, parameter, lower, upper."""
    seed, groups = job
    data = frame_of(seed, groups)
    model = al.MixedModel.from_formula(FORMULA, data)
    rows = []
    for method, options in METHODS.items():
        limits = model.fit(**options).conf_int()
        rows += [
            (groups, method, str(t), *map(float, limits.loc[t, ["lower", "upper"]])) for t in limits.index
        ]
    res = model.fit()
    profile = res.conf_int(method="profile")
    own = [t for t in profile.index if t not in BETA]
    rows += [(groups, "profile", str(t), *map(float, profile.loc[t, ["lower", "upper"]])) for t in own]
    icc = res.icc(method="profile", at={"week": 0.0})
    for row in icc[icc["group"] != "Residual"].itertuples():
        rows.append((groups, "profile", f"icc|{row.group}", float(row.lower), float(row.upper)))
    return rows


def summarise(rows: list[tuple[int, str, str, float, float]]) -> pd.DataFrame:
    """Coverage, with its Monte Carlo error, and width."""
    truth = BETA | true_values()
    table = pd.DataFrame(rows, columns=["groups", "method", "parameter", "lower", "upper"])
    true = table["parameter"].map(truth)
    table["covered"] = (table["lower"] <= true) & (true <= table["upper"])
    table["width"] = table["upper"] - table["lower"]
    out = table.groupby(["groups", "method", "parameter"], sort=False).agg(
        coverage=("covered", "mean"), width=("width", "median"), n=("covered", "size")
    )
    out["mc_error"] = np.sqrt(0.95 * 0.05 / out["n"])
    return out.reset_index()


def page(table: pd.DataFrame, seeds: int) -> str:
    """The page for readers."""
    lines = [
        "# Calibration of the engine",
        "",
        "Written by `make calibrate`; do not edit. How often 95 % intervals of the mixed-model engine contain the truth, over "
        f"{seeds} simulated data sets each (`benchmarks/calibrate_engine.py`): `{FORMULA}`, 12 and 40 outer groups of 4 to 8 "
        "units with 4 to 8 rows. A coverage within two Monte Carlo errors of 95 % is what chance allows.",
        "",
        "| outer groups | method | parameter | coverage | MC error | median width |",
        "|---:|---|---|---:|---:|---:|",
    ]
    for row in table.itertuples():
        name = str(row.parameter).replace("|", r"\|")
        lines.append(
            f"| {row.groups} | {row.method} | {name} | {100 * row.coverage:.1f} % | {100 * row.mc_error:.1f} | {row.width:.3g} |"
        )
    off = table[(table["coverage"] - 0.95).abs() > 0.02 + 2 * table["mc_error"]]
    lines += ["", "## Outside what chance allows", ""]
    if off.empty:
        lines.append("None by more than two percentage points.")
    for row in off.itertuples():
        lines.append(f"- {row.groups} groups, {row.method}, `{row.parameter}`: {100 * row.coverage:.1f} %")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    jobs = [(seed, groups) for groups in (12, 40) for seed in range(args.sets)]
    rows = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for k, part in enumerate(pool.map(one, jobs, chunksize=4), start=1):
            rows += part
            if k % 100 == 0:
                print(f"{k} of {len(jobs)} data sets", flush=True)
        table, tests = summarise(rows), sizes(max(args.sets, SEEDS), pool)
        pd.concat([table, csv_rows(tests)]).to_csv(
            DOCS / "calibration" / "engine.csv", index=False, float_format="%.6g"
        )
        parts = [page(table, args.sets), residual_section(args.sets, pool), section(tests)]
    (DOCS / "calibration" / "engine.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
