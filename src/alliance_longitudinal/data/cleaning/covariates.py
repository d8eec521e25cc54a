"""Covariates of clients, therapists and sessions: numbers, words, or categories with a reference or an order."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Private
from alliance_longitudinal.data.cells.columns import Column
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.keys import number_remedy
from alliance_longitudinal.data.study_file.blocks import Covariate
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say
from alliance_longitudinal.strict_yaml import nearest

Values = "pd.Series[float] | pd.Series[str]"

#: Share of numbers among the different words of a column of words from which the reader is told.
NOTABLE = 0.2


def read_covariate(
    column: Column,
    labels: Mapping[str, str],
    dialect: Dialect,
    problems: Problems,
    known: Covariate,
    *,
    words: bool = False,
) -> "pd.Series[float] | pd.Series[str]":
    """Values of one column, aligned with it: numbers if most values are numbers, else words.

    A column in which most but not all values are numbers is reported: a remark among ages is a mistake. Where the
    file has a label for each value that occurs, as SPSS files do for codes, the labels are the values. A category is
    words whatever it looks like, and so is everything if ``words``.
    """
    missing = dialect.is_missing(column.text)
    codes = set(column.text.take(~missing).present())
    if codes and codes <= set(labels):
        column = Column(
            column.places, column.header, column.text.replaced(lambda word: labels.get(word, word))
        )
        return _category(column, missing, known, problems)
    if words or known.is_category:
        return _category(column, missing, known, problems)
    values, bad = dialect.numbers(column.text)
    if (~missing).any() and bad.sum() < 0.5 * (~missing).sum():
        problems.add_cells(
            "not_a_number",
            column,
            bad,
            "a value is not a number, but most values of its column are.",
            number_remedy(dialect),
        )
        return pd.Series(values)
    return _words(column, missing)


def _words(column: Column, missing: NDArray[np.bool_]) -> "pd.Series[str]":
    words = column.text.spread()
    words[missing] = None
    return pd.Series(words, dtype=object)


def _category(
    column: Column, missing: NDArray[np.bool_], known: Covariate, problems: Problems
) -> "pd.Series[str]":
    """The words of a category; reports a reference that does not occur and words that the order does not name."""
    occurring = sorted(set(column.text.take(~missing).present()))
    if known.reference is not None and known.reference not in occurring:
        problems.add(
            "unknown_category",
            f"no value of {column.header!r} is the reference {known.reference!r}. {nearest(known.reference, occurring)}".strip(),
            "correct 'reference' in the study file.",
            file=column.places.files[0],
            column=column.header,
        )
    if known.order is not None:
        order = set(known.order)
        problems.add_cells(
            "unknown_category",
            column,
            ~missing & column.text.where(lambda word: word not in order),
            f"a value is not in the order of the categories ({', '.join(known.order)}).",
            "correct it, add it to 'order' in the study file, or list it under 'dialect: missing'.",
        )
    return _words(column, missing)


def as_declared(
    values: "pd.Series[float] | pd.Series[str]", known: Covariate
) -> "pd.Series[float] | pd.Series[str]":
    """``values`` as a categorical whose first category is the reference, where the study file says which that is."""
    if not known.is_category:
        return values
    present = sorted(set(values.dropna()))
    if known.order is not None:
        return pd.Series(pd.Categorical(values, categories=known.order, ordered=True), index=values.index)
    first = [known.reference] if known.reference in present else []
    categories = [*first, *(word for word in present if word not in first)]
    return pd.Series(pd.Categorical(values, categories=categories), index=values.index)


def mixed_findings(
    columns: Mapping[str, "pd.Series[float] | pd.Series[str]"],
    known: Mapping[str, Covariate],
    dialect: Dialect,
) -> tuple[Finding, ...]:
    """Covariates of words of which many are numbers: most likely numbers with remarks among them."""
    findings = []
    for name, values in columns.items():
        if known[name].is_category or pd.api.types.is_numeric_dtype(values):
            continue
        words = sorted(set(values.dropna()))
        numbers = [word for word in words if dialect.is_number(word)]
        if len(numbers) < len(words) and len(numbers) >= NOTABLE * len(words) and len(words) > 2:
            message = say(
                "{name} is read as a category, because some of its values are not numbers, such as "
                "{word}. If it should be a number, list these values under 'dialect: missing'.",
                name=repr(name),
                word=Private(repr(next(w for w in words if w not in numbers)), "a word"),
            )
            findings.append(Finding("covariate_of_words", "caution", message, name))
    return tuple(findings)


_BASELINE = (
    "changing_baseline",
    "a baseline column has more than one value for the same client.",
    "a baseline value is known before treatment and does not change. Correct it, or remove the "
    "column from 'baseline' (list what changes from session to session under 'covariates: "
    "session').",
)
TWO_ARMS = (
    "two_arms",
    "a client is in more than one treatment arm.",
    "correct it; if the client came back for another treatment, see 'episodes'.",
)
OF_THERAPIST = (
    "changing_covariate",
    "a covariate of therapists has more than one value for the same therapist.",
    "correct it, or name it under 'covariates: client' or 'covariates: session'.",
)


def one_per_client(
    owner: "pd.Series[str]",
    column: Column,
    values: "pd.Series[float] | pd.Series[str]",
    problems: Problems,
    *,
    twice: tuple[str, str, str] = _BASELINE,
) -> "pd.Series[float] | pd.Series[str]":
    """The value of each client (or therapist), indexed by ``owner``, from the values of a column with several rows each.

    Where the column is empty in some of an owner's rows, the others decide; two different values are reported, in the
    words ``twice``: rule, message, remedy.
    """
    given = pd.DataFrame({"owner": owner.array, "value": values.array}).dropna(subset="value")
    given = given[given["owner"] != ""]
    first = given.groupby("owner", observed=True)["value"].transform("first")
    differs = given["value"] != first
    bad = np.zeros(len(owner), dtype=bool)
    bad[given.index[differs]] = True
    rule, message, remedy = twice
    problems.add_cells(rule, column, bad, message, remedy)
    once = given.drop_duplicates("owner")
    return once.set_index(once["owner"].astype(object))["value"]
