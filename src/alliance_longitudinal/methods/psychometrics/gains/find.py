"""Sudden gains and losses of each client from plain scores: the same function for a study, a script and a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.psychometrics.gains.events import (
    Intervals,
    Rules,
    Stability,
    around,
    intervals,
    ordered_scores,
    reversed_later,
    sudden,
)


def find_sudden_gains(
    scores: pd.DataFrame,
    points: float,
    *,
    share: float | None = 0.25,
    stability: Stability = "adjusted",
    alpha: float = 0.05,
    higher_is_better: bool = False,
    client: str = "client",
    session: str = "session",
    score: str = "score",
) -> pd.DataFrame:
    """Sudden gains and losses of each client, from a frame of scores.

    Parameters
    ----------
    scores : DataFrame
        One row per client and session, with columns ``client``, ``session`` (whole numbers; a session without a row counts as
        missing) and ``score``. Not changed.
    points : float
        Criterion 1: 7 points for the BDI (Tang & DeRubeis 1999), or the number of points that counts as
        reliable change.
    share : float, optional
        Criterion 2; None leaves it out.
    stability : {"adjusted", "fixed", "t-test", "none"}
        Criterion 3, see ``Rules``.
    alpha : float
        Significance level of criterion 3.
    higher_is_better : bool
        Whether a gain is a rise in the score.

    Returns
    -------
    DataFrame
        One row per pair of consecutive sessions with a score at both: ``client``, ``session`` (N), ``before``, ``after``,
        ``testable``, ``gain``, ``loss``, ``reversed``: whether more than half of a gain or loss was undone at any later session.

    Raises
    ------
    DataError
        If columns are missing, sessions occur twice or are not whole numbers, or a rule is invalid.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> scores = pd.DataFrame({"client": "a", "session": range(1, 7), "score": [25.0, 24.0, 25.0, 12.0, 11.0, 12.0]})
    >>> found = methods.find_sudden_gains(scores, points=7)
    >>> found.loc[found["gain"], ["session", "before", "after"]].to_numpy().tolist()
    [[3.0, 25.0, 12.0]]
    """
    rules = Rules(float(points), share, stability, alpha)
    check_rules(rules)
    ordered = ordered_scores(scores, client, session, score)
    found = intervals(ordered)
    out = pd.DataFrame(
        {
            "client": ordered["client"].to_numpy()[found.row],
            "session": ordered["session"].to_numpy()[found.row],
            "before": ordered["score"].to_numpy()[found.row],
            "after": ordered["score"].to_numpy()[found.rows[:, 3]],
            "testable": found.testable,
        }
    )
    return out.assign(**marks(ordered, found, rules, higher_is_better))


def marks(ordered: pd.DataFrame, found: Intervals, rules: Rules, higher_is_better: bool) -> dict[str, Any]:
    """``gain``, ``loss`` and ``reversed`` of each interval."""
    seen = around(found.values(ordered["score"].to_numpy(float)))
    out: dict[str, Any] = {}
    back = np.zeros(len(found.row), dtype=bool)
    for name, fall in (("gain", not higher_is_better), ("loss", higher_is_better)):
        out[name] = sudden(seen, rules, fall)
        back |= out[name] & reversed_later(ordered, found, fall)[0]
    return out | {"reversed": back}


def check_rules(rules: Rules) -> None:
    """Refuse rules that cannot be meant.

    Raises
    ------
    DataError
        Saying which.
    """
    known: Sequence[str] = ("adjusted", "fixed", "t-test", "none")
    if rules.stability not in known:
        raise DataError(f"stability is {rules.stability!r}; it is one of {', '.join(known)}.")
    if not rules.points > 0:
        raise DataError(f"points is {rules.points:g}; a sudden change needs more than 0 points.")
    if rules.share is not None and not 0 < rules.share < 1:
        raise DataError(f"share is {rules.share:g}; it lies between 0 and 1, such as 0.25 for a quarter.")
    if not 0 < rules.alpha < 1:
        raise DataError(f"alpha is {rules.alpha:g}; it lies between 0 and 1, such as 0.05.")
