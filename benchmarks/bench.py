"""Times and memory against the peers, in one run: the table of docs/benchmarks.md. ``make bench``; about ten minutes.

Each measurement is a process of its own; one that fails or takes too long gives a line that says so.
"""

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import batch_speed
import numpy as np
from demonstration import TASKS as DEMONSTRATION
from growth import CROSSED, FORMULA, LONG, SIZES, crossed_of, data_of, pieces_of
from moments import MODELS
from moments import write as write_moments
from pairs_and_events import TASKS as PAIRS
from scale import section
from small_report import measure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = ROOT / "build" / "bench"
PEER = ROOT / "build" / "bench-env"
PAGE = ROOT / "docs" / "benchmarks.md"
NOT = "not available"

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    work: str
    target: str
    measured: str
    met: str


def run(command: list[str], limit: float) -> Numbers:
    """JSON that a process prints last; ``{"error": ...}`` where it fails or takes longer than ``limit`` seconds."""
    print("...", " ".join(Path(c).name if "/" in c else c for c in command), flush=True)
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {limit:.0f} s"}
    except OSError as error:
        return {"error": str(error)}
    took = time.perf_counter() - start
    try:
        return {"process": took} | json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        words = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": words[:160]}


def ours(*arguments: str, limit: float = 120) -> Numbers:
    """A measurement of this engine."""
    return run([sys.executable, str(HERE / "ours.py"), *arguments], limit)


def mixedlm(*arguments: str, limit: float = 150) -> Numbers:
    """A measurement of mixedlm."""
    python = PEER / "bin" / "python"
    return run([str(python), str(HERE / "peer.py"), *arguments], limit) if python.exists() else {"error": NOT}


def r(*arguments: str, limit: float = 150) -> Numbers:
    """A measurement of R's packages."""
    if shutil.which("Rscript") is None:
        return {"error": NOT}
    task, *rest = arguments
    return run(["Rscript", str(HERE / "peers.R"), task, str(FOLDER), *rest], limit)


