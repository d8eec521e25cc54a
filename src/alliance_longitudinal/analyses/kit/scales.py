"""The scales of an alliance measure, and the lowest of them."""

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
