"""One result, as the person who holds the data sees it or as it may be shared."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.analysis_result import AnalysisResult
from alliance_longitudinal.analyses.disclosure.cells import (
    HIDDEN,
    hidden_cells,
    hide_near,
    hide_rows,
    protect_table,
    small,
)
from alliance_longitudinal.analyses.disclosure.flow import protect_flow
from alliance_longitudinal.analyses.disclosure.shares import protect_estimates
from alliance_longitudinal.analyses.disclosure.text import protect_text
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.present import FigureSpec, Table

Run = Callable[[Study, Any], AnalysisResult]


def protected(run: Run) -> Run:
    """Decorator of an analysis's ``run(study, params)``: the result is made for ``params.audience``."""

    @wraps(run)
    def for_asked(study: Study, params: Any) -> AnalysisResult:
        return for_audience(run(study, params), params.audience)

    return for_asked


def for_audience(result: AnalysisResult, audience: str) -> AnalysisResult:
    """The result itself, or what of it may be shared.

    For ``"shareable"`` no table, figure, sentence or file holds a count of 1 to ``study.small_cells - 1`` people or rows,
    or lets one be worked out from within the report; marks of single people are left out, and the fitted models, which
    hold every row, are replaced by their summaries. Two reports on nearly the same clients can still tell by their
    difference: share one of them. Methods and limits are rules, not counts, and stay as they are.
    """
    if audience == "internal":
        return result
    smallest = result.study.small_cells
    flow, joined = protect_flow(result.flow, smallest)
    safe = protect_estimates(result.estimates, smallest)
    words = _Words(smallest, safe.texts)
    known = tuple(hide_rows(t, safe.hidden) for t in result.tables)
    tables, hidden = _tables(known, smallest, _known(flow), words)
    figures, lost = _figures(result.figure_specs, smallest, words)
    study = replace(
        result.study,
        sources=tuple(replace(s, rows=None) for s in result.study.sources),
        _sessions=_NONE,
        _clients=_NONE,
    )
    return replace(
        result,
        study=study,
        facts=tuple((label, words.fact(label, value)) for label, value in result.facts),
        answer=tuple(map(words, result.answer)),
        estimates=safe.frame,
        models={name: Withheld(words(model.summary())) for name, model in result.models.items()},
        notes=(
            *(replace(f, message=words(f.message)) for f in result.notes),
            _finding(smallest, hidden, joined, lost),
        ),
        flow=flow,
        tables=tuple(replace(t, title=words(t.title), note=words(t.note)) for t in tables),
        figure_specs=figures,
    )


_NONE = pd.DataFrame()


class Withheld:
    """A fitted model of which only the summary may be shown."""

    def __init__(self, text: str) -> None:
        self._text = text

    def summary(self) -> str:
        """The fit as text, small counts taken out."""
        return self._text

    def __repr__(self) -> str:
        return self._text


class _Words:
    """Sentences without small counts and without the hidden shares."""

    def __init__(self, smallest: int, hidden: tuple[str, ...]) -> None:
        self.smallest, self.hidden = smallest, hidden

    def __call__(self, text: str) -> str:
        for share in self.hidden:
            text = str(text).replace(share, HIDDEN)
        return protect_text(str(text), self.smallest)

    def fact(self, label: str, value: Any) -> Any:
        """A fact of the header: its label says what is counted."""
        people = label.lower() not in {"therapists", "clinics", "early window"}
        digits = str(value).replace("\u202f", "")
        if people and digits.isdigit() and small(int(digits), self.smallest):
            return f"fewer than {self.smallest}"
        return self(value) if isinstance(value, str) else value


def _known(flow: SampleFlow) -> list[float]:
    """Counts that the flow shows: others that differ from them by a few would tell of those few."""
    return [c for s in flow.steps for c in (s.rows_in, s.clients_in, s.rows_out, s.clients_out)]


def _tables(
    tables: tuple[Table, ...], smallest: int, known: list[float], words: "_Words"
) -> tuple[list[Table], int]:
    out, hidden, shown = [], 0, list(known)
    for table in tables:
        apart, near = hide_near(table, shown, smallest)
        safe, n = protect_table(apart, smallest)
        text = [i for i, c in enumerate(table.columns) if c.kind == "text"]
        rows = tuple(
            tuple(words(v) if i in text and isinstance(v, str) else v for i, v in enumerate(row))
            for row in safe.rows
        )
        out.append(replace(safe, rows=rows))
        hidden += n + near
    return out, hidden


def _figures(
    specs: tuple[FigureSpec, ...], smallest: int, words: "_Words"
) -> tuple[tuple[FigureSpec, ...], int]:
    """Figures without marks of single people, and without marks that stand for a hidden count."""
    out = []
    for spec in specs:
        if spec.single_people:
            continue
        table = Table.from_frame(
            spec.name,
            spec.title,
            spec.section,
            spec.data,
            list(spec.columns),
            parts=spec.parts,
            parts_by=spec.parts_by,
        )
        gone = sorted({r for r, _ in hidden_cells(table, smallest)})
        keep = np.setdiff1d(np.arange(len(spec.data)), gone)
        if len(keep) or not len(spec.data):
            shown = replace(
                spec,
                data=spec.data.iloc[keep].reset_index(drop=True),
                title=words(spec.title),
                caption=words(spec.caption),
                alt=f"{words(spec.title)}. {words(spec.how_to_read)}" if gone else words(spec.alt),
                how_to_read=words(spec.how_to_read),
            )
            out.append(shown)
    return tuple(out), len(specs) - len(out)


def _finding(smallest: int, hidden: int, joined: int, lost: int) -> Finding:
    done = [
        f"Made for sharing: counts of people or rows below {smallest}, and what they could be worked out from, are hidden"
    ]
    if hidden:
        done.append(f"cells hidden in tables: {hidden}")
    if joined:
        done.append(f"steps of the sample flow joined: {joined}")
    if lost:
        done.append(f"figures left out: {lost}")
    return Finding("shareable", "info", "; ".join(done) + ".", "the whole report")
