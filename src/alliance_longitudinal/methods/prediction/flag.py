"""Accuracy of a warning: who is flagged, and to whom the event happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.proportions import (
    Proportion,
    correlation_of_proportions,
    proportion,
)
from alliance_longitudinal.methods.basics.values import real, several
from alliance_longitudinal.methods.prediction.given import Given, expit, given, logit


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FlagAccuracy:
    """Accuracy of a warning.

    Attributes
    ----------
    table : DataFrame
        By ``term``: ``estimate, se, df, low, high, n``. Terms: ``sensitivity`` (flagged, of those with the event), ``specificity``
        (not flagged, of those without), ``ppv`` (with the event, of the flagged), ``npv`` (without, of those not flagged), and
        ``ppv_5``, ... at stated prevalences in percent. ``n`` is the whole of each share.
    n, events, flagged : int
        Persons, those with the event, and those who are flagged.
    """

    table: pd.DataFrame
    n: int
    events: int
    flagged: int

    def tidy(self) -> pd.DataFrame:
        """The table with ``term`` as a column."""
        return self.table.rename_axis("term").reset_index()

    def summary(self) -> str:
        """The accuracy as text."""
        head = (
            f"Accuracy of a warning: {self.flagged} of {self.n} persons flagged, {self.events} with the event"
        )
        return Text(f"{head}\n\n{self.table.to_string(float_format=lambda v: f'{v:.4g}')}")

    def __repr__(self) -> str:
        return f"<FlagAccuracy: {self.n} persons; use .table>"


def flag_accuracy(
    event: Any, flag: Any, *, cluster: Any = None, prevalence: Sequence[float] = (0.05, 0.10)
) -> FlagAccuracy:
    """Accuracy of a warning about an event.

    Proportions have Wilson intervals; where persons share clusters, these use the effective sample size (Dean &
    Pagano 2015). The predictive value depends on how frequent the event is: at a prevalence ``q`` it is
    ``1 / (1 + (1 - q) / q * (1 - specificity) / sensitivity)`` (Bayes). The interval is computed on the logit
    scale, by the delta method for the logarithm of the likelihood ratio (Mercaldo, Lau & Zhou 2007,
    doi 10.1002/sim.2677), with cluster-robust standard errors.

    Parameters
    ----------
    event, flag : array, shape (n,)
        0 or 1.
    cluster : array, shape (n,), optional
        Cluster of each person, such as the therapist.
    prevalence : sequence of float
        Shares of persons with the event at which the positive predictive value is given.

    Raises
    ------
    DataError
        If values are invalid, or the event happened to everyone or to no one.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> event = [1] * 10 + [0] * 90
    >>> flag = [1] * 6 + [0] * 4 + [1] * 9 + [0] * 81
    >>> methods.flag_accuracy(event, flag).table["estimate"].round(3).to_dict()
    {'sensitivity': 0.6, 'specificity': 0.9, 'ppv': 0.4, 'npv': 0.953, 'ppv_5': 0.24, 'ppv_10': 0.4}
    """
    who = given(event, cluster)
    values = np.asarray(flag, dtype=float)
    if values.shape != who.event.shape or not np.isin(values, (0.0, 1.0)).all():
        raise DataError("flag needs 0 or 1 for each person.")
    on = values == 1
    shares = {
        "sensitivity": _share(on, who.event, who),
        "specificity": _share(~on, ~who.event, who),
        "ppv": _share(who.event, on, who),
        "npv": _share(~who.event, ~on, who),
    }
    rows = {name: _row(share) for name, share in shares.items() if share is not None}
    for q in several(prevalence):
        q = real("prevalence", q, "shares between 0 and 1, such as 0.05", above=0, below=1)
        rows[f"ppv_{100 * q:g}"] = _at(q, shares["sensitivity"], shares["specificity"], on, who)
    table = pd.DataFrame.from_dict(rows, orient="index")
    return FlagAccuracy(
        table.astype({"n": int}).rename_axis("term"), len(on), int(who.event.sum()), int(on.sum())
    )


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_], who: Given) -> Proportion | None:
    """Share of ``hits`` in ``among``; None of nobody."""
    if not among.any():
        return None
    codes = who.cluster[among].astype(object) if who.clustered else None
    return proportion(hits[among], codes)


def _row(p: Proportion) -> dict[str, float]:
    return {"estimate": p.estimate, "se": p.se, "df": p.df, "low": p.low, "high": p.high, "n": p.n}


def _at(
    q: float,
    sensitivity: Proportion | None,
    specificity: Proportion | None,
    on: NDArray[np.bool_],
    who: Given,
) -> dict[str, float]:
    """Predictive value at a prevalence; without an interval where nobody, or everybody, of a kind is flagged."""
    assert sensitivity is not None  # persons of both kinds are there: `given` has looked
    assert specificity is not None
    right, wrong = sensitivity.estimate, 1 - specificity.estimate
    row = dict.fromkeys(("estimate", "se", "df", "low", "high"), np.nan) | {"n": len(on)}
    if right + wrong == 0:
        return row
    row["estimate"] = q * right / (q * right + (1 - q) * wrong)
    if right == 0 or wrong == 0:
        return row
    r = 0.0
    if who.clustered:
        codes = who.cluster.astype(object)
        r = correlation_of_proportions((on[who.event], codes[who.event]), (on[~who.event], codes[~who.event]))
    # As in the intervals of the shares, clusters that are alike by chance do not make the error smaller.
    errors = [
        float(np.sqrt(p.estimate * (1 - p.estimate) / p.n_effective)) / part
        for p, part in ((sensitivity, right), (specificity, wrong))
    ]
    se = float(np.sqrt(max(errors[0] ** 2 + errors[1] ** 2 - 2 * r * errors[0] * errors[1], 0.0)))
    df = min(sensitivity.df, specificity.df)
    half = float(distributions.t.ppf(0.975, df)) * se
    middle = float(logit(row["estimate"]))
    scale = row["estimate"] * (1 - row["estimate"])
    return row | {
        "se": se * scale,
        "df": df,
        "low": float(expit(middle - half)),
        "high": float(expit(middle + half)),
    }
