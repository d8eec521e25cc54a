"""A whole analysis in miniature: parameters, a notebook that reads a CSV file, publishes, and can misbehave.

It stands in for the package's analyses so that the runner is tested with real kernels and processes in seconds.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.strict_yaml import nearest
from inside.reporting_record import data_hash

COUNTS = {"rows": (40, 38, 30), "clients": (10, 10, 8), "therapists": (3, 3, 3)}


@dataclass(frozen=True, slots=True)
class TinyParams:
    """Parameters of the miniature analysis."""

    label: str = "plain"
    window: tuple[int, int] = (1, 5)
    scale: float = 1.0
    trouble: str | None = None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> "TinyParams":
        params = cls()
        for name, value in given.items():
            if name not in cls.__dataclass_fields__:
                known = list(cls.__dataclass_fields__)
                raise StudyError(f"There is no parameter {name!r}. {nearest(name, known)}")
            if name == "window":
                parts = value.split(",") if isinstance(value, str) else value
                value = tuple(int(v) for v in parts)
            params = replace(params, **{name: float(value) if name == "scale" else value})
        return params

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"window": list(self.window)}


@dataclass(frozen=True, slots=True)
class TinyAnalysis:
    name: str = "tiny"
    title: str = "A miniature"
    question: str = "Does the runner hold?"
    params: type = TinyParams
    run: Any = field(default=None)

    def planned_main(self, _parameters: Mapping[str, Any]) -> str:
        return "within_slope"


REGISTRY = {"tiny": TinyAnalysis()}

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 300">'
    '<rect width="600" height="300" fill="#fff"/>'
    '<path d="M40 260 L560 60" stroke="#14596b" stroke-width="4" fill="none"/></svg>'
)

TROUBLE = """
import os, signal, time
if trouble == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if trouble == "slow":
    time.sleep(60)
if trouble == "hungry":
    hoard = []
    for _ in range(40):
        hoard.append(bytearray(b"x" * 50_000_000))
        time.sleep(0.1)
if trouble == "own error":
    from alliance_longitudinal.errors import FitError
    raise FitError("Three therapists are too few for this model. Ask for more data.")
if trouble == "data error":
    from alliance_longitudinal.errors import DataError
    raise DataError("sessions.csv, row 4: canary-4711 is not a number.")
if trouble == "bug":
    raise KeyError("canary-4711")
"""

WORK = """
import csv, hashlib, json, os
from pathlib import Path
folder = Path(study).parent
with (folder / "sessions.csv").open(encoding="utf-8") as file:
    scores = [float(row["score"]) for row in csv.DictReader(file)]
mean = scale * sum(scores) / len(scores)
results = json.loads(SAMPLE)
results["estimates"][0].update(estimate=mean, ci_low=mean - 0.1, ci_high=mean + 0.1)
results["parameters"] = {"label": label, "window": window, "scale": scale, "trouble": trouble}
print("mean computed")
"""

PUBLISH = """
if trouble != "silent":
    stage = Path(os.environ["ALLIANCE_REPORT_STAGE"])
    for name in ("tables", "figures"):
        (stage / name).mkdir()
    if trouble == "odd results":
        results["status"]["code"] = "canary-4711"
    (stage / "results.json").write_text(json.dumps(results), encoding="utf-8")
    for figure in results["figures"]:
        (stage / "figures" / (figure["name"] + ".svg")).write_text(SVG)
    (stage / "tables" / "effects.csv").write_text("level,estimate\\nclient,0.1\\n")
