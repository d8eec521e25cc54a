"""Studies of a million sessions and more through `check` and reports: processor time and memory, into benchmarks/scale.json.

``python benchmarks/scale.py [MILLIONS ...] [CASE ...]``. Every case is saved when it is done, and not made again; ``bench.py`` and
``python benchmarks/scale.py --page`` write the table into docs/benchmarks.md. A case may use 6 GB of memory and ``SECONDS`` (environment; 5 minutes).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import alliance_longitudinal as al

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOUND = HERE / "scale.json"
WORK = ROOT / "build" / "scale"
REPORTS = (
    "data_quality",
    "reliable_change",
    "sudden_gains",
    "within_between",
    "variance_partition",
    "early_alliance",
    "dropout",
    "dose",
    "alliance_course",
    "alliance_events",
    "lagged_effects",
    "expected_course",
    "therapist_development",
    "measurement",
)
SECONDS = int(os.environ.get("SECONDS", "300"))
GIGABYTES = 6
STUDY = """\
study: A very large service
tables:
  sessions: {file: sessions.csv, columns: {client: client, therapist: therapist, session: session, week: week}}
measures:
  alliance: {instrument: wai_sr, total: wai}
  symptoms: {instrument: phq_9, total: phq9}
"""
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"


def main(arguments: list[str]) -> int:
    """Run the cases that are not there yet, then write the page."""
    if arguments == ["--page"]:
        write_page()
        return 0
    sizes = [float(word) for word in arguments if word[0].isdigit()]
    cases = [word for word in arguments if not word[0].isdigit()]
    for millions in sizes or [1.0, 5.0]:
        study = write_study(millions)
        for case in cases or ("check", *REPORTS):
            found = read()
            key = f"{millions:g} {case}"
            if key not in found:
                found[key] = run(case, study)
                FOUND.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                print(key, found[key], flush=True)
    write_page()
    return 0


def read() -> dict[str, Any]:
    """What was measured so far."""
    return json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.is_file() else {}


def write_study(millions: float) -> Path:
    """A simulated service of 2,000 clients, repeated under new names until there are so many sessions."""
    folder = WORK / f"{millions:g}"
    study = folder / "study.yaml"
    if study.is_file():
        return study
    folder.mkdir(parents=True, exist_ok=True)
    rows = al.simulate_clinic(1, clients=2000, therapists=100, items=False).sessions
    rows = rows[["client", "therapist", "session", "week", "wai", "phq9"]]
    times = int(np.ceil(millions * 1e6 / len(rows)))
    with (folder / "sessions.csv").open("w", encoding="utf-8") as file:
        for i in range(times):
            named = rows.assign(
                client=rows["client"].astype(str) + f"_{i}", therapist=rows["therapist"].astype(str) + f"_{i}"
            )
            named.to_csv(file, index=False, header=i == 0)
    study.write_text(STUDY, encoding="utf-8")
    return study


def run(case: str, study: Path) -> dict[str, Any]:
    """Processor seconds of all processes, time of the clock, memory of the largest process, and what was said if it failed."""
    command = [sys.executable, "-m", "alliance_longitudinal.cli"]
    out = WORK / "out"
    shutil.rmtree(out, ignore_errors=True)
    if case == "check":
        command += ["check", str(study)]
    else:
        command += ["report", str(study), "--notebook", case, "--out", str(out)]
        command += ["--deadline", str(SECONDS), "--memory", str(GIGABYTES)]
    # A process of its own, so that the peak is that of this case and of none before it.
    code = (
        "import json, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'status': done.returncode, 'cpu': used.ru_utime + used.ru_stime,\n"
        "    'wall': time.perf_counter() - start, 'gib': used.ru_maxrss / 2**20, 'said': done.stderr[-600:]}))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if not found["status"]:
        found.pop("said")
    return found


#: What to do instead of the reports that were not run.
ADVICE = [
    "A report `early_alliance` of 1 million sessions was stopped after 15 minutes on a busy machine. Reports of 5 and 10 million",
    "sessions have not been run. `alliance report` says before it starts that a study has more than two",
    "million rows of sessions (text files), and what to do instead: give the report more time and memory (`--deadline`, `--memory`), make",
    "one report per clinic (`-p clinic=NAME`, or a batch over clinics), or draw a sample of the clients.",
]


def table() -> list[str]:
    """The lines of the page."""
    found = read()
    sizes = sorted({float(key.split()[0]) for key in found})
    lines = [
        "## Very large studies",
        "",
        "Generated by `python benchmarks/scale.py`: a simulated service (2,000 clients, repeated under new names), each command in one",
        "thread. The cells give the processor time of all processes and the memory of the largest process.",
        "",
        "| command | " + " | ".join(f"{size:g} million sessions" for size in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for case in ("check", *REPORTS):
        cells = [cell(found.get(f"{size:g} {case}")) for size in sizes]
        if any(cells):
            name = "`alliance check`" if case == "check" else f"report `{case}`"
            lines.append(f"| {name} | " + " | ".join(c or "not run" for c in cells) + " |")
    return [*lines, "", *ADVICE]


def cell(one: dict[str, Any] | None) -> str:
    """One measurement in words."""
    if one is None:
        return ""
    if one["status"]:
        said = [
            line
            for line in one["said"].splitlines()
            if line and "cell " not in line and "Details" not in line
        ]
        return f"stopped after {one['cpu']:.0f} s: " + (said[-1] if said else "no words")[:200]
    return f"{one['cpu']:.0f} s, {one['gib']:.1f} GiB"


def write_page() -> None:
    """Put the table between its marks at the end of docs/benchmarks.md."""
    page = ROOT / "docs" / "benchmarks.md"
    text = page.read_text(encoding="utf-8").split(BEGIN)[0].rstrip("\n")
    page.write_text(f"{text}\n\n{section()}", encoding="utf-8")


def section() -> str:
    """What the page says of very large studies."""
    return "\n".join([BEGIN, *table(), END, ""])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
