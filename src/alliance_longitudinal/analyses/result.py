"""What every analysis returns: numbers, words, tables and figures of one question."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.counts import Number, Share
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.findings import Finding, gravest
from alliance_longitudinal.language import translated
from alliance_longitudinal.present.figure import FigureSpec
from alliance_longitudinal.present.tables import Column, Table, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alliance_longitudinal.present.plots.drawn import Drawn

SCHEMA = "alliance_longitudinal/results/1"
ESTIMATE_COLUMNS = ("id", "label", "estimate", "se", "df", "ci_low", "ci_high", "p", "n", "level", "unit")
_STATUS = {
    "info": ("complete", "Complete"),
    "caution": ("caution", "Complete, with cautions"),
    "underpowered": ("underpowered", "Underpowered"),
    "failed": ("failed_check", "Failed check"),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its uncertainty; a row of ``AnalysisResult.estimates``.

    ``level`` is the level that the number is about: ``client``, ``therapist``, ``session`` or ``all``.
    """

    id: str
    label: str
    estimate: float
    se: float = float("nan")
    df: float = float("nan")
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    p: float = float("nan")
    n: int = 0
    level: str = "all"
    unit: str = ""

    def number(self, kind: str = "number") -> Number:
        """The estimate and its limits as a value in a sentence."""
        counted = self.n if self.level != "therapist" and self.n else float("inf")
        return Number(self.estimate, kind, low=self.ci_low, high=self.ci_high, n=counted)

    def share(self) -> Share:
        """The estimate, a share of ``n`` people or rows, as a value in a sentence."""
        return Share.of(self.estimate, self.n, self.ci_low, self.ci_high)


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """An estimate that is the first of two others ``of`` less the second, or over it, by their ids."""

    of: tuple[str, str] = ("", "")


def estimate_frame(estimates: list[Estimate]) -> pd.DataFrame:
    """Estimates as a tidy frame with the contract's columns."""
    rows = [[getattr(e, c) for c in ESTIMATE_COLUMNS] for e in estimates]
    return pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS))


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods section, generated from the parameters."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]

    def __str__(self) -> str:
        return "\n\n".join(self.paragraphs) + "\n\nReferences\n" + "\n".join(self.references)


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """The finished analysis.

    Attributes
    ----------
    estimates : DataFrame
        ``id, label, estimate, se, df, ci_low, ci_high, p, n, level, unit``; 95 % intervals.
    models : mapping of str to fitted model
        Every model that was fitted for the main analysis.
    notes : tuple of Finding
        What was dropped, assumed and warned.
    answer : tuple of str
        The question answered in two sentences.
    tables : tuple of Table
    flow : SampleFlow
        Who is in the analysis and who is not.
    contrasts : mapping of str to pair of str
        Estimates that are differences or ratios, each with the two estimates that it compares.
    main : str
        Id of the main estimate; empty if the data were too few for it.
    """

    analysis: str
    title: str
    question: str
    study: Study = field(repr=False)
    parameters: Mapping[str, Any]
    facts: tuple[tuple[str, str], ...]
    answer: tuple[str, ...]
    estimates: pd.DataFrame = field(repr=False)
    models: Mapping[str, Any] = field(repr=False)
    notes: tuple[Finding, ...] = field(repr=False)
    flow: SampleFlow = field(repr=False)
    tables: tuple[Table, ...] = field(repr=False)
    figure_specs: tuple[FigureSpec, ...] = field(repr=False)
    methods_parts: Methods = field(repr=False)
    limits: tuple[str, ...] = field(repr=False)
    seed: int = 0
    contrasts: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    main: str = ""

    @property
    def methods(self) -> str:
        """The methods paragraph with references."""
        return str(self.methods_parts)

    @property
    def figures(self) -> "dict[str, Figure]":
        """Name to a newly drawn matplotlib Figure."""
        return {spec.name: spec.figure() for spec in self.figure_specs}

    def plot(self, name: str | None = None) -> "Drawn":
        """One of the figures, newly drawn; by default the main one.

        Raises
        ------
        FitError
            If there is no such figure.
        """
        from alliance_longitudinal.present import plot

        return plot(self, name)

    @property
    def status(self) -> dict[str, Any]:
        """``code``, ``label`` and ``reasons`` of the report's badge: the gravest finding decides."""
        worst = gravest(self.notes)
        code, label = _STATUS[worst]
        reasons = [] if worst == "info" else [f.message for f in self.notes if f.severity == worst]
        return {"code": code, "label": translated(label), "reasons": reasons}

    def table(self, name: str) -> Table:
        """The table called ``name``."""
        return next(t for t in self.tables if t.name == name)

    def flow_table(self) -> Table:
        """The sample flow as a table; without therapists if the study names none."""
        known = any(step.therapists_in for step in self.flow.steps)
        columns = [
            Column("step", "Step"),
            Column("rows_out", "Rows", "count"),
            Column("clients_out", "Clients", "count"),
            *([Column("therapists_out", "Therapists", "integer")] if known else []),
            Column("reason", "Why rows left"),
            Column("rows_lost", "Rows lost", "count"),
            Column("clients_lost", "Clients lost", "count"),
        ]
        frame = pd.DataFrame(self.flow.to_records())
        return Table.from_frame("sample_flow", "Who is in the analysis", "results", frame, columns)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the fitted models, as plain data; the content of ``results.json``."""
        simulated = self.study.simulated
        return {
            "schema": SCHEMA,
            "analysis": self.analysis,
            "title": self.title,
            "question": self.question,
            "study": {
                "title": self.study.title,
                "simulated": simulated is not None,
                "simulated_note": None if simulated is None else str(simulated.get("note", "Simulated data")),
                "sources": [{"name": s.name, "sha256": s.sha256, "rows": s.rows} for s in self.study.sources],
            },
            "parameters": dict(self.parameters),
            "status": self.status,
            "facts": [list(f) for f in self.facts],
            "answer": list(self.answer),
            "main_figure": self.figure_specs[0].name if self.figure_specs else None,
            "figures": [f.to_dict() for f in self.figure_specs],
            "flow": self.flow.to_records(),
            "methods": {
                "paragraphs": list(self.methods_parts.paragraphs),
                "references": list(self.methods_parts.references),
            },
            "tables": [t.to_dict() for t in self.tables],
            "main_estimate": self.main or None,
            "estimates": [{k: plain(v) for k, v in r.items()} for r in self.estimates.to_dict("records")],
            "findings": [f.to_dict() for f in self.notes],
            "limits": list(self.limits),
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        """The short view of a terminal."""
        return "\n".join([f"{self.title} ({self.status['label']})", *self.answer])

    def _repr_html_(self) -> str:
        """The short view of a notebook: the answer, the status, the main numbers."""
        from html import escape

        badge = f"<p><b>{escape(self.title)}</b> — {escape(self.status['label'])}</p>"
        answer = "".join(f"<p>{escape(s)}</p>" for s in self.answer)
        return badge + answer + "".join(t._repr_html_() for t in self.tables[:1])
