"""The estimates of both analyses beside those that `early_alliance.R` computed from the same raw exports."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from alliance_longitudinal import AnalysisResult
from reference.catalogue import Figure

HERE = Path(__file__).resolve().parent
STUDY_FILES: dict[str, str | Path] = {
    "demo": "demo",
    "gad": HERE.parent / "fixtures" / "implement_gad" / "study.yaml",
}
#: lme4's optimum is known to about 1e-8 in the criterion, which is quadratic around it: about 1e-4 of a variance
#: parameter's own uncertainty, and far less of a coefficient. Degrees of freedom rest on numerical second derivatives.
OF_A_STANDARD_ERROR = 1e-5
#: The ends of an interval also carry the rounding of the degrees of freedom.
INTERVAL = 5e-5
RELATIVE = {"se": 5e-6, "df": 2e-5, "p": 1e-4}
SHARE = 5e-6


def replication() -> dict[str, Any]:
    """``versions``, and by study what R read and found."""
    return dict(json.loads((HERE / "early_alliance.json").read_text(encoding="utf-8")))


def beside(result: AnalysisResult, rows: list[dict[str, Any]]) -> list[Figure]:
    """Every number that both report, in R's order.

    A correlation has no standard error (the width of its interval serves), a share neither that nor df.
    """
    ours = result.estimates.set_index("id")
    found = []
    for row in rows:
        width = row.get("ci_high", 0) - row.get("ci_low", 0) if row.get("ci_low") is not None else None
        scale = row.get("se") or (None if width is None else width / 4)
        for column in ("estimate", "se", "df", "ci_low", "ci_high", "p"):
            if row.get(column) is None:
                continue
            if column in RELATIVE:
                tolerance = RELATIVE[column] * abs(row[column])
            else:
                of_se = INTERVAL if column.startswith("ci_") else OF_A_STANDARD_ERROR
                tolerance = SHARE if scale is None else of_se * scale
            value = float(ours.loc[row["id"], column])
            found.append(Figure(f"{row['id']}: {column}", row[column], value, tolerance))
    return found


def sensitivity_beside(result: AnalysisResult, rows: list[dict[str, Any]]) -> list[Figure]:
    """The effects and their intervals under other windows and adjustments, with the number of clients."""
    words = {0: "not adjusted", 1: "intake severity", 2: "intake severity and early change"}
    tables = {k: result.table(f"sensitivity_{k}").to_frame() for k in ("slope", "end")}
    tables = {
        k: t.assign(window=t["window"].str.removesuffix(" (main analysis)")).set_index(["window", "adjusted"])
        for k, t in tables.items()
    }
    found = []
    for known in rows:
        first, last = known["window"]
        window = f"session {first}" if first == last else f"sessions {first} to {last}"
        key = (window, words[len(known["adjust"])])
        clients = float(tables["end"].loc[key, "clients"])
        found.append(Figure(f"{', '.join(key)}: clients", known["clients"], clients, 0.0))
        for effect in known["effects"]:
            kind, _ = effect["id"].split("_")
            scale = (effect["ci_high"] - effect["ci_low"]) / 4
            for column, end in (("estimate", ""), ("ci_low", "_low"), ("ci_high", "_high")):
                tolerance = (INTERVAL if end else OF_A_STANDARD_ERROR) * scale
                value = float(pd.to_numeric(tables[kind].loc[key, effect["id"] + end]))
                name = f"{', '.join(key)}: {effect['id']} {column}"
                found.append(Figure(name, effect[column], value, tolerance))
    return found
