"""From answered items to scores: reversal, unanswered items, subscales, total. Arrays in, arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.measures.instrument import TOTAL, Instrument, MissingRule

Entry = Literal["raw", "prescored"]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Forms scored at a time: few enough for the processor's cache, so that a million forms need little memory.
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n forms.

    Attributes
    ----------
    total : float array, shape (n,)
        In the instrument's points; missing where the form cannot be scored, and everywhere where the
        instrument has no total.
    subscales : mapping of str to float array, shape (n,)
        Subscales and scales derived of them.
    unscored : bool array, shape (n,)
        Forms with at least one answer but too many unanswered items for a total; without a total, for every
        subscale.
    completed : bool array, shape (n,)
        Forms that have a total (without one, a subscale) although items were unanswered.
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
        A subscale is scored when all its items are answered, when the rule allows it as many unanswered
        ones, or when they were filled in by the rule ``subscale_mean_rounded``: rules for a total do not
        say what holds for its parts.

    Raises
    ------
    DataError
        If the number of columns or a value does not fit the instrument.
    StudyError
        If something that scoring needs is not known, such as which items are reversed.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal.measures import find_instrument, score
    >>> answers = np.array([[0, 1, 2, 3, 0, 1, 2, 3, 0.0], [1, 1, 1, 1, 1, 1, 1, np.nan, np.nan]])
    >>> score(answers, find_instrument("phq_9")).total  # two unanswered items count as the mean of the others
    array([12.,  9.])
    """
    reason = why_not_from_items(instrument)
    if reason:
        raise StudyError(reason)
    _check_shape(items, instrument)
    _check_range(items, instrument, entry)
    rule = missing or instrument.missing
    starts = range(0, max(len(items), 1), BLOCK)
    blocks = [_score_block(items[start : start + BLOCK], instrument, entry, rule) for start in starts]
    return Scores(
        total=np.concatenate([b.total for b in blocks]),
        subscales={name: np.concatenate([b.subscales[name] for b in blocks]) for name in blocks[0].subscales},
        unscored=np.concatenate([b.unscored for b in blocks]),
        completed=np.concatenate([b.completed for b in blocks]),
    )


def why_not_from_items(instrument: Instrument) -> str:
    """Why the items of ``instrument`` cannot be scored, as a sentence; empty if they can.

    Of an incomplete instrument, not even items that are already reversed are scored.
    """
    recode = instrument.recode
    gaps = {
        "how many items it has is not known": instrument.n_items is None,
        "the range of its answers is not known": instrument.response_min is None,
        "which items are reversed is not known": instrument.reverse is None,
        "which items are coded otherwise is not known": recode is not None and recode.items is None,
        "how its items make a total is not known": instrument.total_rule == "unknown",
        "which items make its subscales is not known": instrument.status == "incomplete"
        and bool(instrument.unlisted_subscales),
    }
    open_facts = [words for words, is_open in gaps.items() if is_open]
    if not open_facts:
        return ""
    return (
        f"{instrument.label}: {'; '.join(open_facts)}, so its items cannot be scored. Give totals, or add an "
        "instrument file with the key from the manual."
    )


def reverse(items: Floats, instrument: Instrument) -> Floats:
    """Items of shape (n, n_items) as they count: the reversed as min + max - x, the recoded in their points.

    A copy; ``items`` is not changed.
    """
    if instrument.reverse is None:
        raise StudyError(why_not_from_items(instrument))
    rows = items.T.copy()
    _count(rows, instrument)
    return rows.T


def outside_range(values: Floats, instrument: Instrument, item: int, *, entry: Entry = "raw") -> Bools:
    """Which answers to item number ``item``, shape (n,), are none that the form offers; missing is fine."""
    known = instrument.item_range(item, prescored=entry == "prescored")
    if known is None:
        return np.zeros(len(values), dtype=bool)
    outside = (values < known[0]) | (values > known[1])
    return np.asarray(outside | (values == 0) if instrument.no_zero else outside)


def _count(rows: Floats, instrument: Instrument) -> None:
    """Put what an answer counts in its place; ``rows``, shape (n_items, n), is changed."""
    for number in instrument.reverse or ():
        low, high = instrument.item_range(number) or (np.nan, np.nan)
        np.subtract(low + high, rows[number - 1], out=rows[number - 1])
    recode = instrument.recode
    if recode and instrument.response_min is not None:
        options = instrument.response_min + np.arange(len(recode.points))
        for number in recode.items or ():
            rows[number - 1] = np.interp(rows[number - 1], options, recode.points)


