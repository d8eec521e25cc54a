"""Baseline covariates: one value per client, a number or a word."""

import numpy as np
import pandas as pd

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.keys import number_remedy
from alliance_longitudinal.data.problems import Column, Problems


def read_covariate(
    column: Column, dialect: Dialect, problems: Problems
) -> "pd.Series[float] | pd.Series[str]":
    """Values of one baseline column, aligned with it: numbers if most values are numbers, else words.

    A column in which most but not all values are numbers is reported: a remark among ages is a mistake.
    """
    missing = dialect.is_missing(column.text)
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
    words = column.text.copy()
    words[missing] = None
    return pd.Series(words, dtype=object)


def one_per_client(
    client: "pd.Series[str]", column: Column, dialect: Dialect, problems: Problems
) -> "pd.Series[float] | pd.Series[str]":
    """The value of each client, indexed by client, from a column of the sessions table.

    Where the column is empty in some of a client's rows, the others decide; two different values are reported.
    """
    values = read_covariate(column, dialect, problems)
    given = pd.DataFrame({"client": client.to_numpy(), "value": values.to_numpy()}).dropna(subset="value")
    differs = given["value"] != given.groupby("client")["value"].transform("first")
    bad = np.zeros(len(client), dtype=bool)
    bad[given.index[differs]] = True
    problems.add_cells(
        "changing_baseline",
        column,
        bad,
        "a baseline column has more than one value for the same client.",
        "a baseline value is known before treatment and does not change; correct it or take it out of 'baseline'.",
    )
    return given.drop_duplicates("client").set_index("client")["value"]
