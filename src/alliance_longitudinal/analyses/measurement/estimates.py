"""Estimates of the measurement report: reliability, correlations of subscales by level, agreement of observers."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.kit import ESTIMATE, Draft, Estimate, Groups, Number
from alliance_longitudinal.analyses.measurement.compute import Found, coefficients
from alliance_longitudinal.analyses.measurement.design import Answers
from alliance_longitudinal.analyses.measurement.levels import level_correlations
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import half_width
from alliance_longitudinal.methods.psychometrics.reliability.raters import rater_agreement
from alliance_longitudinal.sentences import told

#: Fewest clients for correlations of subscales at each level.
MIN_CLIENTS = 20
_UNKNOWN = (float("nan"), float("nan"))
_MEANINGS = {
    "RkF": "Between clients, mean of the same {k} sessions (RkF)",
    "R1R": "Between clients, one session (R1R)",
    "RkR": "Between clients, mean of {k} sessions (RkR)",
    "Rc": "Change within clients (Rc)",
    "RkRn": "Between clients, mean of {k} sessions, nested (RkRn)",
    "Rcn": "Change within clients, nested (Rcn)",
}


def reliability_estimates(found: Found) -> list[Estimate]:
    """Alpha, omega and reliability of change."""
    out = []
    for kind, values in (("alpha", found.alphas), ("omega", found.omegas)):
        out += [
            Estimate(
                id=f"{kind}_{where.replace(' ', '_')}",
                label=f"{kind.title()}, {where}",
                estimate=c.estimate,
                ci_low=c.low,
                ci_high=c.high,
                n=c.n,
                level="client",
                unit="reliability",
            )
            for where, c in values
        ]
    for part in found.change:
        out += [
            Estimate(
                id=f"change_{name}",
                label=_MEANINGS[name].format(k=part.sessions),
                estimate=v,
                ci_low=part.limits.get(name, _UNKNOWN)[0],
                ci_high=part.limits.get(name, _UNKNOWN)[1],
                n=part.clients,
                level="client",
                unit="reliability",
            )
            for name, v in part.coefficients.items()
        ]
    return out


def by_group(draft: Draft, groups: Groups, answers: Answers | None, occasions: Sequence[int]) -> None:
    """Alpha and reliability of change of each group; without items, what the totals tell."""
    measure = draft.measures[0]
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(draft.sessions):
        if rows["client"].nunique() < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            found[group] = []
        elif answers is None:
            found[group] = [e] if (e := _first_mean(rows, measure)) else []
        else:
            own = replace(answers, frame=answers.frame[answers.frame["client"].isin(rows["client"])])
            part = coefficients(own, occasions, measure.instrument.label)
            draft.findings += [replace(f, where=f"{groups.name} {group}: {f.where}") for f in part.findings]
            found[group] = reliability_estimates(part)
    note = (
        "The mean of each client's first total, in points."
        if answers is None
        else "Alpha and the reliability of change, from the answers of each group alone. A difference may be one of how much "
        "clients differ, and not of the questionnaire."
    )
    draft.by_group(found, ESTIMATE, note)


def _first_mean(rows: pd.DataFrame, measure: Measure) -> Estimate | None:
    first = rows.dropna(subset=measure.name).groupby("client")[measure.name].first()
    if len(first) < 2:
        return None
    mean, half = float(first.mean()), half_width(first)
    return Estimate(
        "first_mean",
        f"First {measure.instrument.label}, mean",
        mean,
        ci_low=mean - half,
        ci_high=mean + half,
        n=len(first),
        level="client",
        unit=f"{measure.instrument.label} points",
    )


def subscale_correlations(draft: Draft, rated: pd.DataFrame, measure: Measure) -> None:
    """Correlations of the subscales at each level."""
    scales = [
        name
        for name, items in measure.instrument.subscales.items()
        if f"{measure.name}_{name}" in rated and len(items) >= 2
    ]
    if len(scales) < 2:
        return
    columns = {f"{measure.name}_{name}": name for name in scales}
    people = [c for c in ("client", "therapist") if c in rated]
    rows = rated[[*people, *columns]].rename(columns=columns).dropna()
    if "therapist" not in rows:
        rows = rows.assign(therapist=rows["client"])
    usable = [s for s in scales if rows[s].max() > rows[s].min()]
    if len(usable) < 2 or rows["client"].nunique() < MIN_CLIENTS:
        return
    try:
        table = level_correlations(rows, usable)
    except AllianceError as error:
        draft.find(
            "level_correlations_failed",
            "caution",
            "Correlations of the subscales by level could not be computed: {why}",
            measure.name,
            why=told(error),
        )
        return
    named = {
        "therapist": "between therapists",
        "client": "between clients",
        "session": "between sessions of a client",
    }
    draft.estimate(
        *(
            Estimate(
                id=f"r_{r.first}_{r.second}_{r.level}",
                label=f"{r.first} and {r.second}, {named[str(r.level)]}",
                estimate=float(r.r),
                n=len(rows),
                level=str(r.level),
                unit="correlation",
            )
            for r in table.itertuples()
        )
    )
    cut = int(table["beyond"].sum())
    if cut:
        draft.find(
            "correlation_cut",
            "info",
            "{cut} of the correlations {cut:was|were} estimated above {one} and set to {one}. At "
            "these levels the subscales differ too little to be distinguished.",
            measure.name,
            cut=Number(cut, "integer"),
            one=Number(1, "integer"),
        )


def observer_agreement(draft: Draft, rows: pd.DataFrame, measure: Measure) -> None:
    """Agreement of several observers with the same instrument, each of whom is a measure of the study."""
    same = [
        m.name
        for m in draft.study.measures.values()
        if m.rater == "observer" and m.instrument.id == measure.instrument.id
    ]
    averaged = f"{measure.name}_raters"
    if averaged in rows and rows[averaged].max() > 1 and len(same) < 2:
        draft.find(
            "raters_averaged",
            "info",
            "{measure} is the mean of several raters, so their agreement cannot be computed. Also "
            "define one measure per rater, such as '{first}' and '{second}', and give "
            "measure=first.",
            measure.name,
            measure=measure.label,
            first="first: {rows: rater 1, ...}",
            second="second: {rows: rater 2, ...}",
        )
        return
    if measure.rater != "observer" or len(same) < 2:
        return
    try:
        table = rater_agreement(rows[same])
    except AllianceError as error:
        draft.find("no_agreement", "caution", "{why}", measure.name, why=told(error))
        return
    draft.estimate(
        *(
            Estimate(
                id=f"icc_{r.kind[4]}_{r.kind[6]}",
                label=f"Agreement of {len(same)} observers, {r.kind}",
                estimate=float(r.estimate),
                ci_low=float(r.low),
                ci_high=float(r.high),
                n=int(r.n),
                level="session",
                unit="reliability",
            )
            for r in table.itertuples()
        )
    )
