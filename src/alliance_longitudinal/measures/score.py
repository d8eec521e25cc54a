"""From answered items to scores: reversal, unanswered items, subscales, total. Arrays in, arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.measures.instrument import Instrument, MissingRule

Entry = Literal["raw", "prescored"]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n forms.

    Attributes
    ----------
    total : float array, shape (n,)
        In the instrument's points; missing where the form cannot be scored.
    subscales : mapping of str to float array, shape (n,)
    unscored : bool array, shape (n,)
        Forms with at least one answer but too many unanswered items for a total.
    completed : bool array, shape (n,)
        Forms that have a total although items were unanswered.
    """

    total: Floats
    subscales: Mapping[str, Floats]
    unscored: Bools
    completed: Bools


def score(
    items: Floats, instrument: Instrument, *, entry: Entry = "raw", missing: MissingRule | None = None
) -> Scores:
    """Score ``n`` forms of ``instrument``.

    Parameters
    ----------
    items : float array, shape (n, n_items)
        Answers in item order; missing = unanswered. Not changed.
    entry : {"raw", "prescored"}
        ``prescored``: the values are already reversed, as on forms that print them so.
    missing : MissingRule, optional
        The study's own rule in place of the instrument's.

    Returns
    -------
    Scores
        A subscale is scored when all its items are answered, or were filled in by the rule
        ``subscale_mean_rounded``: rules for a total do not say what holds for its parts.

    Raises
    ------
    DataError
        If the number of columns or a value does not fit the instrument.
    StudyError
        If raw items have to be reversed and the key is not known.
    """
    _check(items, instrument)
    rule = missing or instrument.missing
    answered = ~np.isnan(items)
    n_missing = instrument.n_items - answered.sum(axis=1)
    scored = reverse(items, instrument) if entry == "raw" else items
    if rule.how == "subscale_mean_rounded":
        scored = _fill_by_subscale(scored, instrument, n_missing <= rule.allowed)
        usable = np.asarray(~np.isnan(scored).any(axis=1))
    else:
        usable = np.asarray(n_missing <= rule.allowed)
    subscales = {}
    for name, numbers in instrument.subscales.items():
        part = scored[:, np.array(numbers) - 1]
        subscales[name] = _combine(part, np.asarray(~np.isnan(part).any(axis=1)), instrument)
    return Scores(
        total=_combine(scored, usable, instrument),
        subscales=subscales,
        unscored=np.asarray(answered.any(axis=1) & ~usable),
        completed=usable & (n_missing > 0),
    )


def reverse(items: Floats, instrument: Instrument) -> Floats:
    """A copy of ``items``, shape (n, n_items), with the reversed ones as min + max - x."""
    if instrument.reverse is None:
        raise StudyError(
            f"{instrument.label}: which items are reversed is not known, so its items cannot be scored. Give "
            "totals, or add an instrument file with the key from the manual."
        )
    out = items.copy()
    columns = np.array(instrument.reverse, dtype=int) - 1
    out[:, columns] = instrument.response_min + instrument.response_max - out[:, columns]
    return out


def _combine(scored: Floats, usable: Bools, instrument: Instrument) -> Floats:
    """Sum or mean of the items of each usable form; what is unanswered counts as the mean of the answered."""
    answered = (~np.isnan(scored)).sum(axis=1)
    parts = {"sum": scored.shape[1], "mean": 1, "mean_x10": 10}[instrument.total_rule]
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.nansum(scored, axis=1) * (parts / answered)
    return np.where(usable, total, np.nan)


def _fill_by_subscale(scored: Floats, instrument: Instrument, may_fill: Bools) -> Floats:
    """Unanswered items as the rounded mean (halves up) of the answered ones of their subscale."""
    out = scored.copy()
    for numbers in instrument.subscales.values():
        columns = np.array(numbers) - 1
        part = scored[:, columns]
        answered = ~np.isnan(part)
        count = answered.sum(axis=1)
        means = np.where(answered, part, 0.0).sum(axis=1) / np.maximum(count, 1)
        fill = np.where(may_fill & (count > 0), np.floor(means + 0.5), np.nan)
        out[:, columns] = np.where(answered, part, fill[:, None])
    return out


def _check(items: Floats, instrument: Instrument) -> None:
    if items.ndim != 2 or items.shape[1] != instrument.n_items:
        raise DataError(
            f"{instrument.label} has {instrument.n_items} items; the answers have shape {items.shape}. "
            "Give one column an item, in item order."
        )
    low, high = instrument.response_min, instrument.response_max
    outside = int(np.sum((items < low) | (items > high)))
    if outside:
        raise DataError(
            f"{instrument.label}: {outside} answers are outside {low:g} to {high:g}. Another response format "
            "is another instrument; missing codes have to be declared."
        )
