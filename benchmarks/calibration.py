"""What the scripts calibrate_*.py share: a `Plan`, its sets (saved and resumed), coverage, and the pages written from what is saved.

A script declares the worlds of one analysis and what one simulated set of a world gives: rows with ``name, estimate, low, high``, and
``truth, se, p, covers`` where there are any. Each set has its own seed, so set 17 is always the same set. After every set its rows are added
to build/calibration/NAME.csv; a later run does only the sets that are missing, and ``--anew`` forgets them (after a change of the analysis).
The page docs/calibration/NAME.md and the table docs/calibration/NAME.csv are written from what is saved, so they can be written at any time
(``--sets 0``). `make calibrate` runs all of them (calibrate.py) and writes docs/calibration.md.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # of the processes that do the work: they are started anew

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, object]
#: A coverage further from 95 % than so many Monte Carlo errors is listed as falling short.
ERRORS = 3
#: With fewer sets nothing is said of a coverage.
FEW = 20


@dataclass(frozen=True)
class Plan:
    """The calibration of one analysis.

    ``one(set, world)`` gives the rows of one set. ``headline``: names of the estimates in docs/calibration.md, ``asked``: what they are there.
    ``words``: how names are written. ``large``: worlds that are not shown, with the seeds of their sets, from which ``known`` takes truths.
    ``known(draws)`` fills in the column ``truth`` (and ``truth_error``). ``more(draws)``: further sections. ``short``: a sentence
    for docs/calibration.md on what falls short. ``apart``: names or worlds that are not expected to cover, with the reason in ``notes``.
    """

    name: str
    title: str
    intro: str
    worlds: Sequence[str]
    one: Callable[[int, str], list[Row]]
    headline: Sequence[str]
    asked: str
    words: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    short: str = ""
    apart: Sequence[str] = ()
    sets: int = 400
    digits: int = 3
    heads: tuple[str, str] = ("world", "estimate")
    large: Mapping[str, Sequence[int]] = field(default_factory=dict)
    known: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    more: Callable[[pd.DataFrame], list[str]] | None = None


def row_of(name: str, found: object, truth: float | None = None) -> Row:
    """A row from an estimate of an analysis, or from a row of a table of estimates."""
    get = found.get if hasattr(found, "get") else lambda key: getattr(found, key, None)
    keys = {"estimate": "estimate", "se": "se", "low": "ci_low", "high": "ci_high", "p": "p"}
    return {"name": name, "truth": truth} | {own: get(key) for own, key in keys.items()}


def code_date() -> str:
    """Date, time and commit of the newest change of the package's sources."""
    call = ["git", "log", "-1", "--date=format:%Y-%m-%d %H:%M", "--format=%cd (%h)", "--", "src"]
    return (
        subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        or "unknown"
    )


def jobs_of(plan: Plan, sets: int, done: set[tuple[str, int]]) -> Iterator[tuple[int, str]]:
    """Sets that are missing: those that give truths first, then one of each world in turn, so that all have as many."""
    large = [(seed, world) for world, seeds in plan.large.items() for seed in seeds] if sets else []
    for seed, world in [*large, *((s, w) for s in range(1, sets + 1) for w in plan.worlds)]:
        if (world, seed) not in done:
            yield seed, world


def _work(
    plan_one: Callable[[int, str], list[Row]], seed: int, world: str
) -> tuple[int, str, list[Row], float]:
    start = time.process_time()
    try:
        rows = plan_one(seed, world)
    except Exception as error:  # one bad set is a result, too: it is counted on the page
        rows = [{"failed": f"{type(error).__name__}: {error}"[:200]}]
    return seed, world, rows, time.process_time() - start


def run(plan: Plan, sets: int, jobs: int, minutes: float, draws: Path) -> None:
    """Do the missing sets and save each as soon as it is there."""
    old = saved(plan, draws)
    done = set(zip(old["world"], old["set"], strict=True))
    todo, end, code = jobs_of(plan, sets, done), time.monotonic() + 60 * minutes, code_date()
    first = next(todo, None)
    if first is None:
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_work, plan.one, *first)}
        running |= {pool.submit(_work, plan.one, *job) for _, job in zip(range(jobs), todo, strict=False)}
        while running:
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                seed, world, rows, seconds = future.result()
                frame = pd.DataFrame(rows or [{}]).assign(world=world, set=seed, seconds=seconds, code=code)
                _append(frame, draws / f"{plan.name}.csv")
                job = next(todo, None) if time.monotonic() < end else None
                if job is not None:
                    running.add(pool.submit(_work, plan.one, *job))


