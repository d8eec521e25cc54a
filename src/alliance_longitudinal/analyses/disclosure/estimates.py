"""Estimates for outsiders."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.disclosure.cells import two_digits
from alliance_longitudinal.counts import Outsiders, decimals_of, limits_of_share
from alliance_longitudinal.sentences import for_outsiders

#: How the unit of an estimate begins that is the share of people or rows in a category.
SHARE = "share of "
#: Shares of what are no people.
OF_NO_PEOPLE = frozenset({"share of therapists", "share of session numbers", "share of planned times"})
#: Unit of a difference of two shares of people.
DIFFERENCE = "difference of shares"
#: Unit of an estimate that is a count over the number that chance alone would produce.
RATIO = "found per expected"
#: Units of estimates that count people or their rows.
COUNTS = frozenset({"clients", "sessions", "rows", "scores", "forms", "records"})
_NUMBERS = ("estimate", "se", "df", "ci_low", "ci_high", "p")


def safe_estimates(
    frame: pd.DataFrame,
    outsiders: Outsiders,
    therapists: int = 0,
    contrasts: Mapping[str, tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """The tidy frame of estimates as outsiders see it; a hidden number is missing.

    ``n`` counts therapists where ``level`` is ``therapist`` and there are so many (``therapists``), else clients or rows,
    which are rounded. Shares of people are
    made from rounded counts, other numbers are rounded to the second digit of their standard error. ``contrasts`` are the
    differences or ratios of two others, by id: they are made from what is shown of the two, and hidden with them.
    """
    rows = [_safe(dict(row), outsiders, therapists) for row in frame.to_dict("records")]
    shown = {row["id"]: row["estimate"] for row in rows}
    for row in rows:
        if row["unit"] == DIFFERENCE and row["id"] in (contrasts or {}):
            one, other = (contrasts or {})[row["id"]]
            row |= _difference(row, shown[one] - shown[other])
        if row["unit"] == RATIO and row["id"] in (contrasts or {}):
            one, other = (contrasts or {})[row["id"]]
            row |= dict.fromkeys(_NUMBERS, float("nan"))
            row["estimate"] = round(shown[one] / shown[other], 2) if shown[other] else float("nan")
    out = pd.DataFrame(rows, columns=list(frame.columns))
    return out.assign(n=out["n"].astype(object).where(out["n"].notna(), None))


def _safe(row: dict[Any, Any], outsiders: Outsiders, therapists: int) -> dict[Any, Any]:
    row["label"] = for_outsiders(row["label"], outsiders)
    n = row["n"]
    of_therapists = row["level"] == "therapist" and n <= therapists
    if not of_therapists and row["unit"] not in OF_NO_PEOPLE:
        row["n"] = outsiders.count(n)
        if outsiders.hides(n):
            return row | dict.fromkeys(_NUMBERS, float("nan"))
    if row["unit"].startswith(SHARE) and row["unit"] not in OF_NO_PEOPLE:
        return row | _share(row, n, outsiders)
    if row["unit"] in COUNTS:
        count = outsiders.count(row["estimate"])
        return (
            row
            | dict.fromkeys(_NUMBERS, float("nan"))
            | {"estimate": float("nan") if count is None else count}
        )
    return row | _rounded(row, n, outsiders)


def _share(row: dict[Any, Any], n: float, outsiders: Outsiders) -> dict[str, float]:
    hidden = dict.fromkeys(_NUMBERS, float("nan"))
    share = outsiders.share(row["estimate"] * n, n)
    if share is None:
        return hidden
    low, high = limits_of_share(share, row["ci_low"], row["ci_high"])
    return hidden | {"estimate": share, "ci_low": low, "ci_high": high}


def _difference(row: dict[Any, Any], size: float) -> dict[str, float]:
    """A difference of two shares from the shares that are shown; its limits outwards to whole percents."""
    hidden = dict.fromkeys(_NUMBERS, float("nan"))
    if size != size:
        return hidden
    low = min(math.floor(100 * row["ci_low"]) / 100, size)
    return hidden | {
        "estimate": size,
        "ci_low": low,
        "ci_high": max(math.ceil(100 * row["ci_high"]) / 100, size),
    }


def _rounded(row: dict[Any, Any], n: float, outsiders: Outsiders) -> dict[str, float]:
    spread = row["se"] if row["se"] == row["se"] else (row["ci_high"] - row["ci_low"]) / 3.92
    out = {"df": two_digits(row["df"]), "p": round(row["p"], 3)}
    values = ("estimate", "se", "ci_low", "ci_high")
    if spread == spread and spread > 0:
        return out | {k: round(row[k], decimals_of(spread)) for k in values}
    return out | {k: outsiders.number(row[k], n or float("inf")) for k in values}