"published"
"""


def write_notebook(folder: Path, name: str = "tiny", results: Mapping[str, Any] | None = None) -> Path:
    """The miniature's notebook in ``folder``."""
    lines = ['study = "demo"', *(f"{k} = {v!r}" for k, v in TinyParams().to_dict().items())]
    sample = f"SAMPLE = {json.dumps(sample_results() if results is None else results)!r}\nSVG = {SVG!r}"
    prose = (
        "# A miniature\n\n#### Skipping levels\n\n<script>alert(1)</script> and [a link](https://example.org)"
    )
    cells = [
        {"cell_type": "markdown", "id": "prose", "metadata": {}, "source": prose},
        _code("parameters", "\n".join(lines), tags=["parameters"]),
        *(_code(f"code{i}", source) for i, source in enumerate((TROUBLE, sample, WORK, PUBLISH))),
    ]
    content = {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "whatever", "display_name": "?"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _code(identifier: str, source: str, **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": identifier,
        "metadata": metadata,
        "source": source.strip(),
        "outputs": [],
        "execution_count": None,
    }


def write_study(folder: Path, scores: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Path:
    """A study file and its table in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sessions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["client", "score"])
        writer.writerows([f"canary-{i}", s] for i, s in enumerate(scores))
    path = folder / "study.yaml"
    path.write_text("title: A small study\ntables:\n  sessions: sessions.csv\n", encoding="utf-8")
    return path


def sample_results() -> dict[str, Any]:
    """Results with every part filled, hostile text among them."""
    return {
        "schema": "alliance_longitudinal/results/1",
        "analysis": "tiny",
        "title": "Early alliance and symptom change",
        "question": "Do clients with a better early alliance than other clients of the same therapist improve faster?",
        "study": {
            "title": "Clinic group <b>North & South</b>",
            "simulated": True,
            "simulated_note": "Simulated clinic group with known parameters; no real person stands behind it.",
            "sources": [{"name": "sessions.csv", "sha256": "0" * 64, "rows": 40}],
        },
        "parameters": {"window": [1, 5]},
        "status": {
            "code": "underpowered",
            "label": "Underpowered for therapists",
            "reasons": ["13 therapists cannot carry a statement about differences between therapists."],
        },
        "facts": [
            ["Clinic", "North & South"],
            ["Alliance", "WAI-SR (client)"],
            ["Outcome", "PHQ-9 (client)"],
            ["Early window", "sessions 1 to 5"],
            ["Clients", 812],
            ["Therapists", 13],
            ["Sessions", 9417],
            ["Data until", "2024-03-31"],
        ],
        "answer": [
            "Clients whose early alliance was one WAI-SR point higher than that of their therapist's other clients lost "
            "0.021 more PHQ-9 points a week afterwards (95 % interval 0.012 to 0.030), 0.25 points over twelve weeks.",
            "Whether therapists with a better average alliance have better outcomes is unclear: 13 therapists leave "
            "every answer between 0.05 fewer and 0.09 more points a week open.",
        ],
        "main_figure": "trajectories",
        "figures": [
            _figure("trajectories", "Symptoms after the early window, by early alliance", "answer"),
            _figure("forest", "Within and between therapists", "results"),
            _figure("specification", "Other windows and adjustments", "sensitivity"),
        ],
        "flow": _flow(),
        "methods": {
            "paragraphs": [
                "Early alliance was the mean of the WAI-SR over sessions 1 to 5 (at least two rated sessions), split into "
                "the therapist's mean and the client's deviation from it. PHQ-9 after session 5 was modelled with "
                "linear change over weeks and correlated random intercepts and slopes of clients and of therapists.",
                "Inference is restricted maximum likelihood with Satterthwaite degrees of freedom.",
            ],
            "references": [
                "Flückiger, C., Del Re, A. C., Wampold, B. E., & Horvath, A. O. (2018). The alliance in adult "
                "psychotherapy: A meta-analytic synthesis. Psychotherapy, 55(4), 316–340. doi:10.1037/pst0000172",
                "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components.",
            ],
        },
        "tables": _tables(),
        "estimates": [
            _estimate("within_slope", "Within therapists, on weekly change", -0.0213, 0.0046, "client"),
            _estimate("between_slope", "Between therapists, on weekly change", 0.0187, 0.0342, "therapist"),
        ],
        "findings": [
            {
                "code": "few_therapists",
                "severity": "underpowered",
                "message": "13 therapists: the variance between therapists is estimated at zero. "
                "Read nothing about therapists from this report.",
                "where": "main model",
                "reference": "Schiefele et al. (2017)",
            },
            {
                "code": "window_exclusions",
                "severity": "caution",
                "message": "61 clients left before the window closed; they had higher intake scores.",
                "where": "sample",
                "reference": "",
            },
            {
                "code": "instrument_status",
                "severity": "info",
                "message": "The scoring of WAI-SR was checked against its manual.",
                "where": "WAI-SR",
                "reference": "",
            },
        ],
        "limits": [
            "Clients were not randomised to an alliance: the figures describe an association after adjustment.",
            "</script><script>alert('canary-script')</script>",
        ],
        "seed": 20240501,
    }


def _figure(name: str, title: str, section: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "caption": "Lines are expected values, bands 95 % intervals.",
        "alt": f"Line chart: {title}; the line for high alliance falls fastest.",
        "how_to_read": "The steeper the line falls, the faster clients improve.",
        "section": section,
        "columns": [
            {"key": "week", "label": "Week", "kind": "number"},
            {"key": "group", "label": "Early alliance", "kind": "text"},
            {"key": "phq", "label": "PHQ-9", "kind": "number"},
        ],
        "rows": [[w, g, 15 - w * s] for g, s in (("low", 0.2), ("high", 0.4)) for w in range(0, 13, 3)],
    }


def _flow() -> list[dict[str, Any]]:
    words = [
        ("Has an intake score", "no PHQ-9 at intake"),
        ("In treatment when the window closed", "left before session 5"),
    ]
    steps = []
    for i, (step, reason) in enumerate(words):
        row: dict[str, Any] = {"step": step, "reason": reason}
        for unit, values in COUNTS.items():
            row |= {f"{unit}_in": values[i], f"{unit}_out": values[i + 1]}
        steps.append(
            row
            | {
                "rows_lost": row["rows_in"] - row["rows_out"],
                "clients_lost": row["clients_in"] - row["clients_out"],
            }
        )
    return steps


def _tables() -> list[dict[str, Any]]:
    columns = [
        {"key": "term", "label": "Effect of early alliance", "kind": "text"},
        {"key": "estimate", "label": "Estimate", "kind": "estimate"},
        {"key": "se", "label": "SE", "kind": "estimate"},
        {"key": "ci_low", "label": "95 % from", "kind": "estimate"},
        {"key": "ci_high", "label": "to", "kind": "estimate"},
        {"key": "df", "label": "df", "kind": "number"},
        {"key": "p", "label": "p", "kind": "p"},
    ]
    rows = [
        ["Within therapists", -0.0213, 0.0046, -0.0303, -0.0123, 731.2, 0.0000041],
        ["Between therapists", 0.0187, 0.0342, -0.0561, 0.0935, 10.8, 0.595],
        ['=HYPERLINK("evil")', None, None, None, None, None, None],
    ]
    shares = [
        {"key": "level", "label": "Level", "kind": "text"},
        {"key": "share", "label": "Share", "kind": "percent"},
    ]
    return [
        _table(
            "effects",
            "Effects on weekly change",
            "results",
            columns,
            rows,
            "PHQ-9 points a week; negative is better.",
        ),
        _table(
            "shares",
            "Who differs",
            "results",
            shares,
            [["Therapist", 0.0], ["Client", 0.613], ["Session", 0.387]],
            "",
        ),
        _table("windows", "Other early windows", "sensitivity", columns, rows[:2], ""),
        _table("models", "Models", "models", columns[:2], [["growth", 1234.5]], "REML criterion."),
    ]


def _table(name: str, title: str, section: str, columns: Any, rows: Any, note: str) -> dict[str, Any]:
    return {"name": name, "title": title, "section": section, "columns": columns, "rows": rows, "note": note}


def _estimate(identifier: str, label: str, estimate: float, se: float, level: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "label": label,
        "estimate": estimate,
        "se": se,
        "df": 10.8,
        "ci_low": estimate - 2 * se,
        "ci_high": estimate + 2 * se,
        "p": 0.03,
        "n": 812,
        "level": level,
        "unit": "PHQ-9 points a week",
    }


def write_manifest(folder: Path, known: Mapping[str, Any]) -> None:
    """A folder with a sealed manifest and nothing else."""
    folder.mkdir()
    manifest = {"schema": "alliance_longitudinal/manifest/1", **known}
    sealed = manifest | {"manifest_sha256": data_hash(manifest)}
    (folder / "manifest.json").write_text(json.dumps(sealed), encoding="utf-8")