def _append(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        frame.to_csv(path, index=False)
        return
    columns = list(pd.read_csv(path, nrows=0).columns)
    if set(frame.columns) <= set(columns):
        frame.reindex(columns=columns).to_csv(path, index=False, header=False, mode="a")
    else:
        pd.concat([pd.read_csv(path), frame]).to_csv(path, index=False)


def saved(plan: Plan, draws: Path) -> pd.DataFrame:
    """Rows of the sets that were done; empty without any."""
    path = draws / f"{plan.name}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["world", "set", "name", "code"])


def coverage(plan: Plan, draws: pd.DataFrame) -> pd.DataFrame:
    """One row per world and name: sets, truth, mean, bias, spread, mean error, coverage and share of p up to .05, with Monte Carlo errors."""
    for column in ("name", "truth", "truth_error", "estimate", "se", "low", "high", "p", "covers"):
        draws = draws if column in draws else draws.assign(**{column: np.nan})
    draws = plan.known(draws) if plan.known is not None else draws
    rows = []
    order = {world: k for k, world in enumerate(plan.worlds)}
    shown = draws[draws["world"].isin(order) & draws["name"].notna() & draws["estimate"].notna()]
    for (world, name), part in shown.groupby(["world", "name"], sort=False):
        truth, error = (float(part[c].mean()) for c in ("truth", "truth_error"))
        error = 0.0 if np.isnan(error) else error
        inside = ((part["low"] <= part["truth"] + 1e-12) & (part["truth"] <= part["high"] + 1e-12)).astype(
            float
        )
        inside = inside.where(part["low"].notna() & part["truth"].notna()).fillna(
            part["covers"].astype(float)
        )
        n, mean, spread = len(part), float(part["estimate"].mean()), float(part["estimate"].std())
        p = part["p"].dropna()
        held = inside.dropna()
        rows.append(
            {
                "world": world,
                "name": name,
                "truth": truth,
                "truth_error": error,
                "sets": n,
                "mean": mean,
                "bias": mean - truth,
                "bias_error": float(np.hypot(spread / np.sqrt(n), error)),
                "spread": spread,
                "mean_se": float(part["se"].mean()),
                "coverage": float(held.mean()),
                "coverage_error": float(np.sqrt(0.95 * 0.05 / len(held))) if len(held) else np.nan,
                "p_below": float((p <= 0.05).mean()),
                "p_error": float(np.sqrt(0.95 * 0.05 / len(p))) if len(p) else np.nan,
            }
        )
    table = pd.DataFrame(rows)
    return (
        table.sort_values("world", key=lambda s: s.map(order), kind="stable", ignore_index=True)
        if rows
        else table
    )


def far(table: pd.DataFrame) -> pd.DataFrame:
    """Rows whose coverage is further from 95 % than chance allows."""
    off = (table["coverage"] - 0.95).abs() > ERRORS * table["coverage_error"]
    return table[off & table["sets"].ge(FEW)]


def percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.1f} %"


def table_lines(plan: Plan, table: pd.DataFrame) -> list[str]:
    """The main table; a bias or a coverage beyond three Monte Carlo errors is bold."""
    number = f".{plan.digits}f"
    columns = [
        "truth",
        "sets",
        "mean",
        "bias (Monte Carlo error)",
        "spread",
        "mean SE",
        "coverage (Monte Carlo error)",
        "p up to .05",
    ]
    cells, off = [], set(far(table).index)
    for r in table.itertuples():
        known = (
            ""
            if np.isnan(r.truth)
            else f"{r.truth:.4g}" + (f" ± {r.truth_error:.2g}" if r.truth_error else "")
        )
        bias = "" if np.isnan(r.bias) else f"{r.bias:{number}} ({r.bias_error:{number}})"
        bias = f"**{bias}**" if r.sets >= FEW and abs(r.bias) > ERRORS * r.bias_error else bias
        held = "" if np.isnan(r.coverage) else f"{percent(r.coverage)} ({100 * r.coverage_error:.1f})"
        held = f"**{held}**" if r.Index in off else held
        se = "" if np.isnan(r.mean_se) else f"{r.mean_se:{number}}"
        spread = "" if np.isnan(r.spread) else f"{r.spread:{number}}"
        cells.append([known, str(r.sets), f"{r.mean:{number}}", bias, spread, se, held, percent(r.p_below)])
    keep = [k for k in range(len(columns)) if any(row[k] for row in cells)]
    lines = [
        "| " + " | ".join([*plan.heads, *(columns[k] for k in keep)]) + " |",
        "|" + "---|" * (2 + len(keep)),
    ]
    for r, row in zip(table.itertuples(), cells, strict=True):
        lines.append(
            "| " + " | ".join([r.world, plan.words.get(r.name, str(r.name)), *(row[k] for k in keep)]) + " |"
        )
    return lines


