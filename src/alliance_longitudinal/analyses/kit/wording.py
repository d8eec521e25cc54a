"""A result's texts without values in the language in use; sentences with values are translated where they are made."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from alliance_longitudinal.analyses.result import AnalysisResult, Methods
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.language import ENGLISH, language, translated
from alliance_longitudinal.present import Column, FigureSpec, Table
from alliance_longitudinal.sentences import Sentence


def worded(result: AnalysisResult) -> AnalysisResult:
    """The result with its titles, headings, notes and plain sentences in the language in use."""
    if language() == ENGLISH:
        return result
    return replace(
        result,
        title=_text(result.title),
        question=_text(result.question),
        facts=tuple((_text(label), _text(value)) for label, value in result.facts),
        answer=tuple(map(_text, result.answer)),
        notes=tuple(_finding(f, set(result.study.measures)) for f in result.notes),
        flow=_flow(result.flow),
        tables=tuple(map(_table, result.tables)),
        figure_specs=tuple(map(_figure, result.figure_specs)),
        methods_parts=Methods(
            tuple(map(_text, result.methods_parts.paragraphs)), result.methods_parts.references
        ),
        limits=tuple(map(_text, result.limits)),
    )


def _text(text: Any) -> Any:
    """A sentence with values stands as it was made."""
    return text if isinstance(text, Sentence) or not isinstance(text, str) else translated(text)


def _finding(finding: Finding, measures: set[str]) -> Finding:
    """A measure keeps the name that the study file gives it."""
    where = finding.where if finding.where in measures else _text(finding.where)
    return replace(finding, message=_text(finding.message), where=where)


def _flow(flow: SampleFlow) -> SampleFlow:
    return SampleFlow(tuple(replace(s, step=_text(s.step), reason=_text(s.reason)) for s in flow.steps))


def _table(table: Table) -> Table:
    rows = tuple(tuple(map(_text, row)) for row in table.rows)
    return replace(
        table, title=_text(table.title), note=_text(table.note), columns=_columns(table.columns), rows=rows
    )


def _figure(figure: FigureSpec) -> FigureSpec:
    words = {k: _text(getattr(figure, k)) for k in ("title", "caption", "alt", "how_to_read")}
    return replace(figure, columns=_columns(figure.columns), **words)


def _columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(replace(c, label=_text(c.label)) for c in columns)
