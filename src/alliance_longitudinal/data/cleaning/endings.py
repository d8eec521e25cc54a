"""How treatments ended: as planned, by dropout, or otherwise, by the words of a column or a number of sessions."""

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count
from alliance_longitudinal.data.cells.columns import Column
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.study_file.format import Ending
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Rule, message and remedy where a client's rows disagree.
TWO_ENDINGS = (
    "two_endings",
    "a client's treatment ends in more than one way.",
    "keep the correct one; if the client came back for another treatment, see 'episodes'.",
)


def check_endings(column: Column, rule: Ending, dialect: Dialect, problems: Problems) -> None:
    """Report the words of the ending column that the study file does not place."""
    known = {*rule.planned, *rule.dropout, *rule.other}
    missing = dialect.is_missing(column.text)
    problems.add_cells(
        "unknown_ending",
        column,
        ~missing & column.text.where(lambda word: word not in known),
        "the word for how a treatment ended is not in the study file.",
        "add it under 'ending' as planned, dropout or other; or as a missing code under 'dialect: missing'.",
    )


def ending_of_clients(
    words: "pd.Series[str] | None", sessions: pd.DataFrame, rule: Ending
) -> "pd.Series[str]":
    """Planned, dropout, other or missing, indexed by client.

    Parameters
    ----------
    words : Series of str indexed by client, or None
        The column's words; None under ``dropout_below``.
    sessions : DataFrame
        One row per client and session with ``client`` and ``session``; intake does not count.
    """
    if words is None:
        assert rule.dropout_below is not None
        held = sessions["session"].ge(1).groupby(sessions["client"].astype(object)).sum()
        named = np.where(held < rule.dropout_below, "dropout", "planned")
        return pd.Series(named, index=held.index, dtype=object)
    kinds = {word: kind for kind in ("planned", "dropout", "other") for word in getattr(rule, kind)}
    return words.map(kinds)


def ending_finding(endings: "pd.Series[str]", rule: Ending) -> Finding:
    """How many clients ended how, and by which rule."""
    counts = endings.value_counts()
    n = {kind: int(counts.get(kind, 0)) for kind in ("planned", "dropout", "other")}
    how: str = (
        "by the study file's words"
        if rule.dropout_below is None
        else f"fewer than {rule.dropout_below} sessions count as dropout; this rule does not distinguish "
        "a short planned treatment from a dropout"
    )
    message = say(
        "Treatment ended as planned for {planned:noun}, by dropout for {dropout}, in another way "
        "for {other}; for {unknown} it is not known ({how}).",
        planned=Count(n["planned"], "client"),
        dropout=Count(n["dropout"], "client"),
        other=Count(n["other"], "client"),
        unknown=Count(int(endings.isna().sum()), "client"),
        how=how,
    )
    return Finding("endings", "info" if rule.dropout_below is None else "caution", message, "ending")
