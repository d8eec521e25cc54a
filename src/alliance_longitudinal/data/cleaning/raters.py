"""Several rows of one session, one for each person who rated it: which row counts for which measure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cleaning.contract import session_order
from alliance_longitudinal.data.study_file.measure import PlannedMeasure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Which of n rows belong to which of m sessions, sessions in order of client and number.

    Attributes
    ----------
    first : int array, shape (m,)
        A row of each session; the first one in the table.
    session : int array, shape (n,), or None
        Session of each row; None if each row is a session of its own.
    """

    first: NDArray[np.intp]
    session: NDArray[np.intp] | None


def rows_of_sessions(keys: pd.DataFrame) -> Rows:
    """The sessions among the rows of ``keys``; without a rater column, each row is one."""
    order = session_order(keys)
    if "rater" not in keys:
        return Rows(order, None)
    client = keys["client"].cat.codes.to_numpy()[order]
    number = keys["session"].to_numpy()[order]
    new = np.r_[True, (client[1:] != client[:-1]) | (number[1:] != number[:-1])][: len(keys)]
    session = np.empty(len(keys), dtype=np.intp)
    session[order] = np.cumsum(new) - 1
    return Rows(order[new], session)


def one_date_a_session(keys: pd.DataFrame) -> pd.DataFrame:
    """``keys`` with the date and week of a session filled in where only some of its rows have them."""
    codes = [keys["client"].cat.codes.to_numpy(), keys["session"].to_numpy()]
    filled = {
        name: keys[name].fillna(keys[name].groupby(codes).transform("first")) for name in ("day", "week")
    }
    return keys.assign(**filled)


def own_rows(keys: pd.DataFrame, plan: PlannedMeasure) -> NDArray[np.bool_] | None:
    """The rows that may hold a measure, shape (n,); None for all of them."""
    if plan.block.rows is None or "rater" not in keys:
        return None
    return np.asarray(keys["rater"].isin(plan.block.rows).to_numpy())


def check_raters(
    keys: pd.DataFrame,
    places: Places,
    answers: Mapping[str, Floats],
    planned: Mapping[str, PlannedMeasure],
    problems: Problems,
) -> None:
    """Report a rater who stands twice in a session, and several raters of a measure that is not to be averaged."""
    twice = keys.duplicated(["client", "session", "rater"]).to_numpy() & keys["session"].notna().to_numpy()
    problems.add_rows(
        "duplicate_rater",
        "the same rater has more than one row for a session.",
        "keep one row per client, session and rater.",
        places=places,
        at=np.flatnonzero(twice),
        column="rater",
        value=lambda _: "",
    )
    known = keys["session"].notna().to_numpy()
    for name, plan in planned.items():
        own = own_rows(keys, plan)
        filled = ~np.isnan(answers[name]).all(axis=1) & known & (True if own is None else own)
        if plan.block.rows is not None:
            _check_named(keys, plan, name, places, problems)
        if plan.block.average:
            continue
        rated = keys.loc[filled, ["client", "session"]]
        problems.add_rows(
            "several_raters",
            f"several rows of a session hold {name!r}, and the study file does not say which one to use.",
            f"write 'average: true' below {name!r} for the mean over raters such as observers, or "
            "name the rater whose rows to use under 'rows'.",
            places=places,
            at=rated.index[rated.duplicated()].to_numpy(),
            column="rater",
            value=lambda _: "",
        )


def _check_named(
    keys: pd.DataFrame, plan: PlannedMeasure, name: str, places: Places, problems: Problems
) -> None:
    absent = sorted(set(plan.block.rows or ()) - set(keys["rater"].cat.categories))
    if absent:
        problems.add(
            "missing_rater",
            f"no row is by the rater {absent[0]!r}, whom {name!r} names under 'rows'.",
            "correct 'rows' in the study file.",
            file=places.files[0],
        )


def over_raters(scores: pd.DataFrame, name: str, own: NDArray[np.bool_] | None, rows: Rows) -> pd.DataFrame:
    """Scores of m sessions from those of n rows: the mean over the session's rows that have one.

    ``<name>_raters`` counts the rows that the mean of ``name`` is over.
    """
    if rows.session is None:
        return scores.iloc[rows.first].reset_index(drop=True)
    m = len(rows.first)
    out = {}
    for column in scores:
        values = scores[column].to_numpy(dtype=float)
        use = ~np.isnan(values) if own is None else ~np.isnan(values) & own
        session, used = rows.session[use], values[use]
        order = np.lexsort((used, session))  # the same sum to the last digit, whatever the order of the rows
        total = np.bincount(session[order], weights=used[order], minlength=m)
        count = np.bincount(session, minlength=m)
        out[str(column)] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        if column == name:
            out[f"{name}_raters"] = count
    counts = out.pop(f"{name}_raters")
    return pd.DataFrame(out | {f"{name}_raters": counts})
