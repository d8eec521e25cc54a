"""Models of means and covariances for the bench: their data, and one timed fit of each beside lavaan."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "build" / "bench"
SMALL = HERE.parent / "tests" / "reference" / "small"
#: Task -> what it is, and how many times faster than lavaan it has to be (0: beside it).
MODELS = {
    "factor_one": ("one factor, 301 pupils, nine tests, values missing", 0.0),
    "factor_three": ("three factors of the same", 0.0),
    "factor_bifactor": ("bifactor model of the same tests, complete", 0.0),
    "riclpm": (
        "random-intercept cross-lagged panel by FIML, 1,000 clients, 6 sessions, 20 % missing",
        10.0,
    ),
    "dynamic": ("dynamic panel by maximum likelihood, 500 clients, 5 sessions, 20 % missing", 0.0),
    "latent": ("latent contextual effect, 5,000 clients in 250 groups", 5.0),
}
_PHI = np.array([[0.30, -0.10], [-0.15, 0.35]])


def panel(n: int, occasions: int) -> pd.DataFrame:
    """Stable levels, and effects in both directions between deviations from them; a fifth of the values missing."""
    rng = np.random.default_rng(20261130)
    level = rng.multivariate_normal([0, 0], [[0.5, -0.2], [-0.2, 0.6]], n)
    within = np.array([[0.5, -0.1], [-0.1, 0.5]])
    now = rng.multivariate_normal([0, 0], within, n)
    parts = []
    for t in range(1, occasions + 1):
        values = (level + now).round(3)
        values[rng.random(values.shape) < 0.2] = np.nan
        parts.append(pd.DataFrame({"id": np.arange(n), "t": t, "x": values[:, 0], "y": values[:, 1]}))
        now = now @ _PHI.T + rng.multivariate_normal([0, 0], within - _PHI @ within @ _PHI.T, n)
    return pd.concat(parts, ignore_index=True)


def grouped() -> pd.DataFrame:
    """5,000 clients in 250 groups of 15 to 25."""
    rng = np.random.default_rng(20261130)
    sizes = np.repeat(np.arange(15, 26), 23)[:250]
    sizes[-1] += 5000 - int(sizes.sum())
    g = np.repeat(np.arange(250), sizes)
    level, own = 0.4 * rng.normal(size=250)[g], rng.normal(size=len(g))
    y = 0.2 * own + 0.7 * level + 0.3 * rng.normal(size=250)[g] + rng.normal(size=len(g))
    return pd.DataFrame({"g": g, "x": level + own, "y": y})


def pupils() -> pd.DataFrame:
    """Nine tests of 301 pupils, with the holes of make_measurement.R."""
    frame = pd.read_csv(SMALL / "holzinger.csv").astype(float)
    i, j = np.meshgrid(np.arange(1, 302), np.arange(1, 10), indexing="ij")
    return frame.mask(((7 * i + 3 * j) % 11 == 0) | ((i % 5 == 0) & (j > 6)))


def write() -> None:
    """All data as files that R reads."""
    for name, frame in (
        ("riclpm", panel(1000, 6)),
        ("dynamic", panel(500, 5)),
        ("latent", grouped()),
        ("pupils", pupils()),
        ("pupils_complete", pd.read_csv(SMALL / "holzinger.csv")),
    ):
        frame.to_csv(DATA / f"{name}.csv", index=False)


def _factor(kind: str) -> Callable[[], float]:
    from alliance_longitudinal.methods.fiml.patterns import patterns
    from alliance_longitudinal.methods.fiml.saturated import saturated
    from alliance_longitudinal.methods.psychometrics.factors.factor_fit import fit_factors
    from alliance_longitudinal.methods.psychometrics.factors.factor_models import bifactor, correlated_factors

    frame = pd.read_csv(DATA / ("pupils_complete.csv" if kind == "bifactor" else "pupils.csv"))
    items = list(frame)
    three = {"visual": items[:3], "textual": items[3:6], "speed": items[6:]}

    def work() -> float:
        data = patterns(frame.to_numpy(dtype=float))
        make = bifactor if kind == "bifactor" else correlated_factors
        groups = {"g": items} if kind == "one" else three
        return fit_factors(data, make(groups, items, data), saturated(data)).deviance

    return work


def work_of(task: str) -> Callable[[], float]:
    """One fit with its tests and errors, which returns -2 log-likelihood."""
    from alliance_longitudinal import methods

    if task.startswith("factor_"):
        return _factor(task.removeprefix("factor_"))
    frame = pd.read_csv(DATA / f"{task}.csv")
    calls: dict[str, Callable[[], Any]] = {
        "riclpm": lambda: methods.riclpm(frame, "x", "y", "id", "t"),
        "dynamic": lambda: methods.dynamic_panel(frame, "y", "id", "t", predetermined="x"),
        "latent": lambda: methods.latent_contextual(frame, "y", "x", "g"),
    }
    return lambda: -2 * float(calls[task]().llf)


def measured(task: str) -> dict[str, float]:
    """Best of three warm runs."""
    work = work_of(task)
    work()
    found = []
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        deviance = work()
        found.append((time.perf_counter() - start, time.process_time() - cpu))
    return {"seconds": min(f[0] for f in found), "cpu": min(f[1] for f in found), "deviance": deviance}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