def short_lines(plan: Plan, table: pd.DataFrame) -> list[str]:
    """What falls short, plainly."""
    off = far(table)
    lines = ["", "## What falls short", ""]
    for r in off.itertuples():
        how = "too narrow" if r.coverage < 0.95 else "wider than needed"
        known = " (expected: see below)" if r.name in plan.apart or r.world in plan.apart else ""
        lines.append(
            f"- {r.world}: {plan.words.get(r.name, str(r.name))}: {percent(r.coverage)} of {r.sets} intervals contain the truth; {how}{known}."
        )
    if off.empty:
        lines.append("No coverage is further from 95 % than three Monte Carlo errors.")
    return lines


def page(plan: Plan, draws: pd.DataFrame) -> str:
    """docs/calibration/NAME.md."""
    table = coverage(plan, draws)
    table = (
        table if len(table) else pd.DataFrame(columns=["world", "name", "sets", "coverage", "coverage_error"])
    )
    counts = draws[draws["world"].isin(plan.worlds)].groupby("world", sort=False)["set"].nunique()
    code = sorted(draws["code"].dropna().unique())
    said = code[-1] if len(code) == 1 else f"{code[0]} to {code[-1]}"
    least, most = int(counts.min()), int(counts.max())
    sets = f"{least}" if least == most else f"{least} to {most}"
    lines = [
        f"# Calibration of {plan.title}",
        "",
        f"{sets} simulated sets of each world, with the code of {said}. Written by `make calibrate`",
        f"(`benchmarks/calibrate_{plan.name}.py --sets N` adds sets); do not edit.",
        "",
        *plan.intro.strip().splitlines(),
        "",
    ]
    if len(table):
        lines += [
            *table_lines(plan, table),
            "",
            "Bold: further from the truth, or from 95 %, than three Monte Carlo errors (of 20 sets or more). All worlds use the same random",
            "numbers, so rows tend to be off in the same direction.",
        ]
    if plan.more is not None:
        lines += ["", *plan.more(draws[draws["world"].isin(plan.worlds)])]
    if len(table) and table["coverage"].notna().any():
        lines += short_lines(plan, table)
    if "failed" in draws and draws["failed"].notna().any():
        lines += [
            "",
            "Sets without a result: "
            + "; ".join(f"{n} ({said})" for said, n in draws["failed"].value_counts().items())
            + ".",
        ]
    if plan.notes:
        lines += ["", *plan.notes.strip().splitlines()]
    return "\n".join(lines) + "\n"


def write(plan: Plan, draws: Path, out: Path) -> None:
    """The page and the table beside it, from what is saved."""
    found = saved(plan, draws)
    if found.empty:
        return
    folder = out / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plan.name}.md").write_text(page(plan, found), encoding="utf-8")
    coverage(plan, found).to_csv(folder / f"{plan.name}.csv", index=False, float_format="%.6g")


def arguments(text: str | None) -> argparse.ArgumentParser:
    """The common command line."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sets", type=int, help="simulated sets of each world in all; 0 only writes the page"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="begin no further set after so many minutes"
    )
    parser.add_argument(
        "--draws", type=Path, default=ROOT / "build" / "calibration", help="where sets are saved"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the page goes")
    parser.add_argument("--anew", action="store_true", help="forget the saved sets")
    return parser


def calibrate(plan: Plan, args: argparse.Namespace) -> None:
    """Run what is missing and write the page."""
    if args.anew:
        (args.draws / f"{plan.name}.csv").unlink(missing_ok=True)
    run(plan, plan.sets if args.sets is None else args.sets, args.jobs, args.minutes, args.draws)
    write(plan, args.draws, args.out)


def main(plan: Plan, text: str | None) -> None:
    """The command line of one script."""
    calibrate(plan, arguments(text).parse_args())
