"""One result, as the person who holds the data sees it or as it may be shared."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.disclosure.cells import (
    HIDDEN,
    hidden_cells,
    hide_n,
    hide_near,
    hide_rows,
    protect_table,
    small,
)
from alliance_longitudinal.analyses.disclosure.flow import last_clients, protect_flow
from alliance_longitudinal.analyses.disclosure.shares import SafeEstimates, protect_estimates
from alliance_longitudinal.analyses.disclosure.text import protect_message, protect_text, without_sizes
from alliance_longitudinal.analyses.kit.result import AnalysisResult
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import StudyError
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

    Raises
    ------
    StudyError
        If fewer than ``study.small_cells`` clients are analysed.
    """
    if audience == "internal":
        return result
    smallest = result.study.small_cells
    people = last_clients(result.flow)
    if people is not None and people < smallest:
        raise StudyError(
            f"This result speaks of fewer clients than may be counted for outsiders ('small_cells: {smallest}' in the study "
            "file), so it cannot be made for sharing. Analyse more clients together, or keep it internal."
        )
    flow, joined = protect_flow(result.flow, smallest)
    safe = protect_estimates(result.estimates, smallest, _known(flow))
    words = _Words(smallest, safe, people or 0)
    known = tuple(hide_n(hide_rows(t, safe.hidden), safe.uncounted) for t in result.tables)
    tables, hidden = _tables(known, smallest, list(safe.counts), words)
    figures, lost = _figures(result.figure_specs, smallest, words)
    study = replace(
        result.study,
        sources=tuple(replace(s, rows=None) for s in result.study.sources),
        _sessions=_NONE,
        _clients=_NONE,
        forms=None,
    )
    return replace(
        result,
        study=study,
        facts=tuple((label, words.fact(label, value)) for label, value in result.facts),
        answer=tuple(_sentence(words(text)) for text in result.answer),
        estimates=safe.frame,
        models={
            name: Withheld(words(without_sizes(str(model.summary()))))
            for name, model in result.models.items()
        },
        notes=(
            *(
                replace(f, message=_sentence(words.message(f.message)))
                for f in result.notes
                if f.code not in _UNTOLD
            ),
            _finding(smallest, hidden, joined, lost),
        ),
        flow=flow,
        tables=tuple(replace(t, title=words(t.title), note=words(t.note)) for t in tables),
        figure_specs=figures,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_NONE = pd.DataFrame()
#: Findings that are about a few people by their nature, or that quote an identifier.
_REASONS = frozenset({"skipped", "problem", "why"})
_UNTOLD = frozenset({"single_client_therapists", "id_is_missing_code"})


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

    def __init__(self, smallest: int, safe: SafeEstimates, people: int) -> None:
        self.smallest, self.safe, self.people = smallest, safe, people

    def __call__(self, text: str) -> str:
        for phrase in self.safe.phrases:
            text = str(text).replace(phrase, "a share (not shown)")
        return protect_text(str(text), self.smallest, self.safe.counts)

    def message(self, text: str) -> str:
        """A finding, or the words of a figure: any number in it may be a count."""
        for share in self.safe.texts:
            text = re.sub(rf"(?<![\d.]){re.escape(share)}", HIDDEN, text)
        return protect_message(text, self.smallest, self.safe.counts, self.people)

    def fact(self, label: str, value: Any) -> Any:
        """A fact of the header: its label says what is counted."""
        people = label.lower() not in {"therapists", "clinics", "early window"} and "median" not in label
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
            tuple(
                (words.message if table.columns[i].key in _REASONS else words)(v)
                if i in text and isinstance(v, str)
                else v
                for i, v in enumerate(row)
            )
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
        gone = sorted({r for r, _ in hidden_cells(table, smallest)} | _bars_near(spec, smallest, words))
        keep = np.setdiff1d(np.arange(len(spec.data)), gone)
        if len(keep) or not len(spec.data):
            shown = replace(
                spec,
                data=_rounded(spec, keep, smallest),
                title=words(spec.title),
                caption=words.message(spec.caption) + _rounding(spec, smallest),
                alt=f"{words(spec.title)}. {words(spec.how_to_read)}" if gone else words.message(spec.alt),
                how_to_read=words(spec.how_to_read),
            )
            out.append(shown)
    return tuple(out), len(specs) - len(out)


def _bars_near(spec: FigureSpec, smallest: int, words: "_Words") -> set[int]:
    """Rows of bars whose parts add up to a total that differs by a few from one that is shown."""
    if not spec.parts_by:
        return set()
    totals = spec.data.groupby(spec.parts_by)[list(spec.parts)].transform("sum").to_numpy(float)
    near = [any(0 < abs(t - v) < smallest for t in row for v in words.safe.counts) for row in totals]
    return set(np.flatnonzero(near).tolist())


def _free(spec: FigureSpec) -> list[str]:
    """Counts that are rounded: all but those that have to add up, unless these tell of people who left in between."""
    counts = [c.key for c in spec.columns if c.kind == "count"]
    return counts if spec.successive else [key for key in counts if key not in spec.parts]


def _rounded(spec: FigureSpec, keep: "np.ndarray[Any, Any]", smallest: int) -> pd.DataFrame:
    """The rows that stay; counts behind marks are rounded, for they may miss a known number by a few."""
    data = spec.data.iloc[keep].reset_index(drop=True)
    if spec.successive:  # an exact share would tell the exact count
        data = data.assign(**{c.key: data[c.key].round(2) for c in spec.columns if c.kind == "percent"})
    return data.assign(**{k: (data[k].astype(float) / smallest).round() * smallest for k in _free(spec)})


def _rounding(spec: FigureSpec, smallest: int) -> str:
    return f" Numbers of clients are rounded to multiples of {smallest}." if _free(spec) else ""


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
