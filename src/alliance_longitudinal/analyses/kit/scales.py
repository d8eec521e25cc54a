"""The scales of an alliance measure, the lowest of them, and what values its scores may have."""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.data.study import Measure

LOWEST = "lowest"


def scale_scores(sessions: pd.DataFrame, alliance: Measure) -> pd.DataFrame:
    """Scores of the scales that the study has, and the lowest of them in points per item where all are known.

    Returns
    -------
    DataFrame
        One column a scale and ``lowest``, rows as ``sessions``; no columns with fewer than two scales.
    """
    items = {
        name: len(numbers)
        for name, numbers in alliance.instrument.subscales.items()
        if f"{alliance.name}_{name}" in sessions
    }
    if len(items) < 2:
        return pd.DataFrame(index=sessions.index)
    scores = pd.DataFrame({name: sessions[f"{alliance.name}_{name}"] for name in items})
    if alliance.instrument.scale_directions:
        return scores  # scales that point in different ways have no lowest one
    rule = alliance.instrument.subscale_rule or alliance.instrument.total_rule
    per_item = scores / pd.Series(items) if rule == "sum" else scores
    return scores.assign(**{LOWEST: per_item.min(axis=1, skipna=False)})


@dataclass(frozen=True, slots=True)
class Turned:
    """Scores of which more is better, as simulated ones have to be, too.

    Attributes
    ----------
    scores : Series of float
    limits : pair of float, or None
        Lowest and highest possible score; None where they are not known.
    step : float or None
        Distance of two scores; None where totals are not whole numbers.
    """

    scores: "pd.Series[float]"
    limits: tuple[float, float] | None
    step: float | None


def turned(measure: Measure, scores: "pd.Series[float]") -> Turned:
    """The scores of a measure; those of a scale on which lower is better are turned round."""
    sign = -1.0 if measure.instrument.direction == "higher_worse" else 1.0
    possible = measure.instrument.total_range
    limits = None
    if possible is not None:
        low, high = sorted(sign * x for x in possible)
        limits = (low, high)
    step = 1.0 if (scores == scores.round()).mean() > 0.5 else None
    return Turned(sign * scores, limits, step)
