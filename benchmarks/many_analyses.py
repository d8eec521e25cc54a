"""The multiverse for the bench: least-squares analyses with CR2 errors and permutations, and mixed models beside; JSON."""

import json
import os
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from alliance_longitudinal import load_study
from alliance_longitudinal.analyses.multiverse.compute import Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import LEAST, WINDOWS, Early, Spec, specs_of

#: Task -> parts of the alliance and estimators.
TASKS = {
    "least_squares": (("total", "goal", "task", "bond"), (LEAST,)),
    "mixed": (("total",), ("three_level",)),
}


def main(task: str) -> None:
    """Time one grid on the 900 clients of the demonstration study: 6 windows, 3 adjustments, 2 outcomes, 500 permutations."""
    study = load_study("demo")
    alliance, sessions = study.measures["alliance"], study.sessions
    parts, estimators = TASKS[task]
    windows = [Early.parse(w) for w in WINDOWS]
    specs = specs_of(
        [(alliance, part) for part in parts],
        windows,
        ("nothing", "intake", "change"),
        ("slope", "last"),
        estimators,
    )
    main_one = Spec(alliance, "total", Early.parse("1-5"), "change", "slope", estimators[0])
    setting = Setting(study.measures["phq9"], "week", "within", 8.0)
    start, cpu = time.perf_counter(), time.process_time()
    found = multiverse_of(sessions, specs, main_one, setting, 500, 1)
    assert found is not None
    assert len(found.curve.permuted) == 500
    took = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    print(json.dumps({"cells": len(specs), **took}))


if __name__ == "__main__":
    main(sys.argv[1])
