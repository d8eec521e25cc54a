"""Sixty small reports in one batch: time of the clock beside their processor time, and memory of all processes.

``python benchmarks/batch_speed.py [RUNS]`` prints the rows that ``make bench`` puts on the page. On a machine that does other work the time of
the clock says nothing; the processor times still do.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from small_report import STUDY, Cost, measure

import alliance_longitudinal as al

STUDIES = 10
NOTEBOOKS = (
    "reliable_change",
    "sudden_gains",
    "within_between",
    "alliance_course",
    "lagged_effects",
    "alliance_events",
)
RUNS = 3
ROWS = 954
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Run:
    """One run of a batch: seconds of the clock, processor seconds of each report and of everything, memory in GiB if watched."""

    wall: float
    reports: tuple[float, ...]
    cpu: float
    gib: float

    @property
    def ratio(self) -> float:
        """Time of the clock over half of the reports' processor time."""
        return self.wall / (sum(self.reports) / 2)


def write_batch(folder: Path, notebooks: tuple[str, ...], studies: int) -> Path:
    """So many simulated clinics of 954 sessions, and the batch file."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for seed in range(1, studies + 1):
        place = folder / f"s{seed}"
        place.mkdir(exist_ok=True)
        rows = al.simulate_clinic(seed, clients=90, therapists=10, items=False).sessions
        rows.head(ROWS).to_csv(place / "sessions.csv", index=False)
        (place / "study.yaml").write_text(STUDY, encoding="utf-8")
        names[f"S{seed}"] = f"s{seed}/study.yaml"
    path = folder / "batch.yaml"
    path.write_text(json.dumps({"studies": names, "notebooks": list(notebooks)}), encoding="utf-8")
    return path


def run(batch: Path, jobs: int | None = None, *, watched: bool = False) -> Run:
    """Make every report anew; to watch the memory takes time itself."""
    out, events = batch.parent / "out", batch.parent / "events.jsonl"
    shutil.rmtree(out, ignore_errors=True)
    events.unlink(missing_ok=True)
    command = [sys.executable, "-m", "alliance_longitudinal.cli", "batch", str(batch), "--out", str(out)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        [*command, *(["--jobs", str(jobs)] if jobs else []), "--events", str(events), "--json"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    most: list[float] = [0.0]
    watch = threading.Thread(target=_watch, args=(process, most))
    if watched:
        watch.start()
    status = process.wait()
    wall = time.perf_counter() - start
    if watched:
        watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    if status:
        raise RuntimeError(next(e["error"] for e in told if e.get("error")))
    used = tuple(e["cpu_seconds"] for e in told if e["event"] == "used")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, used, cpu, most[0])


def _watch(process: "subprocess.Popen[bytes]", most: list[float]) -> None:
    """Largest memory of all processes together; what they share counts once."""
    while process.poll() is None:
        total = 0.0
        try:
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                try:
                    total += one.memory_full_info().pss
                except psutil.Error:
                    continue
        except psutil.Error:
            break
        most[0] = max(most[0], total / 2**30)
        time.sleep(_LOOK_SECONDS)


def rows(folder: Path, runs: int = RUNS) -> list[tuple[str, str, str, bool | None]]:
    """Lines of the page: work, target, measured, and whether the target is met."""
    batch = write_batch(folder / "batch", NOTEBOOKS, STUDIES)
    made = sorted((run(batch) for _ in range(runs)), key=lambda one: one.ratio)
    middle = made[len(made) // 2]
    mean = statistics.mean(middle.reports)
    lines: list[tuple[str, str, str, bool | None]] = [
        (
            f"a batch of {len(middle.reports)} small reports (six notebooks, ten studies of {ROWS} sessions) on {os.cpu_count()} cores, median of {runs}",
            "at most 1.15 times half of the reports' CPU",
            f"{middle.wall:.1f} s of time, {sum(middle.reports):.1f} s of CPU in reports ({middle.cpu:.1f} s in all): {middle.ratio:.2f} times",
            middle.ratio <= 1.15,
        ),
        (
            "each of these reports",
            "at most 3 s of CPU",
            f"{mean:.2f} s on average, {max(middle.reports):.2f} s at most",
            max(middle.reports) <= 3,
        ),
        (
            "memory of all processes of this batch",
            "stated",
            f"{run(batch, watched=True).gib:.2f} GiB at most",
            None,
        ),
    ]
    return lines + beside_r(folder)


def beside_r(folder: Path) -> list[tuple[str, str, str, bool | None]]:
    """One report of variance_partition from a batch beside the same fits in R Markdown."""
    one = run(write_batch(folder / "one", ("variance_partition",), 2), jobs=1)
    cpu = min(one.reports)
    _, full, bare = measure(folder / "small_report")
    lines: list[tuple[str, str, str, bool | None]] = []
    for peer, words in ((full, "with profile intervals as here"), (bare, "without intervals")):
        lines.append(
            (
                f"a report `variance_partition` of {ROWS} sessions in a batch, compared with its fits and figure in R Markdown {words}",
                "half of the CPU",
                f"here {cpu:.2f} s; R Markdown {_said(peer)}",
                None if "error" in peer else float(peer["cpu"]) >= 2 * cpu,
            )
        )
    return lines


def _said(peer: Cost) -> str:
    return str(peer["error"]) if "error" in peer else f"{peer['cpu']:.2f} s"


if __name__ == "__main__":
    place = Path(__file__).resolve().parent.parent / "build" / "bench"
    for work, target, measured, met in rows(place, int(sys.argv[1]) if sys.argv[1:] else RUNS):
        print(
            f"| {work} | {target} | {measured} | {'' if met is None else 'yes' if met else 'no'} |",
            flush=True,
        )
