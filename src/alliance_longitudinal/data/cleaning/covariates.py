"""Baseline covariates: one value per client, a number or a word."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Column
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.keys import number_remedy


def read_covariate(
    column: Column, labels: Mapping[str, str], dialect: Dialect, problems: Problems
) -> "pd.Series[float] | pd.Series[str]":
    """Values of one baseline column, aligned with it: numbers if most values are numbers, else words.

    A column in which most but not all values are numbers is reported: a remark among ages is a mistake. Where the
    file has a label for each value that occurs, as SPSS files do for codes, the labels are the values.
    """
    missing = dialect.is_missing(column.text)
    codes = set(column.text.take(~missing).present())
    if codes and codes <= set(labels):
        column = Column(
            column.places, column.header, column.text.replaced(lambda word: labels.get(word, word))
        )
        return _words(column, missing)
    values, bad = dialect.numbers(column.text)
    if (~missing).any() and bad.sum() < 0.5 * (~missing).sum():
        problems.add_cells(
            "not_a_number",
            column,
            bad,
            "a value is not a number, though most of its column are.",
            number_remedy(dialect),
        )
        return pd.Series(values)
    return _words(column, missing)


def _words(column: Column, missing: NDArray[np.bool_]) -> "pd.Series[str]":
    words = column.text.spread()
    words[missing] = None
    return pd.Series(words, dtype=object)


_BASELINE = (
    "changing_baseline",
    "a baseline column has more than one value for the same client.",
    "a baseline value is known before treatment and does not change; correct it or take it out of 'baseline'.",
)


def one_per_client(
    client: "pd.Series[str]",
    column: Column,
    labels: Mapping[str, str],
    dialect: Dialect,
    problems: Problems,
    *,
    twice: tuple[str, str, str] = _BASELINE,
) -> "pd.Series[float] | pd.Series[str]":
    """The value of each client, indexed by client, from a column of the sessions table.

    Where the column is empty in some of a client's rows, the others decide; two different values are reported, in the
    words ``twice``: rule, message, remedy.
    """
    values = read_covariate(column, labels, dialect, problems)
    given = pd.DataFrame({"client": client.array, "value": values.array}).dropna(subset="value")
    first = given.groupby("client", observed=True)["value"].transform("first")
    differs = given["value"] != first
    bad = np.zeros(len(client), dtype=bool)
    bad[given.index[differs]] = True
    rule, message, remedy = twice
    problems.add_cells(rule, column, bad, message, remedy)
    once = given.drop_duplicates("client")
    return once.set_index(once["client"].astype(object))["value"]
