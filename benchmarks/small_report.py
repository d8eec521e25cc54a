"""CPU time of one small report in all processes, here and in R Markdown: 954 sessions, variance_partition."""

import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import alliance_longitudinal as al

HERE = Path(__file__).resolve().parent
RUNS = 3
ROWS = 954
STUDY = """\
study: A small clinic
tables:
  sessions: {file: sessions.csv, columns: {client: client, therapist: therapist, session: session, week: week}}
measures:
  alliance: {instrument: wai_sr, total: wai}
  symptoms: {instrument: phq_9, total: phq9}
"""
_RENDER = (
    "rmarkdown::render('{rmd}', params = list(data = '{data}', intervals = {intervals}), output_dir = '{out}', "
    "intermediates_dir = '{out}', quiet = TRUE)"
)

Cost = dict[str, float] | dict[str, str]


def write_study(folder: Path) -> Path:
    """A simulated clinic of ``ROWS`` sessions and its study file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = al.simulate_clinic(1, clients=90, therapists=10, items=False).sessions
    rows.head(ROWS).to_csv(folder / "sessions.csv", index=False)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return folder / "study.yaml"


def cpu_of(command: list[str], folder: Path) -> Cost:
    """CPU seconds of a command and of all that it starts, and its wall time; the least of a few runs."""
    best: dict[str, float] = {}
    for _ in range(RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        wall = time.perf_counter() - start
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:160]}
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        if not best or used < best["cpu"]:
            best = {"cpu": used, "wall": wall}
    return best


def measure(folder: Path) -> tuple[Cost, Cost, Cost]:
    """Ours, R Markdown's with profile intervals of the variances as here, and R Markdown's without."""
    study = write_study(folder)
    ours = [sys.executable, "-m", "alliance_longitudinal.cli", "report", str(study)]
    mine = cpu_of([*ours, "--notebook", "variance_partition", "--out", str(folder / "out")], folder)
    if shutil.which("Rscript") is None or shutil.which("pandoc") is None:
        missing: Cost = {"error": "not available"}
        return mine, missing, missing
    places = {"rmd": HERE / "report.Rmd", "data": folder / "sessions.csv", "out": folder / "r"}
    codes = [_RENDER.format(**places, intervals=intervals) for intervals in ("TRUE", "FALSE")]
    full, bare = (cpu_of(["Rscript", "-e", code], folder) for code in codes)
    return mine, full, bare
