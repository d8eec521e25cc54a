"""``alliance check`` of a million sessions: the demonstration clinic a hundred times, other ids and other answers each time.

Prints JSON: seconds by the clock, seconds of CPU and the peak of memory (MiB) of the command alone.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

COPIES = int(sys.argv[1]) if len(sys.argv) > 1 else 100


def read(path: Path) -> pd.DataFrame:
    """A table as it stands."""
    return pd.read_csv(path, sep=";", dtype=str, keep_default_na=False, encoding="cp1252")


def copies(folder: Path) -> int:
    """Write the larger clinic over the small one; its number of sessions."""
    rng = np.random.default_rng(1)
    sessions, clients = read(folder / "sessions.csv"), read(folder / "clients.csv")
    items = [name for name in sessions if name.startswith("WAI")]
    whole = sessions[items].isin(list("12345")).all(axis=1).to_numpy()
    made, listed = [], []
    for copy in range(COPIES):
        other = sessions.assign(
            ClientNo=f"{copy:03d}" + sessions["ClientNo"], Therapist=f"K{copy}" + sessions["Therapist"]
        )
        for (
            name
        ) in items:  # a quarter of the answers, so that the copies are not rows copied to other clients
            change = whole & (rng.random(len(other)) < 0.25)
            other.loc[change, name] = rng.integers(1, 6, change.sum()).astype(str)
        made.append(other)
        listed.append(clients.assign(ClientNo=f"{copy:03d}" + clients["ClientNo"]))
    for name, frames in (("sessions.csv", made), ("clients.csv", listed)):
        pd.concat(frames).to_csv(folder / name, sep=";", index=False, encoding="cp1252")
    return COPIES * len(sessions)


def main() -> None:
    """Make the clinic, check it, print what it cost."""
    with tempfile.TemporaryDirectory() as place:
        alliance = [sys.executable, "-m", "alliance_longitudinal.cli"]
        clinic = Path(place) / "clinic"
        subprocess.run([*alliance, "demo", str(clinic)], check=True, capture_output=True)
        rows = copies(clinic)
        before, start = processor(), time.perf_counter()
        done = subprocess.run(
            [*alliance, "check", str(clinic / "study.yaml")], capture_output=True, text=True, check=True
        )
        took, cpu = time.perf_counter() - start, processor() - before
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = done.stdout.count("\n")
    print(json.dumps({"rows": rows, "lines": lines, "wall": took, "cpu": cpu, "mib": peak}))


def processor() -> float:
    """Seconds of CPU of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
