"""Runs every calibration and writes docs/calibration.md, the table of all of them.

`make calibrate` runs all sets of all analyses (days on one core); ``--sets 20 --minutes 10`` gives each analysis at most ten
minutes and twenty sets, ``--only moderators dropout`` runs two of them, ``--sets 0`` only writes the pages from what is saved.
The engine's calibration has a form of its own and is run with ``--only engine`` or by `make calibrate`.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pandas as pd
from calibration import Plan, arguments, calibrate, far, percent

#: In the order of docs/calibration.md.
NAMES = (
    *(
        "early_alliance",
        "within_therapists",
        "leaving",
        "multiverse",
        "variance_partition",
        "within_between",
        "lagged",
        "alliance_predictors",
        "moderators",
    ),
    *(
        "dropout",
        "alliance_course",
        "alliance_events",
        "raters",
        "mechanisms",
        "dyads",
        "group_effects",
        "dose",
    ),
    *("expected_course", "therapist_development", "planning"),
)


def plan_of(name: str) -> Plan:
    plan: Plan = import_module(f"calibrate_{name}").PLAN
    return plan


def row(plan: Plan, folder: Path) -> str:
    """One row of the table, from docs/calibration/NAME.csv."""
    page = f"[{plan.name}](calibration/{plan.name}.md)"
    path = folder / f"{plan.name}.csv"
    table = pd.read_csv(path) if path.exists() and path.stat().st_size > 2 else pd.DataFrame()
    if table.empty:
        return f"| {page} | {plan.asked} | {len(plan.worlds)} | see the page | see the page | see the page | {plan.short or 'see the page'} |"
    head = table[table["name"].isin(plan.headline)]
    sets = _range(head["sets"], str)
    main = head[~head["name"].isin(plan.apart) & ~head["world"].isin(plan.apart)]
    zero = main[(main["truth"].fillna(0) == 0) & main["p_below"].notna()]
    off = far(main)
    said = [
        f"{r.world}, {plan.words.get(r.name, str(r.name))}: {percent(r.coverage)}" for r in off.itertuples()
    ]
    short = "; ".join([*said, *([plan.short] if plan.short else [])])
    return (
        f"| {page} | {plan.asked} | {head['world'].nunique()} | {sets} | {_range(main['coverage'], percent)} | "
        f"{_range(zero['p_below'], percent)} | {short or ('none' if head['sets'].max() >= 100 else 'none seen, but few sets')} |"
    )


def _range(values: "pd.Series[float]", said: object) -> str:
    values = values.dropna()
    if values.empty:
        return ""
    low, high = said(values.min()), said(values.max())  # type: ignore[operator]
    return low if low == high else f"{low.removesuffix(' %') if high.endswith('%') else low} to {high}"


def index(plans: list[Plan], out: Path) -> str:
    """docs/calibration.md."""
    lines = [
        "# Calibration: would the intervals hold?",
        "",
        "Every analysis is repeated on simulated studies whose truth is known. A 95 % interval should contain the truth in 95 of 100",
        "studies, and a test should find a nonexistent effect in 5 of 100. `make calibrate` writes this page. Each linked page names its sets, its worlds and",
        "the date of its code. `make calibrate` continues where it stopped; `benchmarks/calibrate_NAME.py --sets N` adds sets to one page.",
        "",
        "| analysis | headline estimate | worlds | sets per world | coverage of 95 % intervals | tests of nonexistent effects, p up to .05 | more than three Monte Carlo errors from 95 %, and other shortcomings |",
        "|---|---|---|---|---|---|---|",
        *(row(plan, out / "calibration") for plan in plans),
        "| [engine](calibration/engine.md) | fixed effects, standard deviations, ICC of mixed models; tests of variances | 2 | 300 | see the page | see the page | see the page |",
        "",
        "If the true coverage is 95 %, 400 sets show 93 to 97 %, 100 sets 91 to 99 %, and 40 sets 88 to 100 %. Pages with few sets find only gross",
        "faults. The worlds of a page use the same random numbers, and many pages the same simulated clients. Their rows therefore tend to be off in the same direction, most of",
        "all where sets are few. Worlds and estimates that are shown because they are expected to fail (a model that ignores groups, or feedback) are",
        "not in this table; their pages say so.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=[*NAMES, "engine"], help="these calibrations")
    args = parser.parse_args()
    for name in args.only or NAMES:
        if name != "engine":
            calibrate(plan_of(name), args)
    if args.sets != 0 and (args.only is None or "engine" in args.only):
        call = [
            sys.executable,
            str(Path(__file__).with_name("calibrate_engine.py")),
            "--jobs",
            str(args.jobs),
        ]
        subprocess.run([*call, *(["--sets", str(args.sets)] if args.sets else [])], check=True)
    text = index([plan_of(name) for name in NAMES], args.out)
    (args.out / "calibration.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
