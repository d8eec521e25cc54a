"""Bias and coverage of a residual structure's parameters and of a slope: a section of docs/calibration/engine.md."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import pandas as pd

GROUPS = 60


def _one(seed: int) -> pd.DataFrame:
    from engine.residual_recovery import estimates

    return estimates(seed, GROUPS)


def residual_section(seeds: int, pool: ProcessPoolExecutor) -> str:
    """The section as Markdown."""
    from engine.residual_recovery import TRUTH, summarise

    table = summarise(list(pool.map(_one, range(1000, 1000 + seeds))))
    lines = [
        "## Correlated residuals of two variances",
        "",
        f"Random intercepts, AR1 residuals with gaps and two strata of residual variance, {GROUPS} groups, {seeds} data sets "
        "(`tests/engine/residual_recovery.py`). With as many a true coverage of 95 % shows as "
        f"{_range(seeds)}.",
        "",
        "| parameter | truth | bias | spread | coverage | without certificate |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in table.iterrows():
        lines.append(
            f"| {name} | {TRUTH[str(name)]:g} | {row['bias']:.3f} | {row['spread']:.3f} | {100 * row['coverage']:.1f} % | {row['failed']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _range(n: int) -> str:
    error = 1.96 * (0.95 * 0.05 / n) ** 0.5
    return f"{100 * (0.95 - error):.1f} to {100 * min(0.95 + error, 1):.1f} %"
