"""CPU time of analyses of the demonstration study in a fresh process, and of the early-alliance report in all its processes; JSON."""

import json
import os
import sys
import time

if __name__ == "__main__":  # not in bench.py, which reads the tasks and gives its other work all threads
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[_name] = "1"

from pathlib import Path

from small_report import cpu_of

import alliance_longitudinal as al

#: Task -> what it is, and at most how many seconds of CPU.
TASKS = {
    "report": ("the early_alliance report of the demonstration study, all its processes", 15.0),
    "deltas": ("its clients who left, filled in 50 times under 5 deltas", 10.0),
    "measurement": ("measurement of the demonstration study", 4.0),
    "data_quality": ("data_quality of the demonstration study", 2.2),
    "sudden_gains": ("sudden_gains of the demonstration study", 1.4),
}
DELTAS = (0.0, 1.0, 2.0, 3.0, 5.0)


def seconds_of(task: str, **parameters: object) -> float:
    """CPU seconds of one analysis, without loading the study."""
    study = al.load_study("demo")
    start = time.process_time()
    getattr(al, task)(study, **parameters)
    return time.process_time() - start


def main(task: str, folder: Path) -> None:
    """Print the CPU seconds of a task."""
    if task == "report":
        call = [
            sys.executable,
            "-m",
            "alliance_longitudinal.cli",
            "report",
            "demo",
            "--notebook",
            "early_alliance",
        ]
        folder.mkdir(parents=True, exist_ok=True)
        print(json.dumps(cpu_of([*call, "--out", str(folder / "early_alliance")], folder)))
        return
    if task == "deltas":
        seconds_of("early_alliance", sensitivity=False)  # loads the machine code
        without = seconds_of("early_alliance", sensitivity=False)
        print(json.dumps({"cpu": seconds_of("early_alliance", delta=DELTAS, m=50) - without}))
        return
    print(json.dumps({"cpu": seconds_of(task)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
