"""The share that has ended in each way by a time, where an end of one kind rules out the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Text, check_alpha
from alliance_longitudinal.methods.basics.frames import Codes, Floats, check_columns, groups, numbers


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CumulativeIncidence:
    """Cumulative incidence of each kind of end.

    Attributes
    ----------
    table : DataFrame
        One row per group, kind of end and time at which somebody ended: ``group`` (if there is one), ``event, time, at_risk,
        events, estimate, se, lower, upper``.
    events : tuple of str
        Kinds of end, sorted.
    """

    table: pd.DataFrame
    events: tuple[str, ...]

    def at(self, time: float) -> pd.DataFrame:
        """The rows of each group and kind that hold at a time: those of the last time up to it; 0 before the first."""
        by = [name for name in ("group", "event") if name in self.table]
        known = self.table[self.table["time"] <= time].groupby(by, sort=False, observed=True).tail(1)
        every = self.table.drop_duplicates(by)[by]
        out = every.merge(known, on=by, how="left")
        zeros = dict.fromkeys(("events", "estimate", "se", "lower", "upper"), 0.0)
        return out.fillna(zeros).assign(time=float(time))

    def summary(self) -> str:
        """The table as text."""
        return Text(
            "Cumulative incidence (Aalen and Johansen)\n\n"
            + self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")
        )

    def __repr__(self) -> str:
        return f"<CumulativeIncidence: {', '.join(self.events)}; use .summary()>"


def cumulative_incidence(
    frame: pd.DataFrame,
    time: str,
    event: str,
    group: str | None = None,
    cluster: str | None = None,
    alpha: float = 0.05,
    few: bool = False,
) -> CumulativeIncidence:
    """Share of people who have ended in each way by each time (Aalen & Johansen 1978).

    ``F_k(t) = sum over s <= t of S(s-) d_k(s) / n(s)``: the share still there just before ``s``, times the
    share that then ends in way k. The Kaplan-Meier estimate for one way, with the others taken as censored, is
    too high. The standard error is the infinitesimal jackknife, ``sqrt(sum_i (dF / dw_i)^2)`` over people or
    clusters of them, as in R's survival. Limits are computed on the log(-log) scale.

    Parameters
    ----------
    frame : DataFrame
        One row per person. Not changed.
    time : str
        Time of the end, or the last time at which the person is known to have been there.
    event : str
        How it ended: a word for each way, missing for people who had not ended.
    group : str, optional
        Column of groups; each of its values gets separate curves. Persons without a value are left out.
    cluster : str, optional
        Column of clusters, such as therapists. Standard errors then allow for what people in a cluster share.
        If everyone is in one cluster, the data do not show how clusters differ, and standard errors are those
        of independent people.
    alpha : float
        Error level of the limits.
    few : bool
        Errors and limits that are valid with few clusters ``G``: errors times ``sqrt(G / (G - 1))``, and limits by the t
        distribution with ``G - 1`` degrees of freedom (as in regressions, Cameron & Miller 2015, doi
        10.3368/jhr.50.2.317). Without it limits of 8 clusters cover about 88 instead of 95 %.

    Raises
    ------
    DataError
        If a column does not exist, a time is missing or below 0, or nobody has ended.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> ends = pd.DataFrame({"sessions": [2, 3, 3, 5, 8, 8], "end": ["left", "left", None, "planned", "planned", None]})
    >>> found = methods.cumulative_incidence(ends, "sessions", "end")
    >>> found.at(5)[["event", "at_risk", "estimate"]].round(3).to_numpy().tolist()
    [['left', 3, 0.333], ['planned', 3, 0.222]]
    """
    check_alpha(alpha)
    check_columns(frame, [time, event, *(name for name in (group, cluster) if name is not None)])
    at = numbers(frame, time, missing=False)
    if (at < 0).any():
        raise DataError(f"Column {time!r} holds {at[at < 0][0]:g}. Times are 0 or more.")
    words = (
        frame[event].astype(object).map(lambda w: w.strip() or None if isinstance(w, str) else w).to_numpy()
    )
    ended = ~pd.isna(words)
    if not ended.any():
        raise DataError(f"Column {event!r} has no end of any kind; nothing can be cumulated.")
    kinds = sorted({str(word) for word in words[ended]})
    kind = np.array(
        [kinds.index(str(word)) if there else -1 for word, there in zip(words, ended, strict=True)]
    )
    clusters = np.arange(len(frame)) if cluster is None else groups(frame, cluster)[0]
    tables = []
    for value, rows in _members(frame, group):
        own = clusters[rows] if len(np.unique(clusters[rows])) > 1 else np.arange(int(rows.sum()))
        table = _curves(at[rows], kind[rows], own, kinds, alpha, few)
        tables.append(table if group is None else table.assign(group=value)[["group", *table.columns]])
    return CumulativeIncidence(pd.concat(tables, ignore_index=True), tuple(kinds))


def _members(frame: pd.DataFrame, group: str | None) -> "list[tuple[Any, np.ndarray]]":
    """Values of the group and their rows, in order of the values."""
    if group is None:
        return [(None, np.ones(len(frame), dtype=bool))]
    values = frame[group].astype(object).map(lambda v: v.strip() or None if isinstance(v, str) else v)
    known = values.notna().to_numpy()
    if not known.any():
        raise DataError(f"Column {group!r} is missing in every row. Leave group out.")
    found = list(values[known].unique())
    if isinstance(frame[group].dtype, pd.CategoricalDtype):
        order = [value for value in frame[group].cat.categories if value in found]
        order += [value for value in found if value not in order]
    else:  # numbers before words, each in their own order
        order = sorted(found, key=lambda v: (isinstance(v, str), v))
    codes = pd.Categorical(values, categories=order).codes
    return [(value, codes == code) for code, value in enumerate(order)]


def _curves(
    at: Floats, kind: Codes, clusters: Codes, kinds: list[str], alpha: float, few: bool
) -> pd.DataFrame:
    """Curves of one group; people with the same time and end share an influence, so that few are computed."""
    times = np.unique(at[kind >= 0]) if (kind >= 0).any() else np.array([at.max()])
    ways = len(kinds)
    cells, of = np.unique(np.column_stack([at, kind]), axis=0, return_inverse=True)
    of = of.ravel()
    size = np.bincount(of).astype(float)
    there = cells[:, 0][:, None] >= times  # (cells, T): at risk
    ends = (cells[:, 0][:, None] == times)[:, :, None] & (
        cells[:, 1].astype(int)[:, None] == np.arange(ways)
    )[:, None, :]
    risk, counts = size @ there, np.einsum("c,ctk->tk", size, ends)
    hazard = counts / risk[:, None]
    survival, moved = 1.0, np.zeros(len(cells))
    curve, slope = np.zeros(ways), np.zeros((len(cells), ways))
    estimates, errors = np.empty((len(times), ways)), np.empty((len(times), ways))
    for t in range(len(times)):
        change = (ends[:, t] - there[:, t, None] * hazard[t]) / risk[
            t
        ]  # of the hazards, by a person's weight
        slope = slope + moved[:, None] * hazard[t] + survival * change
        curve = curve + survival * hazard[t]
        moved = moved * (1 - hazard[t].sum()) - survival * change.sum(axis=1)
        survival *= 1 - hazard[t].sum()
        by_cluster = np.column_stack([np.bincount(clusters, slope[of, k]) for k in range(ways)])
        estimates[t], errors[t] = curve, np.sqrt(np.sum(by_cluster**2, axis=0))
    n = len(np.unique(clusters))
    if few:
        errors *= np.sqrt(n / (n - 1))
    low, high = _limits(estimates, errors, alpha, n - 1 if few else np.inf)
    return pd.DataFrame(
        {
            "event": np.repeat(kinds, len(times)),
            "time": np.tile(times, ways),
            "at_risk": np.tile(risk.astype(int), ways),
            "events": counts.T.ravel().astype(int),
            "estimate": estimates.T.ravel(),
            "se": errors.T.ravel(),
            "lower": low.T.ravel(),
            "upper": high.T.ravel(),
        }
    )


def _limits(estimates: Floats, errors: Floats, alpha: float, df: float) -> tuple[Floats, Floats]:
    """Limits on the scale of ``log(-log(F))``; at 0 and 1 there are none but the estimate."""
    inside = (estimates > 0) & (estimates < 1)
    safe = np.where(inside, estimates, 0.5)
    z = float(distributions.t.ppf(1 - alpha / 2, df))
    width = np.exp(z * errors / (safe * np.abs(np.log(safe))))
    return np.where(inside, safe**width, estimates), np.where(inside, safe ** (1 / width), estimates)
