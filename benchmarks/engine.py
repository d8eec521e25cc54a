"""Times of the mixed-model engine on simulated three-level growth data; run with ``python benchmarks/engine.py``."""

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from alliance_longitudinal import MixedModel
from alliance_longitudinal.engine.inference.cluster_robust import cluster_robust
from alliance_longitudinal.engine.inference.clusters import clusters_of
from alliance_longitudinal.engine.inference.kenward_roger import kenward_roger

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
    """Best of several runs: seconds for reading the formula and the fit; milliseconds for what comes after it."""
    reading, fitting = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        model = MixedModel.from_formula(FORMULA, frame)
        middle = time.perf_counter()
        result = model.fit()
        reading.append(middle - start)
        fitting.append(time.perf_counter() - middle)
    clusters = clusters_of(model.design, model.data, "outer")
    return {
        "rows": len(frame),
        "read_s": min(reading),
        "fit_s": min(fitting),
        "evaluations": result.optimization.evaluations,
        "kenward_roger_ms": _best(lambda: kenward_roger(result.fit), repeats),
        "cr2_ms": _best(lambda: cluster_robust(result.fit, "CR2", clusters), repeats),
        "refit_ms": _best(lambda: result.bootstrap(replicates, seed=1), repeats) / replicates,
    }


def _best(work: Callable[[], object], repeats: int) -> float:
    """Shortest of several runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


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
