"""One result, as the person who holds the data sees it or as it may be shared."""

from dataclasses import replace
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.disclosure.cells import HIDDEN, safe_row
from alliance_longitudinal.analyses.disclosure.estimates import safe_estimates
from alliance_longitudinal.analyses.disclosure.flow import last_clients, safe_flow
from alliance_longitudinal.analyses.result import ESTIMATE_COLUMNS, AnalysisResult
from alliance_longitudinal.counts import Number, Outsiders
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import number
from alliance_longitudinal.present import FigureSpec, Table
from alliance_longitudinal.present.tables import plain
from alliance_longitudinal.sentences import for_outsiders, say


def for_audience(result: AnalysisResult, audience: str) -> AnalysisResult:
    """The result itself, or what of it may be shared.

    For ``"shareable"`` counts of people and of their rows are multiples of ``study.small_cells``, smaller ones are
    hidden, and no other number is precise enough to solve for a count: so nothing can be worked out within the report, nor
    from the difference of two. Marks of single people are left out. The fitted models, which hold every row, are replaced by
    their coefficients. Methods and limits are rules, not counts, and stay as they are.

    Raises
    ------
    StudyError
        If fewer than ``study.small_cells`` clients are analysed.
    """
    if audience == "internal":
        return result
    outsiders = Outsiders(result.study.small_cells)
    people = last_clients(result.flow)
    if people is not None and people < outsiders.smallest:
        raise StudyError(
            "This result is about fewer clients than a shareable report may count ('small_cells: "
            f"{outsiders.smallest}' in the study file), so no shareable report can be made. Analyse "
            "more clients together, or make an internal report."
        )
    therapists = max((s.therapists_in for s in result.flow.steps), default=0)
    estimates = safe_estimates(result.estimates, outsiders, therapists, result.contrasts)
    figures = [_figure(f, outsiders) for f in result.figure_specs if not f.single_people]
    shown = tuple(f for f in figures if f is not None)
    tables = tuple(_table(t, outsiders, estimates) for t in result.tables if not t.single_people)
    lost = len(result.figure_specs) - len(shown) + len(result.tables) - len(tables)
    return replace(
        result,
        study=_without_rows(result.study),
        facts=tuple((label, for_outsiders(value, outsiders)) for label, value in result.facts),
        answer=tuple(for_outsiders(text, outsiders) for text in result.answer),
        estimates=estimates,
        models={name: Withheld.of(model) for name, model in result.models.items()},
        notes=(
            *(_finding(f, outsiders) for f in result.notes),
            _made_for_sharing(outsiders, lost),
        ),
        flow=safe_flow(result.flow, outsiders),
        tables=tables,
        figure_specs=shown,
    )


def _without_rows(study: Study) -> Study:
    """The study's facts without its data, its files' names and their sizes."""
    nothing = pd.DataFrame()
    sources = tuple(
        replace(s, name=f"table {number(i, 'integer')}", rows=None)
        for i, s in enumerate(study.sources, start=1)
    )
    return replace(study, sources=sources, _sessions=nothing, _clients=nothing, forms=None)


class Withheld:
    """A fitted model of which only the coefficients may be shown."""

    def __init__(self, coefficients: pd.DataFrame) -> None:
        self.coefficients = coefficients

    @classmethod
    def of(cls, model: Any) -> "Withheld":
        """Terms, estimates and standard errors of any fitted model, with three digits."""
        columns = {"estimate": model.params, "se": model.bse}
        return cls(
            pd.DataFrame(
                {k: [number(float(x)) for x in v] for k, v in columns.items()}, index=model.params.index
            )
        )

    def summary(self) -> str:
        """The coefficients as text."""
        return str(self.coefficients.to_string())

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return str(self.coefficients.to_html(border=0))


def _finding(finding: Finding, outsiders: Outsiders) -> Finding:
    words: Any = {k: for_outsiders(getattr(finding, k), outsiders) for k in ("message", "where")}
    return replace(finding, **words)


def _table(table: Table, outsiders: Outsiders, estimates: pd.DataFrame) -> Table:
    """A table's cells; in rows that show an estimate, its numbers are those of the safe estimate."""
    by_id = {row["id"]: row for row in estimates.to_dict("records")}
    rows = []
    for k, row in enumerate(table.rows):
        shown = by_id.get(table.row_ids[k]) if table.row_ids else None
        cells = safe_row(table.columns, row, outsiders)
        if shown is not None:
            cells = [
                _estimated(shown, c.key) if c.key in ESTIMATE_COLUMNS and row[i] is not None else cells[i]
                for i, c in enumerate(table.columns)
            ]
        rows.append(tuple(cells))
    words: Any = {k: for_outsiders(getattr(table, k), outsiders) for k in ("title", "note")}
    return replace(table, rows=tuple(rows), **words)


def _estimated(row: dict[Any, Any], key: str) -> Any:
    value = plain(row[key])
    return HIDDEN if value is None else value


def _figure(spec: FigureSpec, outsiders: Outsiders) -> FigureSpec | None:
    """A figure without the marks that stand for a hidden count; None if no mark is left."""
    keys = [c.key for c in spec.columns]
    rows = [
        safe_row(spec.columns, row, outsiders) for row in spec.data[keys].itertuples(index=False, name=None)
    ]
    keep = [i for i, row in enumerate(rows) if not any(isinstance(v, str) and v == HIDDEN for v in row)]
    if rows and not keep:
        return None
    safe = pd.DataFrame([rows[i] for i in keep], columns=keys)
    # What only the drawing uses (groups, order) counts nobody and stays.
    data = spec.data.iloc[keep].reset_index(drop=True).assign(**{k: safe[k] for k in keys})
    words: Any = {
        k: for_outsiders(getattr(spec, k), outsiders) for k in ("title", "caption", "alt", "how_to_read")
    }
    return replace(spec, data=data, **words)


def _made_for_sharing(outsiders: Outsiders, lost: int) -> Finding:
    message = say(
        "This report may be shared. Counts of people and of their sessions are rounded to "
        "multiples of {smallest}; smaller counts are hidden. Shares are computed from the rounded "
        "counts. Other numbers are rounded so that nobody can work out a count.",
        smallest=Number(outsiders.smallest, "integer"),
    )
    if lost:
        message += say(
            " {lost} {lost:table or figure was|tables and figures were} left out, because "
            "{lost:it shows|they show} single people.",
            lost=Number(lost, "integer"),
        )
    return Finding("shareable", "info", message, "the whole report")
