"""Estimates for outsiders: those that rest on few people, and shares that stand for a few of many, lose their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.disclosure.cells import complement, small
from alliance_longitudinal.present.labels import interval, number

#: How the unit of an estimate begins that is the share of people or rows in a category.
SHARE = "share of "
_NUMBERS = ["estimate", "se", "df", "ci_low", "ci_high", "p"]


@dataclass(frozen=True, slots=True)
class SafeEstimates:
    """What may be shown, what was hidden, and how the hidden numbers look in a sentence.

    Attributes
    ----------
    frame : DataFrame
    hidden : frozenset of str
        Ids.
    phrases, texts : tuple of str
        Hidden shares with their interval, as an answer says them, and alone.
    uncounted : frozenset of str
        Labels of estimates whose ``n`` is hidden.
    counts : tuple of float
        Every ``n`` that is shown.
    """

    frame: pd.DataFrame
    hidden: frozenset[str]
    phrases: tuple[str, ...]
    texts: tuple[str, ...]
    uncounted: frozenset[str]
    counts: tuple[float, ...]


#: Shares that are sums of categories, or one category among some: hidden if one of these is.
_SUMS = {
    "better": ("recovered", "improved"),
    "worse": ("deteriorated", "harmed"),
    "recovered_of_clinical": ("recovered",),
}


def protect_estimates(frame: pd.DataFrame, smallest: int, known: Sequence[float] = ()) -> SafeEstimates:
    """Take out the numbers of estimates that tell of fewer than ``smallest`` people.

    An ``n`` that differs by a few from one that the reader knows (``known``, or of another estimate) is hidden: the
    difference is a count. So are shares of that ``n``, which are fractions that tell it.

    Shares of one family (ids that agree up to the first ``_``) belong to the same people. Categories that add up to all
    of them are hidden as parts of a total are; where shares overlap in a way that is not known here, one that must be
    hidden hides them all.
    """
    near, shown = _near(frame, smallest, known)
    few = frame["n"].between(1, smallest - 1) & (frame["level"] != "therapist")
    is_share = frame["unit"].str.startswith(SHARE)
    few |= near & is_share
    shares = frame[is_share]
    for name, family in shares.groupby(shares["id"].str.split("_").str[0]):
        few |= frame["id"].isin(_hidden_of(str(name), family, smallest))
    out = frame.copy()
    tiny = near | (few & frame["n"].between(1, smallest - 1))
    out.loc[few, _NUMBERS] = np.nan
    out.loc[near, "df"] = np.nan
    out["n"] = out["n"].astype(object).where(~tiny, None)
    lost = frame[few & is_share]
    alone = [number(e.estimate, "percent") for e in lost.itertuples()]
    spans = [interval(e.ci_low, e.ci_high, "percent") for e in lost.itertuples()]
    return SafeEstimates(
        out,
        frozenset(lost["id"]),
        tuple(f"{share} (95 % interval {span})" for share, span in zip(alone, spans, strict=True)),
        tuple(dict.fromkeys(alone)),
        frozenset(frame.loc[tiny, "label"]),
        tuple(shown),
    )


def _near(
    frame: pd.DataFrame, smallest: int, known: Sequence[float]
) -> "tuple[pd.Series[bool], list[float]]":
    """Estimates whose ``n`` lies near a known one, and every ``n`` that is shown. Therapists are not clients."""
    seen, lost = list(known), set()
    for n in frame.loc[frame["level"] != "therapist", "n"]:
        if any(0 < abs(n - v) < smallest for v in seen):
            lost.add(n)
        else:
            seen.append(float(n))
    return frame["n"].isin(lost), seen


def _hidden_of(name: str, family: pd.DataFrame, smallest: int) -> set[str]:
    """Ids of one family that are hidden."""
    suffix = family["id"].str.removeprefix(f"{name}_")
    counts = (family["estimate"] * family["n"]).round()
    is_sum = suffix.isin(_SUMS)
    parts = family[~is_sum]
    values = counts[~is_sum].tolist()
    whole = float(family["n"].max())
    if not np.isclose(sum(values), whole, atol=0.5):  # overlapping outcomes
        touched = [
            small(c, smallest) or small(n - c, smallest) for c, n in zip(counts, family["n"], strict=True)
        ]
        return set(family["id"]) if any(touched) else set()
    hidden = complement(values, {i for i, c in enumerate(values) if small(c, smallest)}, smallest)
    gone = {str(parts["id"].iloc[i]) for i in hidden}
    for identity, part, count in zip(family["id"], suffix, counts, strict=True):
        if part in _SUMS and (small(count, smallest) or any(f"{name}_{c}" in gone for c in _SUMS[part])):
            gone.add(str(identity))
    return gone
