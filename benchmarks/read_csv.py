"""Time of reading, scoring and checking a large CSV export, beside pandas' time for the same file.

``python benchmarks/read_csv.py --rows 1000000`` writes the file to a temporary folder, reads it in processes of their
own, several times in turn, and prints medians, the ratio (the aim is 4 at the most) and the memory (at most 2 GB).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

SESSIONS = 20

STUDY = """\
study: Large
tables:
  sessions:
    file: sessions.csv
    columns: {client: client, therapist: therapist, session: session, date: date}
measures:
  alliance: {instrument: wai_sr, items: "wai_{item}", timing: end}
  phq9: {instrument: phq_9, total: phq9}
"""

CHILD = """\
import json, resource, sys, time
path, how = sys.argv[1:]
if how == "pandas":
    import pandas
    read = lambda: pandas.read_csv(path + "/sessions.csv")
else:
    import alliance_longitudinal as al
    al.load_study("demo")
    read = lambda: al.load_study(path + "/study.yaml")
start = time.perf_counter()
read()
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
"""


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """An export of ``rows`` sessions: ids, dates, a total and twelve items."""
    rng = np.random.default_rng(seed)
    client, session = np.divmod(np.arange(rows), SESSIONS)
    day = np.datetime64("2020-01-01") + client % 1000 + 7 * session
    items = {f"wai_{k}": rng.integers(1, 6, rows) for k in range(1, 13)}
    return pd.DataFrame(
        {
            "client": [f"C{c:06d}" for c in client],
            "therapist": [f"T{c // 20:04d}" for c in client],
            "session": session,
            "date": day.astype(str),
            "phq9": rng.integers(0, 28, rows),
            **items,
        }
    )


def measured(folder: Path, how: str) -> tuple[float, float]:
    """Seconds and gigabytes of one read in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), how], capture_output=True, text=True, check=True
    )
    seconds, gigabytes = json.loads(done.stdout)
    return seconds, gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quoted", action="store_true", help="every text in quotation marks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table(options.rows).to_csv(folder / "sessions.csv", index=False, quoting=2 if options.quoted else 0)
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
        runs = [(measured(folder, "pandas"), measured(folder, "load_study")) for _ in range(options.repeats)]
    theirs = statistics.median(run[0][0] for run in runs)
    ours = statistics.median(run[1][0] for run in runs)
    ratio = statistics.median(run[1][0] / run[0][0] for run in runs)
    memory = max(run[1][1] for run in runs)
    print(f"{options.rows} rows: pandas.read_csv {theirs:.2f} s, load_study {ours:.2f} s")
    print(f"ratio {ratio:.1f} (of each pair, median); load_study needs {memory:.2f} GB at the most")


if __name__ == "__main__":
    main()
