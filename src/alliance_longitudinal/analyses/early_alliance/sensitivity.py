"""The same effects under other windows and other adjustments."""

from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit import ALONE
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Adjusters,
    Choices,
    EarlyDesign,
    build_design,
    unadjusted,
)
from alliance_longitudinal.analyses.kit.early_models import course_model, endpoint_model, split_effects
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.timing import TimeWindow

#: Definitions of "early" in use in the field (one rating; the first three; three to five; the first five).
WINDOWS = (TimeWindow(3, 3), TimeWindow(1, 3), TimeWindow(3, 5), TimeWindow(1, 5))
ADJUSTMENTS = (
    (False, False, "not adjusted"),
    (True, False, "intake severity"),
    (True, True, "intake severity and early change"),
)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The effects under other windows and adjustments.

    Attributes
    ----------
    table : DataFrame
        One row per window and adjustment: ``window, adjusted, main`` (bool), ``clients``, ``therapists``, and for ``slope`` and
        ``end``, ``within`` and ``between``: ``<kind>_<effect>``, ``..._low``, ``..._high``; ``problem`` says why a row has no
        numbers.
    designs : tuple of EarlyDesign or None
        Of each row; None where there are too few clients.
    sessions : DataFrame
        What they were made of.
    """

    table: pd.DataFrame
    designs: tuple[EarlyDesign | None, ...]
    sessions: pd.DataFrame


def sensitivity(sessions: pd.DataFrame, main: Choices, adjusters: Adjusters = unadjusted) -> Sensitivity:
    """The same models for each window and each adjustment."""
    if adjusters is unadjusted:
        sessions = _with_short_ids(sessions)
    windows = list(dict.fromkeys((*WINDOWS, main.window)))
    windows.sort(key=lambda w: (w.last, w.first))
    rows: list[dict[str, object]] = []
    designs: list[EarlyDesign | None] = []
    for window in windows:
        for intake, change, words in ADJUSTMENTS:
            choices = replace(
                main,
                window=window,
                min_rated=min(main.min_rated, window.sessions),
                adjust_intake=intake,
                adjust_early_change=change,
            )
            found, design = _effects(sessions, choices, adjusters)
            rows.append({"window": str(window), "adjusted": words, "main": choices == main} | found)
            designs.append(design)
    return Sensitivity(pd.DataFrame(rows), tuple(designs), sessions)


def _with_short_ids(sessions: pd.DataFrame) -> pd.DataFrame:
    """The same rows with whole numbers as ids: twelve designs are made of them, and text is slow to look up."""
    named = [
        c for c in ("client", "therapist", "clinic") if c in sessions and not sessions[c].eq(ALONE).any()
    ]
    ids = {c: pd.factorize(sessions[c])[0] for c in named}
    return sessions.assign(**ids)


def _effects(
    sessions: pd.DataFrame, choices: Choices, adjusters: Adjusters
) -> tuple[dict[str, object], EarlyDesign | None]:
    try:
        design = build_design(sessions, SampleFlow(), choices, MIN_THERAPISTS, adjusters)
        row: dict[str, object] = {
            "clients": design.n_clients,
            "therapists": design.n_therapists,
            "problem": "",
        }
        if design.n_clients < MIN_CLIENTS:
            return row | {"problem": "too few clients"}, None
        models = {"end": endpoint_model(design)}
        if design.course:
            models["slope"] = course_model(design)
    except AllianceError as error:
        text = str(error)  # a cell of a frame holds no values, so counts in it would reach outsiders
        return {"problem": "could not be fitted" if any(c.isdigit() for c in text) else text}, None
    for kind, fitted in models.items():
        for effect, numbers in split_effects(fitted, design, kind).items():
            row[f"{kind}_{effect}"] = numbers["estimate"]
            row[f"{kind}_{effect}_low"] = numbers["ci_low"]
            row[f"{kind}_{effect}_high"] = numbers["ci_high"]
    return row, design
