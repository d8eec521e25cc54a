"""One measurement of mixedlm, run by its own environment's Python; prints JSON. ``peer.py fit 100000``."""

import json
import sys
import time

import mixedlm
from growth import FORMULA, data_of


def fit(rows: str, repeats: str) -> dict[str, float]:
    """Reading and fitting."""
    frame = data_of(int(rows))
    mixedlm.lmer(FORMULA, data_of(10_000))
    times = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        result = mixedlm.lmer(FORMULA, frame)
        times.append(time.perf_counter() - start)
    return {"seconds": min(times), "deviance": float(mixedlm.REMLcrit(result))}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
