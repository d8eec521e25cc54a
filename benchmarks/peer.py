"""One measurement of mixedlm, run by its own environment's Python; prints JSON. ``peer.py fit 100000``."""

import json
import sys
import time

import mixedlm
import pandas as pd
from growth import CROSSED_FORMULA, FORMULA, crossed_of, data_of


def fit(rows: str, repeats: str) -> dict[str, float]:
    """Reading and fitting."""
    mixedlm.lmer(FORMULA, data_of(10_000))
    return _timed(FORMULA, data_of(int(rows)), int(repeats))


def two_crossed(rows: str) -> dict[str, float]:
    """Two crossed factors; seconds of processor time beside those of the clock."""
    frame = crossed_of(int(rows))
    mixedlm.lmer(CROSSED_FORMULA, frame)
    before = time.process_time()
    return _timed(CROSSED_FORMULA, frame, 5) | {"cpu": (time.process_time() - before) / 5}


def _timed(formula: str, frame: pd.DataFrame, repeats: int) -> dict[str, float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = mixedlm.lmer(formula, frame)
        times.append(time.perf_counter() - start)
    return {"seconds": min(times), "deviance": float(mixedlm.REMLcrit(result))}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