def install_peer() -> None:
    """Put mixedlm into an environment of its own under build/, once."""
    stamp = PEER / "installed.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER)], check=False)
    pip = [str(PEER / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes"]
    done = subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=False)
    if done.returncode == 0:
        stamp.write_text(wanted)


def seconds(value: float) -> str:
    """A time in words."""
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def said(numbers: Numbers, name: str) -> str:
    """Time of a peer, or why there is none."""
    return f"{name} {numbers['error']}" if "error" in numbers else f"{name} {seconds(numbers['seconds'])}"


def verdict(checks: list[bool | None]) -> str:
    """Yes, no, or open if a peer is missing."""
    if False in checks:
        return "no"
    return "open" if None in checks else "yes"


def ratio(peer: Numbers, mine: Numbers, scale: float = 1.0) -> float | None:
    """How many times longer the peer takes."""
    if "error" in peer or "error" in mine:
        return None
    return float(scale * peer["seconds"] / mine["seconds"])


def times(value: float | None) -> str:
    """A ratio in words."""
    return "" if value is None else f" ({value:.3g} times)"


def same(mine: Numbers, peer: Numbers, tolerance: float = 1e-6) -> tuple[str, bool | None]:
    """Whether our criterion is no higher than the peer's, relative to its size."""
    if "error" in mine or "error" in peer:
        return "", None
    gap = mine["deviance"] - peer["deviance"]
    return f"criterion differs by {gap:+.1e}", bool(gap <= tolerance * max(1.0, abs(peer["deviance"])))


def hundred_thousand() -> Line:
    """Against mixedlm and lme4 on 100 thousand rows."""
    mine, peer = ours("fit", "100000"), mixedlm("fit", "100000", "2")
    data_of(100_000).to_csv(FOLDER / "growth.csv", index=False)
    lme4 = r("fit", "growth.csv")
    a, b = ratio(peer, mine), ratio(lme4, mine)
    words, close = same(mine, peer)
    return Line(
        "three levels, random slopes at both, REML, 100,000 rows",
        "10 times mixedlm, 100 times lme4, same criterion",
        f"{said(mine, 'here')}; {said(peer, 'mixedlm')}{times(a)}, {words}; {said(lme4, 'lme4')}{times(b)}",
        verdict([a and a >= 10, b and b >= 100, close]),
    )


def million() -> list[Line]:
    """Against mixedlm, memory, and the physical limit on a million rows."""
    mine, peer, room = ours("fit", "1000000"), mixedlm("fit", "1000000", "1"), ours("peak", "1000000")
    a = ratio(peer, mine)
    words, close = same(mine, peer)
    lines = [
        Line(
            "the same, 1,000,000 rows",
            "15 times mixedlm",
            f"{said(mine, 'here')}; {said(peer, 'mixedlm')}{times(a)}, {words}",
            verdict([a and a >= 15, close]),
        )
    ]
    if "error" in room:
        lines.append(Line("memory of it", "3 times the columns used", room["error"], "no"))
    else:
        share = room["extra"] / room["columns"]
        text = f"{room['extra'] / 2**20:.0f} MiB beyond the data's {room['columns'] / 2**20:.0f} MiB ({share:.2f} times)"
        lines.append(Line("memory of it", "3 times the columns used", text, verdict([share <= 3])))
    if "error" in mine:
        lines.append(Line("nearness to the limit", "20 times U'U", mine["error"], "no"))
    else:
        share = mine["seconds"] / mine["product"]
        text = f"{seconds(mine['seconds'])}; U'U {seconds(mine['product'])} ({share:.3g} times)"
        lines.append(
            Line(
                "reading and fitting it, compared with NumPy's `U.T @ U`",
                "20 times",
                text,
                verdict([share <= 20]),
            )
        )
    return lines


def scaling() -> Line:
    """Growth of cost with the number of rows."""
    sizes = [10_000, 100_000, 1_000_000, 10_000_000]
    found = [ours("fit", str(n), "3" if n < 10**7 else "1", limit=200) for n in sizes]
    bad = [f["error"] for f in found if "error" in f]
    if bad:
        return Line("growth from 10 thousand to 10 million rows", "slope 1.05", bad[0], "no")
    took = [f["seconds"] for f in found]
    slope = float(np.polyfit(np.log(sizes), np.log(took), 1)[0])
    steepest = max(np.diff(np.log(took)) / np.diff(np.log(sizes)))
    text = f"slope {slope:.2f}, steepest step {steepest:.2f} ({', '.join(map(seconds, took))})"
    return Line(
        "growth from 10 thousand to 10 million rows",
        "log-log slope at most 1.05",
        text,
        verdict([slope <= 1.05]),
    )


def parquet(shape: tuple[int, int, int]) -> Line:
    """Beyond memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, writer = FOLDER / f"growth-{'-'.join(map(str, shape))}.parquet", None
    if not path.exists():
        part = path.with_suffix(".part")
        for piece in pieces_of(shape):
            table = pa.Table.from_pandas(piece, preserve_index=False)
            writer = writer or pq.ParquetWriter(part, table.schema, compression="snappy")
            writer.write_table(table)
        assert writer is not None
        writer.close()
        part.rename(path)
    mine = ours("parquet", str(path), limit=900)
    work = f"{math.prod(shape):,} rows from Parquet, {shape[0] * shape[1]:,} inner groups"
    if "error" in mine:
        return Line(work, "below 1 GiB", mine["error"], "no")
    text = f"peak of the whole process {mine['peak'] / 2**20:.0f} MiB; {seconds(mine['read'])} reading, {seconds(mine['fit'])} fitting"
    return Line(work, "below 1 GiB", text, verdict([mine["peak"] < 2**30, mine["converged"]]))


def bootstrap() -> Line:
    """Against bootMer, whose time for 1,000 is that of a few, scaled."""
    mine, peer = ours("bootstrap", "1000", limit=200), r("bootstrap")
    a = None if "error" in peer else ratio(peer, mine, 1000 / peer["replicates"])
    few = peer if "error" in peer else peer | {"seconds": peer["seconds"] * 1000 / peer["replicates"]}
    note = "" if "error" in peer else f", from {peer['replicates']}"
    failed = "" if "error" in mine else f", {mine['failed']} without certificate"
    return Line(
        "1,000 parametric bootstrap refits, 7,230 rows in three levels",
        "150 times bootMer",
        f"{said(mine, 'here')}{failed}; {said(few, 'bootMer')}{note}{times(a)}",
        verdict([a and a >= 150]),
    )


def kenward_roger() -> Line:
    """Against pbkrtest."""
    mine, peer = ours("kenward_roger"), r("kr", limit=240)
    a, close, words = ratio(peer, mine), None, ""
    if a is not None:
        both = [np.array(x["se"] + x["df"]) for x in (mine, peer)]
        gap = float(np.abs(both[0] / both[1] - 1).max())
        close, words = gap < 1e-6, f", SE and df within {gap:.0e}"
    return Line(
        "Kenward-Roger on the same",
        "80 times pbkrtest, same numbers",
        f"{said(mine, 'here')}; {said(peer, 'pbkrtest')}{times(a)}{words}",
        verdict([a and a >= 80, close]),
    )


def against_lme4(work: str, target: str, task: str, least: float) -> Line:
    """One task against lme4."""
    mine, peer = ours(task), r(task)
    a = ratio(peer, mine)
    words, close = same(mine, peer)
    return Line(
        work,
        target,
        f"{said(mine, 'here')}; {said(peer, 'lme4')}{times(a)}, {words}",
        verdict([a and a >= least, close]),
    )


def two_crossed() -> list[Line]:
    """Two crossed factors at three sizes, against lme4 and mixedlm, by the clock and by processor time."""
    lines = []
    for rows, (a, b) in CROSSED.items():
        crossed_of(rows).to_csv(FOLDER / "crossed.csv", index=False)
        mine, lme4, peer = (
            ours("two_crossed", str(rows)),
            r("two_crossed", "crossed.csv"),
            mixedlm("two_crossed", str(rows)),
        )
        words, close = same(mine, lme4)
        found = {"here": mine, "lme4": lme4, "mixedlm": peer}
        cpu = [None if "error" in x or "error" in mine else mine["cpu"] <= x["cpu"] for x in (lme4, peer)]
        said_all = [
            said(x, name) + ("" if "error" in x else f" (processor {seconds(x['cpu'])})")
            for name, x in found.items()
        ]
        ratios = [ratio(x, mine) for x in (lme4, peer)]
        lines.append(
            Line(
                f"crossed: {a} and {b} levels, {rows:,} rows",
                "not slower than lme4 and mixedlm, by the clock and in processor time",
                f"{'; '.join(said_all)}; {words}",
                verdict([*(x and x >= 1 for x in ratios), *cpu, close]),
            )
        )
    return lines


def first() -> Line:
    """First fit in a fresh process, best of three for each."""
    mine, peer = ([f() for _ in range(3)] for f in (lambda: ours("first"), lambda: r("first")))
    fastest = []
    for runs in (mine, peer):
        bad = next((x for x in runs if "error" in x), None)
        fastest.append(bad or {"seconds": min(x["process"] for x in runs)})
    a = ratio(fastest[1], fastest[0])
    return Line(
        "first fit in a fresh process, imports included (sleepstudy)",
        "not slower than Rscript with lme4",
        f"{said(fastest[0], 'here')}; {said(fastest[1], 'Rscript')}{times(a)}",
        verdict([a and a >= 1]),
    )


def small_report() -> list[Line]:
    """CPU time of one small report in all its processes, beside R Markdown with the same fits and figure."""
    mine, full, bare = measure(FOLDER / "small_report")
    if "error" in mine:
        return [Line("a small report", "", f"failed: {mine['error']}", "no")]
    cpu = float(mine["cpu"])
    rows = [
        Line(
            "a report of 954 sessions, all its processes",
            "at most 6 s of CPU",
            _cost(mine),
            verdict([cpu <= 6]),
        )
    ]
    for peer, words in ((full, "with profile intervals as here"), (bare, "without intervals")):
        more = None if "error" in peer else float(peer["cpu"]) > cpu
        work = f"its fits and figure in R Markdown (lme4, lmerTest, ggplot2), {words}"
        rows.append(Line(work, "more CPU than here", _cost(peer), verdict([more])))
    return rows


def check_million() -> Line:
    """``alliance check`` of a million sessions with twelve items and a total each."""
    mine = run([sys.executable, str(HERE / "check_million.py")], 600)
    work, target = "`alliance check` of 1,005,900 sessions of 90,000 clients", "at most 30 s and 1 GB"
    if "error" in mine:
        return Line(work, target, f"failed: {mine['error']}", "no")
    words = f"{_cost(mine)}, peak {mine['mib']:.0f} MiB"
    return Line(work, target, words, verdict([mine["cpu"] <= 30, mine["mib"] * 2**20 <= 1e9]))


def batch_of_sixty() -> list[Line]:
    """A batch of small reports two at a time, and one of its reports beside R Markdown."""
    return [
        Line(work, target, measured, verdict([met]))
        for work, target, measured, met in batch_speed.rows(FOLDER)
    ]


def _cost(numbers: Numbers) -> str:
    if "error" in numbers:
        return str(numbers["error"])
    return f"{numbers['cpu']:.2f} s of CPU, {numbers['wall']:.2f} s of time"


def moment_models() -> list[Line]:
    """Factor models, panels and latent means beside lavaan, by processor time: one fit with its tests and errors."""
    write_moments()
    lines = []
    for task, (work, target) in MODELS.items():
        mine = run([sys.executable, str(HERE / "moments.py"), task], 200)
        peer: Numbers = {"error": NOT}
        if shutil.which("Rscript"):
            peer = run(["Rscript", str(HERE / "lavaan.R"), task, str(FOLDER)], 400)
        mine, peer = ({**x, "seconds": x["cpu"]} if "cpu" in x else x for x in (mine, peer))
        a = ratio(peer, mine)
        words, close = same(mine, peer)
        wanted = (
            f"{target:.0f} times lavaan, same criterion"
            if target
            else "time stated with lavaan's, same criterion"
        )
        text = f"{said(mine, 'here')}; {said(peer, 'lavaan')}{times(a)}, {words}"
        lines.append(Line(f"{work}; CPU", wanted, text, verdict([a and a >= target, close])))
    return lines


def many_analyses() -> list[Line]:
    """The multiverse of the demonstration study: all analyses on the data and on 500 permutations."""
    lines = []
    for task, words, limit in (
        ("least_squares", "least-squares analyses with CR2 errors", 60.0),
        ("mixed", "mixed models, variances held in permuted data", 0.0),
    ):
        mine = run([sys.executable, str(HERE / "many_analyses.py"), task], 300)
        if "error" in mine:
            lines.append(Line(words, "", f"failed: {mine['error']}", "no"))
            continue
        lines.append(
            Line(
                f"multiverse: {mine['cells']} {words}, 500 permutations, 900 clients",
                f"at most {limit:.0f} s" if limit else "time stated",
                f"{seconds(mine['seconds'])}, {seconds(mine['cpu'])} of CPU",
                verdict([mine["seconds"] <= limit if limit else True]),
            )
        )
    return lines


def cpu_of_tasks(script: str, tasks: dict[str, tuple[str, float]]) -> list[Line]:
    """CPU time of each task of a script, in a fresh process."""
    lines = []
    for task, (work, limit) in tasks.items():
        mine = run([sys.executable, str(HERE / script), task, str(FOLDER / "demonstration")], 400)
        bad = "error" in mine
        text = str(mine["error"]) if bad else f"{mine['cpu']:.2f} s of CPU"
        lines.append(
            Line(work, f"at most {limit:g} s of CPU", text, verdict([None if bad else mine["cpu"] <= limit]))
        )
    return lines


def demonstration() -> list[Line]:
    """Reports and analyses of the demonstration study."""
    return cpu_of_tasks("demonstration.py", DEMONSTRATION)


def pairs_and_events() -> list[Line]:
    """Ruptures of 900 clients, and both sides of 10,000 cases."""
    return cpu_of_tasks("pairs_and_events.py", PAIRS)


def expected_course() -> Line:
    """Validation by ten folds of 5,000 clients, in a fresh process, with what loading the package takes."""
    mine = ours("course", "5000", limit=200)
    if "error" in mine:
        measured = str(mine["error"])
    else:
        measured = (
            f"{seconds(mine['seconds'])} ({mine['rows']:.0f} scores; the first run, with compiling or loading machine code, "
            f"{seconds(mine['first'])})"
        )
    met = None if "error" in mine else mine["seconds"] <= 30
    return Line(
        "expected course: ten folds of 5,000 clients, scores up to 0, 2 and 4 weeks known",
        "at most 30 s",
        measured,
        verdict([met]),
    )


def planning() -> Line:
    """Against the same loop of simulate, refit and lmerTest, whose time for 1,000 is that of ten, scaled."""
    mine = ours("planning", "1000", limit=200)
    peer = r("planning", limit=300)
    scale = 1.0 if "error" in peer else 1000 / peer["replicates"]
    a = ratio(peer, mine, scale)
    few = peer if "error" in peer else peer | {"seconds": peer["seconds"] * scale}
    words, close = "", None
    if a is not None:
        gap = float(np.abs(np.array(mine["se"]) / np.array(peer["se"]) - 1).max())
        close, words = (
            gap < 0.2,
            f", mean SE within {100 * gap:.0f} %",
        )  # of ten studies there: an error of five percent
    cpu = "" if "error" in mine else f" ({seconds(mine['cpu'])} of CPU, {mine['failed']} not converged)"
    return Line(
        "planning: 1,000 studies of 30 therapists, 20 clients of each, 8 sessions, simulated, refitted and tested",
        "at most 60 s, and 100 times lme4 with lmerTest",
        f"{said(mine, 'here')}{cpu}; {said(few, 'lme4')}, from 10{times(a)}{words}",
        verdict([None if "error" in mine else mine["seconds"] <= 60, a and a >= 100, close]),
    )


def machine() -> str:
    """Processor, cores, memory and versions, without names of this machine."""
    info = Path("/proc/cpuinfo")
    cpu = (
        next((x.split(":", 1)[1].strip() for x in info.read_text().splitlines() if "model name" in x), "")
        if info.exists()
        else ""
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    names = ("numpy", "scipy", "pandas", "numba", "pyarrow", "formulaic")
    python = ", ".join(f"{name} {version(name)}" for name in names)
    lines = [
        f"{cpu or platform.machine()}, {cores} cores; {platform.system()}; Python {platform.python_version()}; {python}."
    ]
    if shutil.which("Rscript"):
        done = subprocess.run(
            ["Rscript", str(HERE / "peers.R"), "versions", str(FOLDER)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines.append(f"Peers: mixedlm 1.3.0; {', '.join(x.strip() for x in done.stdout.splitlines())}.")
    return " ".join(lines) + f" Threads: {threads}."


def page(lines: list[Line]) -> str:
    """The page as Markdown."""
    rows = "\n".join(f"| {x.work} | {x.target} | {x.measured} | {x.met} |" for x in lines)
    return f"""# Benchmarks

Generated by `make bench`. {machine()}

Model for the simulated data: `{FORMULA}`. A time is the best of a few warm runs and includes reading
formula and data frame; slow peers have one run. All programs ran in the same run on the same data. The criterion is -2 log-likelihood
(restricted). Its difference is ours minus the peer's, so a negative number is a better optimum.

| work | target | measured | met |
|---|---|---|---|
{rows}

{section()}"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one part, printed and not written")
    parser.add_argument("--parquet-rows", type=int, default=50_000_000, choices=sorted(SIZES))
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    install_peer()
    r("data")
    parts: dict[str, Callable[[], Line | list[Line]]] = {
        "small": lambda: against_lme4("a small fit, warm (sleepstudy)", "3 times lmer", "small", 3),
        "first": first,
        "small_report": small_report,
        "batch_of_sixty": batch_of_sixty,
        "check_million": check_million,
        "moment_models": moment_models,
        "many_analyses": many_analyses,
        "demonstration": demonstration,
        "pairs_and_events": pairs_and_events,
        "expected_course": expected_course,
        "planning": planning,
        "hundred_thousand": hundred_thousand,
        "million": million,
        "scaling": scaling,
        "parquet": lambda: parquet(SIZES[options.parquet_rows]),
        "parquet_long": lambda: parquet(LONG),
        "bootstrap": bootstrap,
        "kenward_roger": kenward_roger,
        "profile": lambda: against_lme4(
            "profile intervals of all parameters, BtheB with random slopes", "50 times lme4", "profile", 50
        ),
        "crossed": lambda: against_lme4(
            "crossed: InstEval, 73,421 rows", "not slower than lme4", "crossed", 1
        ),
        "two_crossed": two_crossed,
    }
    lines: list[Line] = []
    for name, part in parts.items():
        if options.only not in (None, name):
            continue
        try:
            made = part()
        except Exception as error:
            made = Line(name.replace("_", " "), "", f"failed: {type(error).__name__}: {error}"[:200], "no")
        lines += made if isinstance(made, list) else [made]
        print(lines[-1], flush=True)
        if options.only is None:  # after each part, so that a run that is stopped leaves what it measured
            PAGE.write_text(page(lines), encoding="utf-8")
    if options.only is not None:
        print(page(lines))


if __name__ == "__main__":
    main()
