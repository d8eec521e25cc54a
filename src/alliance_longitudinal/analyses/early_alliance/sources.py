"""The correlation by who rated what, where the alliance or the outcome has a second rater."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    Draft,
    Estimate,
    each_alone,
)
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.present import Column

#: Fewest clients rated by everybody.
MIN_CLIENTS = 20
_LABELS = {
    "same": ("r_same_source", "Same rater of alliance and outcome"),
    "cross": ("r_cross_source", "Different raters"),
    "difference": ("r_source_difference", "Same rater less different raters"),
    "corrected": ("r_source_corrected", "Different raters, corrected for what raters do not see alike"),
}


def source_effects(draft: Draft, design: EarlyDesign) -> None:
    """``r_same_source``, ``r_cross_source``, their difference and the corrected one, for the same clients.

    Correlations of clients with the last score, as in published studies; the notebook of raters has them within therapists.
    """
    main, second = _raters(draft, design)
    if main is None or not second:
        return
    frame = source_rows(draft.sessions, design, second)
    try:
        found = _by_source(frame, design, second)
    except AllianceError:
        return  # too few clients have all ratings, or a rater gives everybody the same score
    if found is None:
        return
    draft.estimate(*found)
    alike = "; intervals allow for clients of one therapist being alike" if design.n_therapists else ""
    draft.table_of(
        "sources",
        "The correlation by who rated alliance and outcome",
        "results",
        found,
        [Column("label", "Correlation"), *ESTIMATE, COUNT],
        f"Of the same clients with the last score{alike}. A shared rater raises a "
        "correlation (halo). Different raters do not share this, but their correlation is not the true one either: it is lowered by "
        "everything that raters do not see alike. The corrected one is a bound, not an estimate. The notebook 'raters' has more.",
    )


def _raters(draft: Draft, design: EarlyDesign) -> tuple[Measure | None, list[Measure]]:
    """The main alliance measure if its rater rated the outcome, too, and one measure of each kind by somebody else."""
    a, y = design.choices.alliance, design.choices.outcome
    if a.rater != y.rater:
        return None, []
    second = []
    for kind, main in (("alliance", a), ("symptoms", y)):
        others = [
            m
            for m in draft.study.measures.values()
            if m.construct == kind and m.rater not in (main.rater, "")
        ]
        same = [m for m in others if m.instrument.label == main.instrument.label]
        second += (same or others)[:1]
    return a, second


def source_rows(sessions: pd.DataFrame, design: EarlyDesign, second: list[Measure]) -> pd.DataFrame:
    """The clients with the second raters' early alliance (``early_2``) and last score after the window (``end_2``)."""
    window = design.choices.window
    frame = design.clients[["client", "therapist", "early", "end"]]
    for measure in second:
        rated = sessions.dropna(subset=[measure.name])
        if measure.construct == "alliance":
            inside = rated[rated["session"].between(window.first, window.last)]
            values = inside.groupby("client")[measure.name].mean()
        else:
            after = rated[rated["session"] > window.last].sort_values(["client", "session"])
            values = after.groupby("client")[measure.name].last()
        name = "early_2" if measure.construct == "alliance" else "end_2"
        frame = frame.assign(**{name: frame["client"].map(values).astype(float) * _sign(measure)})
    a, y = design.choices.alliance, design.choices.outcome
    return frame.assign(early=frame["early"] * _sign(a), end=frame["end"] * _sign(y))


def _sign(measure: Measure) -> float:
    """1 where higher is better."""
    return 1.0 if measure.instrument.direction == "higher_better" else -1.0


def _by_source(frame: pd.DataFrame, design: EarlyDesign, second: list[Measure]) -> list[Estimate] | None:
    from alliance_longitudinal.methods.dyads.sources import by_source

    rater = design.choices.alliance.rater
    x, y = {rater: "early"}, {rater: "end"}
    for measure in second:
        (x if measure.construct == "alliance" else y)[measure.rater] = (
            "early_2" if measure.construct == "alliance" else "end_2"
        )
    rows = each_alone(frame.dropna(subset=[*x.values(), *y.values()]))
    if len(rows) < MIN_CLIENTS:
        return None
    found = by_source(rows, x, y, cluster="therapist")
    limits = found.conf_int()
    p = found.pvalues
    out = []
    for key, (identity, label) in _LABELS.items():
        if np.isfinite(found.params[key]):
            low, high = (float(v) for v in limits.loc[key])
            out.append(
                Estimate(
                    identity,
                    label,
                    float(found.params[key]),
                    float(found.bse[key]),
                    float(found.clusters - 1),
                    low,
                    high,
                    float(p[key]),
                    found.n,
                    "all",
                    "r",
                )
            )
    return out
