"""What is known of therapists: from a table of their own, or from columns that are the same in all of their rows."""

from collections.abc import Mapping

import pandas as pd

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.covariates import (
    OF_THERAPIST,
    mixed_findings,
    one_per_client,
    read_covariate,
)
from alliance_longitudinal.data.cleaning.keys import number_remedy
from alliance_longitudinal.data.cleaning.layout import SessionCells
from alliance_longitudinal.data.cleaning.matching import refuse_strangers
from alliance_longitudinal.data.readers.tables import RawTable, check_headers
from alliance_longitudinal.data.study_file.format import StudyFile
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

Labels = Mapping[str, Mapping[str, str]]


def read_therapists(
    table: RawTable | None,
    cells: SessionCells,
    keys: pd.DataFrame,
    labels: Labels,
    spec: StudyFile,
    dialect: Dialect,
    problems: Problems,
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Covariates and ``caseload`` of therapists, indexed by therapist, and what a reader has to know of them.

    Parameters
    ----------
    table : RawTable or None
        The therapists table, with the columns that it has to have.
    cells : SessionCells
        Of the sessions table, for covariates that the therapists table does not have.
    keys : DataFrame
        Of the same rows, with ``therapist``.
    labels : mapping of str to mapping of str to str
        Of the sessions table: header -> value -> what it means.
    """
    known = spec.covariates.therapist
    columns: dict[str, pd.Series[float] | pd.Series[str]] = {}
    findings: list[Finding] = []
    if table is not None:
        columns, missing = _from_table(table, keys, spec, dialect, problems)
        findings += missing
    for name in set(known) & set(cells.baseline):
        column = cells.baseline[name]
        values = read_covariate(column, labels.get(column.header, {}), dialect, problems, known[name])
        columns[name] = one_per_client(keys["therapist"], column, values, problems, twice=OF_THERAPIST)
    frame = pd.DataFrame({name: columns[name] for name in ("caseload", *known) if name in columns})
    frame.index.name = "therapist"
    return frame, (*findings, *mixed_findings({n: frame[n] for n in known if n in frame}, known, dialect))


def _from_table(
    table: RawTable, keys: pd.DataFrame, spec: StudyFile, dialect: Dialect, problems: Problems
) -> tuple[dict[str, "pd.Series[float] | pd.Series[str]"], tuple[Finding, ...]]:
    block = spec.tables.therapists
    assert block is not None
    ids = table.column(block.columns.therapist)
    message = "the therapist id is missing."
    problems.add_cells("missing_therapist", ids, ids.text.empty, message, "fill it in, or take the row out.")
    index = pd.Index(ids.text.spread(), name="therapist")
    twice = index.duplicated(keep=False) & ~ids.text.empty
    message = "a therapist is in more than one row of the therapists table."
    problems.add_cells("duplicate_therapist", ids, twice, message, "keep one row per therapist.")
    seen = [t for t in keys["therapist"].cat.categories if t]
    refuse_strangers(
        seen, list(index), "therapist", keys.attrs.get("file", "the sessions table"), table.file, problems
    )
    columns: dict[str, pd.Series[float] | pd.Series[str]] = {}
    for name, known in spec.covariates.therapist.items():
        if known.column in table.headers:
            column = table.column(known.column)
            columns[name] = read_covariate(
                column, table.labels.get(known.column, {}), dialect, problems, known
            )
    if isinstance(spec.caseload, str):
        column = table.column(spec.caseload)
        numbers, bad = dialect.numbers(column.text)
        bad |= numbers <= 0
        problems.add_cells(
            "caseload", column, bad, "a caseload is not a number of clients above 0.", number_remedy(dialect)
        )
        columns["caseload"] = pd.Series(numbers)
    first = ~index.duplicated()
    for name, values in columns.items():
        values.index = index
        columns[name] = values[first]
    absent = sorted(set(seen) - set(index))
    if not absent:
        return columns, ()
    message = say(
        "{n:noun} with clients {n:is|are} not in {file}, so {n:this therapist's|their} covariates "
        "are missing.",
        n=Number(len(absent), "integer", "therapist"),
        file=Private(table.file, "the therapists table"),
    )
    return columns, (Finding("therapists_without_row", "caution", message, "therapist"),)


def check_therapist_headers(
    table: RawTable, sessions: RawTable | None, spec: StudyFile, problems: Problems
) -> None:
    """Report columns that the therapists table lacks and no other table has."""
    block = spec.tables.therapists
    assert block is not None
    elsewhere = () if sessions is None else sessions.headers
    wanted = [c.column for c in spec.covariates.therapist.values() if c.column not in elsewhere]
    caseload = [spec.caseload] if isinstance(spec.caseload, str) else []
    check_headers(table, [block.columns.therapist, *wanted, *caseload], problems)
