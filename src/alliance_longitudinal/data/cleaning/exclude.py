"""Rows that the study file leaves out by a rule with its reason, before anything is asked of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.counts import Private
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.readers.tables import AnyTable, RawTable, check_headers, people
from alliance_longitudinal.data.study_file.blocks import Exclusion, Where
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say


def leave_out(
    table: RawTable, block: AnyTable, rules: Sequence[Exclusion], dialect: Dialect, problems: Problems
) -> tuple[RawTable, tuple[Finding, ...]]:
    """The table without the rows that ``rules`` name, each counted with its reason; and rules that name no row."""
    check_headers(table, [rule.where.column for rule in rules], problems)
    findings = []
    roles = {role: header for role, header in people(block).items() if header in table.headers}
    for rule in rules:
        if rule.where.column not in table.headers:
            continue
        gone = _holds(table, rule.where, dialect)
        if gone.all() and len(table):
            problems.add(
                "all_excluded",
                f"the rule 'exclude: {rule.because}' leaves out every row.",
                "correct 'where' in the study file.",
                file=table.file,
                column=rule.where.column,
            )
        elif gone.any():
            table = table.without(gone, rule.because, roles)
        else:
            message = say(
                "{file}: the rule 'exclude: {because}' leaves out no row.",
                file=Private(table.file, "a table"),
                because=rule.because,
            )
            findings.append(Finding("exclude_without_rows", "info", message, rule.where.column))
    return table, tuple(findings)


def _holds(table: RawTable, where: Where, dialect: Dialect) -> NDArray[np.bool_]:
    text = table.column(where.column).text
    if where.empty is not None:
        missing = dialect.is_missing(text)
        return missing if where.empty else ~missing
    words = set(where.equals or where.not_equals or ())
    found = text.where(lambda word: word in words)
    return found if where.equals is not None else ~found & table.filled
