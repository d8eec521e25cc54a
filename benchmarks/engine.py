"""Times of the mixed-model engine on simulated three-level growth data; run with ``python benchmarks/engine.py``."""

import argparse
import time

import numpy as np
import pandas as pd

from alliance_longitudinal import MixedModel

FORMULA = "y ~ week * a + (1 + week | outer/inner)"


def growth(outer: int, inner: int, rows: int, seed: int = 0) -> pd.DataFrame:
    """Balanced three-level growth data with random intercepts and slopes at both levels."""
    rng = np.random.default_rng(seed)
    top = np.repeat(np.arange(outer), inner * rows)
    low = np.repeat(np.arange(outer * inner), rows)
    week = np.tile(np.arange(rows, dtype=float), outer * inner)
    a = rng.normal(size=outer * inner)[low]
    b_top = rng.normal(size=(outer, 2)) * [1.5, 0.15]
    b_low = rng.normal(size=(outer * inner, 2)) * [4.0, 0.4]
    y = (
        15
        - 0.6 * week
        + 0.3 * a * week
        + b_top[top, 0]
        + b_low[low, 0]
        + (b_top[top, 1] + b_low[low, 1]) * week
    )
    return pd.DataFrame(
        {"y": y + 3 * rng.normal(size=len(y)), "week": week, "a": a, "outer": top, "inner": low}
    )


def measure(frame: pd.DataFrame, replicates: int, repeats: int = 3) -> dict[str, float]:
    """Best of several runs: seconds for reading the formula, for the fit, and for one bootstrap refit."""
    reading, fitting = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        model = MixedModel.from_formula(FORMULA, frame)
        middle = time.perf_counter()
        result = model.fit()
        reading.append(middle - start)
        fitting.append(time.perf_counter() - middle)
    start = time.perf_counter()
    result.bootstrap(replicates, seed=1)
    refit = (time.perf_counter() - start) / replicates
    return {
        "rows": len(frame),
        "read_s": min(reading),
        "fit_s": min(fitting),
        "evaluations": result.optimization.evaluations,
        "refit_ms": 1000 * refit,
    }


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a million rows")
    sizes = [(30, 30, 9), (200, 50, 10)] + ([(1000, 100, 10)] if parser.parse_args().large else [])
    MixedModel.from_formula(FORMULA, growth(5, 5, 5)).fit()
    for size in sizes:
        line = measure(growth(*size), replicates=10)
        print("   ".join(f"{name} {value:.4g}" for name, value in line.items()))


if __name__ == "__main__":
    main()
