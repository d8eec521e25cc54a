"""Times the engine on the models of the reference catalogue; run by ``make bench``.

A time is that of a whole fit from formula and frame to results, the best of several.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import alliance_longitudinal as al
from reference.catalogue import DATA, at_hand, reference

REPEATS = 5


def milliseconds(model: Mapping[str, Any]) -> float:
    """Least time of a fit."""
    data = DATA[model["data"]]()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        al.MixedModel.from_formula(model["formula"], data).fit(reml=model["reml"])
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main() -> None:
    """Print one line a model."""
    print(f"{'ms':>8}  {'rows':>6}  model")
    for model in reference()["models"]:
        if at_hand(model["data"]):
            print(f"{milliseconds(model):8.1f}  {model['nobs']:6d}  {model['name']}: {model['formula']}")


if __name__ == "__main__":
    main()
