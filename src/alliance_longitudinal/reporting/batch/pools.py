"""The main estimates of a batch over clinics: their mean, how much clinics differ, and each clinic partially pooled.

Only reports on different people are pooled: of different studies, or of different clinics of a study. Reports that differ in
another way (window, measure, rater) use the same people and are shown side by side, not pooled.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.language import tell
from alliance_longitudinal.reporting.record.arguments import as_argument

Row = Mapping[str, Any]
#: Fewer clinics say next to nothing about how much clinics differ.
FEWEST = 3
#: Parameters that choose people, or how a result is shown, and not what is computed.
_NOT_COMPUTED = ("clinic", "audience")
#: How far an interval's halves may differ, as a share of its width, before its error is no longer that of a normal estimate.
_UNEVEN = 0.05


def pools(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each estimate that reports on different people have in common, in the order of the rows.

    Returns
    -------
    list of dict
        ``title, unit, notebook, settings`` (what else the reports have in common), ``members`` (their folders), ``k``,
        ``studies``, ``levels`` (2, or 3 for clinics within studies), ``mu, se, ci_low, ci_high, tau, i2, q, q_df, q_p,
        prediction_low, prediction_high``, ``shrunken`` (folder to value) and ``notes``; or ``why_not``, a sentence.
    """
    return [_pooled(members) for members in _groups(rows)]


def get_ready_to_pool() -> None:
    """Import what pooling needs, which takes half a second, while there is nothing else to do."""
    with suppress(Exception):  # it is told when it is needed
        from alliance_longitudinal import methods

        methods.meta_analysis([0.0, 1.0, 3.0], [1.0, 1.0, 1.0], method="REML", test="knapp-hartung")


def settings(row: Row) -> dict[str, Any]:
    """The parameters of a report that choose what is computed."""
    return {k: v for k, v in row["parameters"].items() if k not in _NOT_COMPUTED}


def has_interval(row: Row) -> bool:
    """Whether a row has an estimate with an interval."""
    estimate = row["estimate"]
    return estimate is not None and None not in (
        estimate["estimate"],
        estimate["ci_low"],
        estimate["ci_high"],
    )


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Reports that estimate the same of different people: one for each clinic, at least two."""
    found: dict[str, dict[tuple[str, str | None], Row]] = {}
    for row in rows:
        if not has_interval(row):
            continue
        e = row["estimate"]
        key = repr(
            (row["notebook"], e.get("id") or e["label"], e["unit"] or "", sorted(settings(row).items()))
        )
        found.setdefault(key, {})[row["study"], row["parameters"].get("clinic")] = row
    for sites in found.values():
        named = {study for study, clinic in sites if clinic is not None}
        # All clinics together would count the people of single clinics twice.
        members = [row for (study, clinic), row in sites.items() if clinic is not None or study not in named]
        if len(members) > 1:
            yield members


def _pooled(members: Sequence[Row]) -> dict[str, Any]:
    first = members[0]
    said = settings(first)
    known: dict[str, Any] = {
        "title": first["estimate"]["label"],
        "unit": first["estimate"]["unit"] or "",
        "notebook": first["notebook"],
        "settings": ", ".join(f"{k} {as_argument(v)}" for k, v in said.items()),
        "members": [row["folder"] for row in members],
    }
    why_not = _why_not(members)
    if why_not:
        return known | {"why_not": why_not}
    try:
        return known | _numbers(members)
    except AllianceError as error:
        return known | {"why_not": tell("Not pooled: {error}", error=error)}


def _why_not(members: Sequence[Row]) -> str:
    estimates = [row["estimate"] for row in members]
    if len(members) < FEWEST:
        return tell("Not pooled: fewer than {fewest} clinics.", fewest=FEWEST)
    if any(e.get("se") is None or not e["se"] > 0 for e in estimates):
        return tell("Not pooled: these estimates have no standard errors.")
    if any(_uneven(e) for e in estimates):
        return tell("Not pooled: the intervals are not symmetric, so a mean on this scale would be wrong.")
    return ""


def _uneven(e: Mapping[str, Any]) -> bool:
    up, down = float(e["ci_high"] - e["estimate"]), float(e["estimate"] - e["ci_low"])
    return abs(up - down) > _UNEVEN * (up + down)


def _numbers(members: Sequence[Row]) -> dict[str, Any]:
    """The pooled numbers: random effects by REML with t intervals; three levels where studies have several clinics."""
    from alliance_longitudinal import methods

    effects = [float(row["estimate"]["estimate"]) for row in members]
    variances = [float(row["estimate"]["se"]) ** 2 for row in members]
    studies = [str(row["study"]) for row in members]
    three = FEWEST <= len(set(studies)) < len(members)
    found = methods.meta_analysis(
        effects, variances, study=studies if three else None, method="REML", test="knapp-hartung"
    )
    low, high = found.conf_int()
    farthest = found.prediction_interval()
    numbers = {
        "mu": found.mu,
        "se": found.se,
        "ci_low": low,
        "ci_high": high,
        "tau": math.sqrt(found.tau2),
        "i2": found.i2,
        "q": found.q,
        "q_df": found.q_df,
        "q_p": found.q_p,
        "prediction_low": farthest[0],
        "prediction_high": farthest[1],
    }
    return {
        "k": len(members),
        "studies": len(set(studies)),
        "levels": 3 if three else 2,
        **{k: float(v) for k, v in numbers.items()},
        "shrunken": {
            row["folder"]: found.place(y, v).shrunken
            for row, y, v in zip(members, effects, variances, strict=True)
        },
        "notes": [str(f.message) for f in found.findings],
    }
