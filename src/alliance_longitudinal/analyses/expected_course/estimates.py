"""The estimates of accuracy: of the warning, of the risk, and of what the alliance adds."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.compute import PREVALENCES, Judged, Validated
from alliance_longitudinal.analyses.kit import Draft, Estimate, Hits

_PEOPLE = "share of clients"


def frequency(found: Validated, judged: Judged) -> list[Hits]:
    """Who had the event, and who was flagged."""
    rows = judged.rows
    client = rows["client"].to_numpy(object)
    cluster = rows["client"].map(found.track.cluster).to_numpy(object)
    return [
        Hits(judged.rule.event, EVENTS[judged.rule.event], rows["event"].to_numpy(bool), client, cluster),
        Hits("flagged", "Flagged", rows["flag"].to_numpy(bool), client, cluster),
    ]


#: What clients with the event did.
EVENTS = {"deteriorated": "Deteriorated", "not_improved": "Did not improve reliably"}
_FLAG_WORDS = {
    "sensitivity": "Sensitivity: flagged, of those {with_it}",
    "specificity": "Specificity: not flagged, of those {without}",
    "ppv": "PPV: {with_it}, of those flagged",
    "npv": "NPV: {without}, of those not flagged",
}
_WITH = {"deteriorated": "who deteriorated", "not_improved": "who did not improve"}
_WITHOUT = {"deteriorated": "who did not", "not_improved": "who improved"}


def warning_estimates(judged: Judged) -> list[Estimate]:
    """Sensitivity, specificity, predictive values, those at stated prevalences, and the same of the alliance's warning."""
    out = []
    parts = [("", "", judged.flag), ("alliance_", "Alliance below its band. ", judged.alliance)]
    names = {"with_it": _WITH[judged.rule.event], "without": _WITHOUT[judged.rule.event]}
    for prefix, before, accuracy in parts:
        if accuracy is None:
            continue
        table = accuracy.table
        for term, words in _FLAG_WORDS.items():
            if term in table.index:
                out.append(
                    _estimate(
                        table.loc[term], f"{prefix}{term}", before + words.format(**names), _PEOPLE, "client"
                    )
                )
        for q in PREVALENCES:
            term = f"ppv_{100 * q:g}"
            label = f"{before}PPV where {100 * q:g} % of clients have the event"
            out.append(_estimate(table.loc[term], f"{prefix}{term}", label, "probability", "client"))
    return out


def _estimate(row: "pd.Series[float]", identity: str, label: str, unit: str, level: str) -> Estimate:
    return Estimate(
        identity,
        label,
        float(row["estimate"]),
        se=float(row["se"]),
        df=float(row["df"]),
        ci_low=float(row["low"]),
        ci_high=float(row["high"]),
        n=int(row["n"]),
        level=level,
        unit=unit,
    )


_RISK_WORDS = {
    "auc": ("auc", "AUC: a client with the event has the higher risk", "probability"),
    "brier": ("brier", "Brier score: mean squared error of the risk", "squared probability"),
    "calibration_slope": ("calibration_slope", "Calibration slope (right: one)", "slope"),
    "calibration_intercept": (
        "calibration_intercept",
        "Calibration in the large (right: zero)",
        "log odds",
    ),
}


def risk_estimates(judged: Judged) -> list[Estimate]:
    """Discrimination and calibration of the risk, and what the alliance so far adds to its AUC."""
    out = []
    if judged.risk is not None:
        table = judged.risk.tidy().set_index("term").assign(n=judged.risk.n)
        out += [
            _estimate(table.loc[term], identity, label, unit, "client")
            for term, (identity, label, unit) in _RISK_WORDS.items()
        ]
    if judged.added is not None:
        table = judged.added.tidy().set_index("term").assign(n=judged.added.n)
        for term, identity, label, unit in (
            ("auc", "auc_symptoms", "AUC of the symptoms so far, fitted anew", "probability"),
            ("auc_with", "auc_alliance", "AUC of the symptoms and the alliance so far", "probability"),
            (
                "delta_auc",
                "delta_auc_alliance",
                "Difference in AUC made by the alliance so far",
                "difference in AUC",
            ),
        ):
            out.append(_estimate(table.loc[term], identity, label, unit, "client"))
        out.append(_odds_ratio(table.loc["log_odds"]))
    return out


def _odds_ratio(row: "pd.Series[float]") -> Estimate:
    """The event's odds with an alliance that is one standard deviation lower, at the same risk from the symptoms."""
    ratio = float(np.exp(-row["estimate"]))
    return Estimate(
        "or_alliance",
        "Odds ratio of the event: alliance so far one SD lower, same symptoms",
        ratio,
        se=ratio * float(row["se"]),
        df=float(row["df"]),
        ci_low=float(np.exp(-row["high"])),
        ci_high=float(np.exp(-row["low"])),
        p=float(row["p"]),
        n=int(row["n"]),
        level="client",
        unit="odds ratio",
    )


def accuracy_of(
    draft: Draft, symptoms: Validated, judged: Judged | None
) -> tuple[list[Estimate], list[Estimate]]:
    """Estimates of who had the event and of the warning, and of the risk."""
    if judged is None or judged.rows.empty:
        return [], []
    shares = [*(h.estimate() for h in frequency(symptoms, judged)), *warning_estimates(judged)]
    risks = risk_estimates(judged)
    draft.estimate(*shares, *risks)
    return shares, risks


def hits_of(symptoms: Validated, judged: Judged | None) -> list[Hits]:
    """Shares that groups of clients are compared by: later scores in the band, who had the event, who was flagged."""
    s = symptoms.settings
    words = f"{symptoms.track.label}, {s.known(s.decide)}: later scores in the {100 * s.band:g} % band"
    inside = symptoms.covered(symptoms.held, s.decide, s.band, s.cover, words)
    return [inside, *([] if judged is None else frequency(symptoms, judged))]
