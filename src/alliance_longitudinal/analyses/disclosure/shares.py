"""Estimates for outsiders: those that rest on few people, and shares that stand for a few of many, lose their numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.disclosure.cells import complement, small
from alliance_longitudinal.present.labels import interval, number

#: Unit of an estimate that is the share of people in a category.
SHARE = "share of clients"
_NUMBERS = ["estimate", "se", "df", "ci_low", "ci_high", "p"]


@dataclass(frozen=True, slots=True)
class SafeEstimates:
    """What may be shown, what was hidden, and how the hidden numbers look in a sentence.

    Attributes
    ----------
    frame : DataFrame
    hidden : frozenset of str
        Ids.
    texts : tuple of str
        Longest first.
    """

    frame: pd.DataFrame
    hidden: frozenset[str]
    texts: tuple[str, ...]


#: Shares that are sums of categories, or one category among some: hidden if one of these is.
_SUMS = {
    "better": ("recovered", "improved"),
    "worse": ("deteriorated", "harmed"),
    "recovered_of_clinical": ("recovered",),
}


def protect_estimates(frame: pd.DataFrame, smallest: int) -> SafeEstimates:
    """Take out the numbers of estimates that tell of fewer than ``smallest`` people.

    Shares of one family (ids that agree up to the first ``_``) belong to the same people. Categories that add up to all
    of them are hidden as parts of a total are; where shares overlap in a way that is not known here, one that must be
    hidden hides them all.
    """
    few = frame["n"].between(1, smallest - 1) & (frame["level"] != "therapist")
    shares = frame[frame["unit"] == SHARE]
    for name, family in shares.groupby(shares["id"].str.split("_").str[0]):
        few |= frame["id"].isin(_hidden_of(str(name), family, smallest))
    out = frame.copy()
    tiny = few & frame["n"].between(1, smallest - 1)
    out.loc[few, _NUMBERS] = np.nan
    out["n"] = out["n"].astype(object).where(~tiny, None)
    lost = frame[few & (frame["unit"] == SHARE)]
    texts = {
        text
        for e in lost.itertuples()
        for text in (number(e.estimate, "percent"), interval(e.ci_low, e.ci_high, "percent"))
    }
    return SafeEstimates(out, frozenset(lost["id"]), tuple(sorted(texts, key=len, reverse=True)))


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