def _score_block(items: Floats, instrument: Instrument, entry: Entry, rule: MissingRule) -> Scores:
    rows = np.array(items.T, order="C")  # one row an item: contiguous, several times as fast
    if entry == "raw":
        _count(rows, instrument)
    n_open = np.isnan(rows).sum(axis=0)
    within = np.asarray(n_open <= rule.allowed)
    if rule.how == "subscale_mean_rounded" and n_open.any():
        _fill_by_subscale(rows, instrument, within)
    open_items = np.isnan(rows)
    rows[open_items] = 0.0
    subscales = {
        name: _scale(rows, open_items, instrument, rule, name, within)
        for name in (*instrument.subscales, *instrument.derived)
        if name not in instrument.derived or TOTAL not in instrument.derived[name].of
    }
    if instrument.total_rule == "none":
        total = np.full(len(items), np.nan)
        usable = np.asarray(~np.isnan([*subscales.values()]).all(axis=0))
    else:
        filled = rule.how == "subscale_mean_rounded"
        usable = np.asarray(~open_items.any(axis=0)) if filled else within
        total = _combine(rows, open_items, usable, instrument.total_rule)
    for name, derived in instrument.derived.items():
        if TOTAL in derived.of:
            subscales[name] = total * derived.times
    answered = n_open < len(rows)
    return Scores(total, subscales, answered & ~usable, usable & (n_open > 0))


def _scale(
    rows: Floats, open_items: Bools, instrument: Instrument, rule: MissingRule, name: str, within: Bools
) -> Floats:
    """One subscale, or one derived of subscales, for each form."""
    derived = instrument.derived.get(name)
    parts = derived.of if derived else (name,)
    own = np.array([item for part in parts for item in instrument.subscales[part]]) - 1
    blank = open_items[own]
    usable = blank.sum(axis=0) <= rule.allowed_in(name)
    if rule.whole_form:
        usable &= within
    values = _combine(rows[own], blank, usable, instrument.subscale_rule or instrument.total_rule)
    return values * derived.times if derived else values


def _combine(rows: Floats, open_items: Bools, usable: Bools, rule: str) -> Floats:
    """Sum or mean of the items (rows) of each usable form; an open item (0) counts as the mean of the others."""
    n_items = len(rows)
    answered = n_items - open_items.sum(axis=0)
    parts = {"sum": n_items, "sum_x2": 2 * n_items, "mean": 1, "mean_x10": 10}[rule]
    return np.where(usable, rows.sum(axis=0) * (parts / np.maximum(answered, 1)), np.nan)


def _fill_by_subscale(rows: Floats, instrument: Instrument, may_fill: Bools) -> None:
    """Unanswered items as the rounded mean (halves up) of the answered ones of their subscale, in ``rows``."""
    for numbers in instrument.subscales.values():
        own = np.array(numbers) - 1
        part = rows[own]
        answered = ~np.isnan(part)
        count = answered.sum(axis=0)
        means = np.where(answered, part, 0.0).sum(axis=0) / np.maximum(count, 1)
        fill = np.where(may_fill & (count > 0), np.floor(means + 0.5), np.nan)
        rows[own] = np.where(answered, part, fill)


def _check_shape(items: Floats, instrument: Instrument) -> None:
    if items.ndim != 2 or items.shape[1] != instrument.n_items:
        raise DataError(
            f"{instrument.label} has {instrument.n_items} items; the answers have shape {items.shape}. "
            "Give one column an item, in item order."
        )


def _check_range(items: Floats, instrument: Instrument, entry: Entry) -> None:
    numbers = range(1, items.shape[1] + 1)
    ranges = [instrument.item_range(n, prescored=entry == "prescored") for n in numbers]
    low, high = np.array([known or (-np.inf, np.inf) for known in ranges]).T
    outside = 0
    for start in range(0, len(items), BLOCK):
        block = items[start : start + BLOCK]
        beyond = (block < low) | (block > high)
        outside += int(np.sum(beyond | (block == 0) if instrument.no_zero else beyond))
    if outside:
        raise DataError(
            f"{instrument.label}: {outside} answers are outside {range_in_words(instrument)}. A "
            "form with other response options needs an instrument file of its own; list codes for "
            "missing values under 'dialect: missing'."
        )


def range_in_words(instrument: Instrument) -> str:
    """The response range for people, such as ``0 to 4 (items 4, 5: 0 to 2)``."""
    if instrument.response_min is None or instrument.response_max is None:
        return "unknown"
    words = f"{instrument.response_min:g} to {instrument.response_max:g}"
    words += " without 0" if instrument.no_zero else ""
    others = [
        f"items {', '.join(map(str, other.items))}: {other.min:g} to {other.max:g}"
        for other in instrument.other_ranges
    ]
    return f"{words} ({'; '.join(others)})" if others else words
