"""One measurement of this engine in a process of its own; prints JSON. ``python benchmarks/ours.py fit 100000``."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from growth import CROSSED_FORMULA, FORMULA, crossed_of, data_of

DATA = Path(__file__).resolve().parent.parent / "build" / "bench"


def best(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Shortest time of several runs in seconds, and the last result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = work()
        times.append(time.perf_counter() - start)
    return min(times), out


def model(formula: str, frame: pd.DataFrame, reml: bool = True) -> Any:
    """Read and fit."""
    from alliance_longitudinal import MixedModel

    return MixedModel.from_formula(formula, frame).fit(reml=reml)


def warm() -> None:
    """Load machine code: a small fit that uses the compiled loops."""
    model(FORMULA, data_of(100_000))


def memory(key: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (highest) of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def course(clients: str) -> dict[str, Any]:
    """Ten-fold validation of an expected course: the first run of the process, and one that is warm."""
    from alliance_longitudinal import methods, simulate_clinic

    frame = simulate_clinic(1, therapists=int(clients) // 30, clients=int(clients), items=False).sessions
    frame = frame.sort_values(["client", "session"])
    frame["intake"] = frame.groupby("client")["phq9"].transform("first")
    frame = frame[frame["session"] > 0]

    def work() -> Any:
        return methods.held_out_courses(frame, "phq9", "intake", "week", "client", "therapist", folds=10)

    first, _ = best(work, 1)
    seconds, found = best(work, 1)
    return {
        "seconds": seconds,
        "first": first,
        "rows": len(frame),
        "cover80": found.accuracy()["cover80"].iloc[0],
    }


def planning(n_sim: str) -> dict[str, Any]:
    """Simulated and refitted studies of 30 therapists, 20 clients of each and 8 sessions, from the plan to the power."""
    from alliance_longitudinal import methods

    plan = methods.StudyPlan.of(
        30, 20, range(8), residual=5, client=((13, 0), (0, 0.04)), therapist=((1.3, 0), (0, 0.012))
    )
    rows = plan.rows(1)
    rows.assign(y=np.random.default_rng(1).standard_normal(len(rows))).to_csv(
        DATA / "planning.csv", index=False
    )
    methods.simulate_plan(plan, 50, 1)

    def work() -> Any:
        return methods.simulate_plan(plan, int(n_sim), 1)

    start = time.process_time()
    seconds, found = best(work, 1)
    return {
        "seconds": seconds,
        "cpu": time.process_time() - start,
        "se": found.mean_se.tolist(),
        "failed": found.failed,
    }


def fit(rows: str, repeats: str = "5") -> dict[str, Any]:
    """Reading and fitting, warm; and NumPy's cross-product of the columns used."""
    warm()
    frame = data_of(int(rows))
    seconds, result = best(lambda: model(FORMULA, frame), int(repeats))
    one, week, a = np.ones(len(frame)), frame["week"], frame["a"]
    u = np.column_stack([frame["y"], one, week, a, week * a, one, week, one, week])
    product, _ = best(lambda: u.T @ u, 7)
    return {
        "seconds": seconds,
        "deviance": result.deviance,
        "evaluations": result.optimization.evaluations,
        "product": product,
    }


def peak(rows: str) -> dict[str, Any]:
    """Memory that reading and fitting take beyond what was there before."""
    warm()
    frame = data_of(int(rows))
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    model(FORMULA, frame)
    return {"extra": memory("VmHWM") - before, "columns": int(frame.memory_usage(index=False).sum())}


def parquet(path: str) -> dict[str, Any]:
    """A fit from Parquet in a fresh process: seconds, rows, and the highest memory of the whole process."""
    from alliance_longitudinal import MixedModel

    start = time.perf_counter()
    made = MixedModel.from_parquet(FORMULA, path)
    middle = time.perf_counter()
    result = made.fit()
    return {
        "read": middle - start,
        "fit": time.perf_counter() - middle,
        "rows": result.nobs,
        "peak": memory("VmHWM"),
        "converged": result.converged,
    }


def bootstrap(count: str) -> dict[str, Any]:
    """Parametric bootstrap on egsingle."""
    result = model("math ~ year + (year | schoolid) + (year | childid)", pd.read_csv(DATA / "egsingle.csv"))
    result.bootstrap(5, seed=1)
    seconds, made = best(lambda: result.bootstrap(int(count), seed=1), 1)
    return {"seconds": seconds, "failed": made.n_failed, "deviance": result.deviance}


def kenward_roger() -> dict[str, Any]:
    """Adjusted covariance and degrees of freedom on egsingle, after the fit."""
    from alliance_longitudinal.engine.inference.kenward_roger import kenward_roger as adjust

    result = model("math ~ year + (year | schoolid) + (year | childid)", pd.read_csv(DATA / "egsingle.csv"))

    def work() -> tuple[Any, Any]:
        made = adjust(result.fit)
        return np.sqrt(np.diag(made.cov)), made.df(np.eye(2))

    seconds, (se, df) = best(work, 5)
    return {"seconds": seconds, "se": se.tolist(), "df": df.tolist()}


def profile() -> dict[str, Any]:
    """Profile intervals of all parameters, BtheB with random slopes, maximum likelihood."""
    frame = pd.read_csv(DATA / "btheb.csv")
    formula = "bdi ~ bdi_pre + time + treatment + drug + length + (time | subject)"
    result = model(formula, frame, reml=False)
    seconds, table = best(lambda: result.conf_int(method="profile"), 2)
    return {"seconds": seconds, "deviance": result.deviance, "rows": len(table)}


def crossed() -> dict[str, Any]:
    """InstEval by maximum likelihood."""
    frame = pd.read_csv(DATA / "insteval.csv")
    formula = "y ~ 1 + (1 | s) + (1 | d) + (1 | dept:service)"
    seconds, result = best(lambda: model(formula, frame, reml=False), 2)
    return {"seconds": seconds, "deviance": result.deviance}


def two_crossed(rows: str) -> dict[str, Any]:
    """Two crossed factors by REML; seconds of processor time beside those of the clock."""
    frame = crossed_of(int(rows))
    model(CROSSED_FORMULA, frame)
    before = time.process_time()
    seconds, result = best(lambda: model(CROSSED_FORMULA, frame), 5)
    return {"seconds": seconds, "cpu": (time.process_time() - before) / 5, "deviance": result.deviance}


def small() -> dict[str, Any]:
    """Sleepstudy, warm: formula and data frame included."""
    frame = pd.read_csv(DATA / "sleepstudy.csv")
    model("Reaction ~ Days + (Days | Subject)", frame)
    seconds, result = best(lambda: model("Reaction ~ Days + (Days | Subject)", frame), 60)
    return {"seconds": seconds, "deviance": result.deviance}


def first() -> dict[str, Any]:
    """Sleepstudy once; the caller times the process."""
    return {
        "deviance": model("Reaction ~ Days + (Days | Subject)", pd.read_csv(DATA / "sleepstudy.csv")).deviance
    }


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
