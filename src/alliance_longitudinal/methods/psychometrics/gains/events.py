"""Sudden gains and losses: which changes from one session to the next are large and last (Tang & DeRubeis 1999).

For the sessions N and N + 1 of one client, with up to three scores on each side (N - 2 to N, N + 1 to N + 3):

1. the score changes by at least so many points from N to N + 1;
2. it changes by at least so large a share of the score at N (a quarter);
3. the means of both sides differ by more than ``t SD``, SD the pooled standard deviation of the two sides,
   ``SD^2 = ((n1 - 1) s1^2 + (n2 - 1) s2^2) / (n1 + n2 - 2)``, and t the two-sided critical value of Student's t with
   n1 + n2 - 2 degrees of freedom: 2.776 with three scores on both sides, 3.182 with one missing, 4.303 with two.

Criterion 3 is no t-test, which would have ``t SD sqrt(1/n1 + 1/n2)`` and find more. An interval can be tested where both
scores are there and at least two on each side; the first is therefore from session 2 to 3. A gain is a change for the
better, a loss its mirror image. Wiedemann et al. (2020; suddengains 0.7.2) apply the same rules to gains; for losses their
criterion 2 holds always, while here it asks for a rise by a quarter.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count, Private
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.sentences import say

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Stability = Literal["adjusted", "fixed", "t-test", "none"]

#: Sessions around the change, counted from N; the first three are before it.
AROUND = (-2, -1, 0, 1, 2, 3)
#: Differences of one-decimal scores are not exact in binary: a change of exactly the points counts.
_SLACK = 1e-9
#: The two-sided 5 % value that reliable-change points are usually computed with.
RCI_Z = 1.96


@dataclass(frozen=True, slots=True)
class Rules:
    """The three criteria.

    Attributes
    ----------
    points : float
        Criterion 1.
    share : float or None
        Criterion 2, of the score before the change; None leaves it out.
    stability : {"adjusted", "fixed", "t-test", "none"}
        Criterion 3: the critical value adjusted for missing scores; that of three scores on both sides wherever; a two-sample
        t-test in its place; or none.
    alpha : float
        Two-sided level of the critical value.
    """

    points: float
    share: float | None = 0.25
    stability: Stability = "adjusted"
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Intervals:
    """All pairs of consecutive sessions N and N + 1 of a client with a score at both.

    Attributes
    ----------
    row : int array, shape (n,)
        Row of session N in the scores, which are in order of client and session.
    rows : int array, shape (n, 6)
        Rows of the sessions ``AROUND``; -1 where there is no score.
    testable : bool array, shape (n,)
        Whether each side has at least two scores.
    """

    row: Ints
    rows: Ints
    testable: Bools

    def values(self, scores: Floats) -> Floats:
        """Scores around each change, shape (n, 6), from all scores in the order of the rows; missing where none."""
        return np.append(scores, np.nan)[self.rows]


@dataclass(frozen=True, slots=True)
class Around:
    """What the criteria of a sudden gain use; arrays of shape (n,).

    Attributes
    ----------
    before, change : float array
        Score at session N, and how far it falls to N + 1.
    apart, spread : float array
        Difference of the two sides' means (before less after), and their pooled standard deviation.
    n_before, n_after : int array
        Scores on each side.
    """

    before: Floats
    change: Floats
    apart: Floats
    spread: Floats
    n_before: Ints
    n_after: Ints


def rci_points(sd: float, reliability: float) -> float:
    """Points of reliable change by Jacobson and Truax (1991), ``1.96 SD sqrt(2 (1 - r))``, for criterion 1."""
    return RCI_Z * sd * float(np.sqrt(2 * (1 - reliability)))


def ordered_scores(
    frame: pd.DataFrame, client: str = "client", session: str = "session", score: str = "score"
) -> pd.DataFrame:
    """The scores that are there, as ``client, session, score`` in order of client and session.

    Raises
    ------
    DataError
        If a session number is no whole number, or stands twice for a client.
    """
    missing = [name for name in (client, session, score) if name not in frame]
    if missing:
        raise DataError(
            f"Sudden gains need the columns {client}, {session}, {score}; there is no {', '.join(missing)}."
        )
    known = pd.DataFrame({"client": frame[client], "session": frame[session], "score": frame[score]}).dropna()
    numbers, scores = known["session"].to_numpy(float), known["score"].to_numpy(float)
    if not (
        np.isfinite(numbers).all() and np.isfinite(scores).all() and (numbers == np.round(numbers)).all()
    ):
        raise DataError(
            "Sudden gains need whole session numbers and finite scores, for they compare a session with the next one."
        )
    known = known.assign(session=numbers.astype(np.int64), score=scores)
    twice = known.duplicated(["client", "session"])
    if twice.any():
        first = known[twice].iloc[0]
        raise DataError(
            say(
                "{n:noun} {n:belongs|belong} to a session that already has a score, such as session {session} of client {id}. Keep one "
                "score per session.",
                n=Count(int(twice.sum()), "score"),
                session=f"{first['session']}",
                id=Private(str(first["client"]), "(not shown)"),
            )
        )
    return known.sort_values(["client", "session"], kind="stable", ignore_index=True)


def intervals(ordered: pd.DataFrame) -> Intervals:
    """Every pair of consecutive sessions, and where the scores around it are. Input as ``ordered_scores`` gives it."""
    codes = pd.factorize(ordered["client"])[0].astype(np.int64)
    sessions = ordered["session"].to_numpy(np.int64)
    rows = np.full((len(ordered), len(AROUND)), -1, dtype=np.int64)
    position = np.arange(len(ordered))
    for column, offset in enumerate(AROUND):
        for step in range(abs(offset) + 1):  # session N + k lies at most k rows on, for each has one row
            other = position + (step if offset >= 0 else -step)
            inside = np.flatnonzero((other >= 0) & (other < len(ordered)))
            at = other[inside]
            same = (codes[at] == codes[inside]) & (sessions[at] == sessions[inside] + offset)
            rows[inside[same], column] = at[same]
    pair = rows[:, 3] >= 0
    rows = rows[pair]
    enough = ((rows[:, :3] >= 0).sum(axis=1) >= 2) & ((rows[:, 3:] >= 0).sum(axis=1) >= 2)
    return Intervals(position[pair], rows, enough)


def around(values: Floats) -> Around:
    """What the criteria look at, from the scores around each change as ``Intervals.values`` gives them."""
    there = ~np.isnan(values)
    filled = np.where(there, values, 0.0)
    means, squares, counts = [], [], []
    for side in (slice(0, 3), slice(3, 6)):
        n = there[:, side].sum(axis=1)
        mean = filled[:, side].sum(axis=1) / np.maximum(n, 1)
        squares.append((np.where(there[:, side], filled[:, side] - mean[:, None], 0.0) ** 2).sum(axis=1))
        means.append(mean)
        counts.append(n)
    df = counts[0] + counts[1] - 2
    return Around(
        before=values[:, 2],
        change=values[:, 2] - values[:, 3],
        apart=means[0] - means[1],
        spread=np.sqrt((squares[0] + squares[1]) / np.maximum(df, 1)),
        n_before=counts[0],
        n_after=counts[1],
    )


def sudden(found: Around, rules: Rules, fall: bool) -> Bools:
    """Which changes are sudden: enough scores on both sides, and all criteria met.

    Parameters
    ----------
    fall : bool
        Whether falls are looked for, else rises.

    Returns
    -------
    bool array, shape (n,)
    """
    sign = 1.0 if fall else -1.0
    out = (found.n_before >= 2) & (found.n_after >= 2) & (sign * found.change >= rules.points - _SLACK)
    if rules.share is not None:
        out &= sign * found.change >= rules.share * np.abs(found.before) - _SLACK
    if rules.stability == "none":
        return np.asarray(out)
    df = np.clip(found.n_before + found.n_after - 2, 1, 4)
    critical = np.array(_critical(rules.alpha))[df - 1 if rules.stability != "fixed" else 3]
    if rules.stability == "t-test":
        critical = critical * np.sqrt(1 / np.maximum(found.n_before, 1) + 1 / np.maximum(found.n_after, 1))
    return np.asarray(out & (sign * found.apart > critical * found.spread))


@cache
def _critical(alpha: float) -> tuple[float, ...]:
    """Two-sided critical values of Student's t with 1, 2, 3 and 4 degrees of freedom."""
    from alliance_longitudinal.engine import distributions as stats

    return tuple(stats.t.ppf(1 - alpha / 2, [1, 2, 3, 4]).tolist())


def reversed_later(ordered: pd.DataFrame, found: Intervals, fall: bool) -> tuple[Bools, Bools]:
    """Whether more than half of a change was lost at any later session, and whether there is a later score; shapes (n,).

    Later than N + 1, to the client's last score (Tang & DeRubeis 1999).
    """
    sign = 1.0 if fall else -1.0
    scores = sign * ordered["score"].to_numpy(float)
    codes = pd.factorize(ordered["client"])[0]
    worst = pd.Series(scores[::-1]).groupby(codes[::-1]).cummax().to_numpy()[::-1]
    after = found.rows[:, 3]
    following = after + 1
    last = np.minimum(following, len(ordered) - 1)
    exists = (following < len(ordered)) & (codes[last] == codes[after])
    size = scores[found.row] - scores[after]
    lost = exists & (worst[last] > scores[after] + size / 2 + _SLACK)
    return np.asarray(lost), np.asarray(exists)
