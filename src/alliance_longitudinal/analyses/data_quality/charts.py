"""The figures of the data-quality report, each with the data behind it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.analyses.data_quality.completion import by_therapist, by_time
from alliance_longitudinal.analyses.data_quality.patterns import PATTERNS, patterns_of
from alliance_longitudinal.analyses.data_quality.predict import Answered
from alliance_longitudinal.analyses.data_quality.records import Filled, Records
from alliance_longitudinal.counts import Number, Share
from alliance_longitudinal.labels import number
from alliance_longitudinal.present import Column, FigureSpec, plots
from alliance_longitudinal.present.plots import style
from alliance_longitudinal.sentences import joined, say

_PATTERN_COLOURS = {
    "complete": style.BLUE,
    "gaps": style.PALE_BLUE,
    "stopped": style.PALE_ORANGE,
    "never": style.ORANGE,
}


def session_figures(records: Records, filled: list[Filled]) -> list[FigureSpec]:
    """Share of completed forms by measure: by session number, and by planned time where the study has a schedule."""
    unit = records.study.time_unit
    said = {
        False: (
            "completion_by_session",
            "Completed forms, by session",
            "Percent of attended sessions with a completed form, for each session number.",
            "session number",
            "Session number",
        ),
        True: (
            "completion_by_plan",
            "Completed forms, by planned time",
            "Percent of clients with a completed form, at each planned time.",
            "planned time",
            f"Planned time ({unit})",
        ),
    }
    found = [
        _heat([f for f in filled if f.scheduled == scheduled], *words) for scheduled, words in said.items()
    ]
    return [f for f in found if f is not None]


def _heat(
    filled: list[Filled], name: str, title: str, caption: str, what: str, x_label: str
) -> FigureSpec | None:
    parts = [by_time(f).assign(measure=f.measure.label) for f in filled]
    data = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if data.empty:
        return None
    low = data.loc[data["share"].idxmin()]
    return FigureSpec(
        name=name,
        title=title,
        caption=f"{caption} Crossed out: the form was not planned, or the number may not be shown.",
        alt=say(
            "Heat map of the share of completed forms by {what}. Lowest: {measure} at {what} {at} "
            "with {share}.",
            what=what,
            measure=str(low["measure"]),
            at=Number(float(low["at"])) if low["at"] % 1 else Number(int(low["at"]), "integer"),
            share=Share(int(low["present"]), int(low["expected"])),
        ),
        how_to_read=f"Each row is a questionnaire, each column a {what}. The darker a cell, the more forms are "
        "missing.",
        section="answer",
        data=data,
        columns=(
            Column("measure", "Measure"),
            Column("at", what.capitalize(), "integer"),
            Column("expected", "Forms expected", "count"),
            Column("present", "There", "count", total="expected"),
            Column("missing", "Missing", "count", total="expected"),
            Column("share", "Share there", "percent", of="present"),
        ),
        draw=partial(plots.heat, row="measure", column="at", value="share", x_label=x_label),
    )


def therapist_figure(filled: list[Filled]) -> FigureSpec | None:
    """Share of completed forms, therapists without names in order of it; each mark is a person."""
    rows: list[dict[Any, Any]] = []
    for one in filled:
        own = by_therapist(one).sort_values("share", ignore_index=True)
        own = own.assign(measure=one.measure.label, place=own.index + 1)
        rows += own[["measure", "place", "expected", "present", "share"]].to_dict("records")
    if not rows:
        return None
    return FigureSpec(
        name="completion_by_therapist",
        title="Completed forms, by therapist",
        caption="Each point is a therapist with at least ten clients, without names, sorted by the share "
        "of completed forms. The order differs between the lines.",
        alt="Share of completed forms per therapist, sorted. "
        + " ".join(
            _span(f.measure.label, [float(str(r["share"])) for r in rows if r["measure"] == f.measure.label])
            for f in filled
        ),
        how_to_read="If a line is much lower at its left end, a few therapists have few completed forms.",
        section="results",
        data=pd.DataFrame(rows),
        columns=(
            Column("measure", "Measure"),
            Column("place", "Place", "integer"),
            Column("expected", "Forms expected", "count"),
            Column("present", "There", "count", total="expected"),
            Column("share", "Share there", "percent", of="present"),
        ),
        draw=partial(
            plots.lines,
            x="place",
            y="share",
            by="measure",
            x_label="Therapists, those with fewest forms first",
            y_label="Completed forms",
            limits=(0, 1.03),
            percent=True,
        ),
        single_people=True,
    )


def _span(label: str, shares: list[float]) -> str:
    if not shares:
        return ""
    return f"{label}: from {number(min(shares), 'percent')} to {number(max(shares), 'percent')}."


def pattern_figure(filled: list[Filled]) -> FigureSpec | None:
    """How forms are missing, as shares of clients."""
    rows: list[dict[str, Any]] = []
    for one in filled:
        found = patterns_of(one)["pattern"].value_counts()
        counts = {p: int(found.get(p, 0)) for p in PATTERNS}
        total = sum(counts.values())
        rows += [
            {"measure": one.measure.label, "pattern": p, "n": n, "clients": total, "share": n / total}
            for p, n in counts.items()
            if total
        ]
    if not rows:
        return None
    return FigureSpec(
        name="missing_patterns",
        title="How forms are missing",
        caption="Clients with at least two planned forms. Complete: all forms. Gaps: some are missing in "
        "between, or only the last one. Stopped: the last two or more are all missing. Never: no "
        "form at all.",
        alt="Stacked bars of clients by how their forms are missing. "
        + joined(
            [
                say(
                    "{measure}, {pattern} {share}",
                    measure=r["measure"],
                    pattern=r["pattern"],
                    share=Share(r["n"], r["clients"]),
                )
                for r in rows
            ],
            "; ",
        )
        + ".",
        how_to_read="Gaps make results less precise. For clients who stopped, the end of treatment is not "
        "known.",
        section="results",
        data=pd.DataFrame(rows),
        columns=(
            Column("measure", "Measure"),
            Column("pattern", "Pattern"),
            Column("n", "Clients", "count", total="clients"),
            Column("clients", "Of clients", "count"),
            Column("share", "Share", "percent", of="n"),
        ),
        draw=partial(
            plots.stacked, bar="measure", part="pattern", x_label="Share of clients", colours=_PATTERN_COLOURS
        ),
    )


def distribution_figure(records: Records) -> FigureSpec | None:
    """Histograms of all scores."""
    parts, ranges = [], {}
    for measure in records.measures:
        scores = records.sessions[measure.name].dropna().to_numpy(dtype=float)
        if len(scores) < 2:
            continue
        bars = histogram(scores)
        parts.append(bars.assign(measure=measure.label, forms=len(scores), share=bars["n"] / len(scores)))
        if measure.instrument.total_range:
            ranges[measure.label] = measure.instrument.total_range
    if not parts:
        return None
    return FigureSpec(
        name="distributions",
        title="Distribution of the scores",
        caption="All forms of all sessions. Dashed: lowest and highest possible score.",
        alt="Histograms of the scores of " + ", ".join(str(p["measure"].iloc[0]) for p in parts) + ".",
        how_to_read="High bars at a dashed line show a floor or ceiling effect. A single bar that sticks out "
        "shows a score that was entered too often.",
        section="results",
        data=pd.concat(parts, ignore_index=True),
        columns=(
            Column("measure", "Measure"),
            Column("low", "From", "number"),
            Column("high", "Below", "number"),
            Column("n", "Forms", "count", total="forms"),
            Column("forms", "Of forms", "count"),
            Column("share", "Share", "percent", of="n"),
        ),
        draw=partial(
            plots.histogram,
            panel="measure",
            x_label="{panel} (points)",
            y_label="Share of forms per point",
            ends=ranges,
        ),
    )


def histogram(scores: NDArray[np.float64]) -> pd.DataFrame:
    """``low, high, n``: about 30 bars of whole points; empty ones are left out."""
    spread = float(scores.max() - scores.min())
    width = max(1.0, np.ceil(spread / 30)) if spread > 5 else max(spread / 20, 0.05)
    start = np.floor(scores.min() / width) * width
    edges = start - width / 2 + width * np.arange(int(spread / width) + 3)
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": np.histogram(scores, edges)[0]})
    return frame[frame["n"] > 0].reset_index(drop=True)


def prediction_figure(answered: list[Answered]) -> FigureSpec | None:
    """Odds ratios of missing forms and of leaving."""
    estimates = [e for a in answered for e in a.estimates]
    if not estimates:
        return None
    data = pd.DataFrame(
        [
            {
                "label": e.label.removeprefix("What predicts "),
                "estimate": e.estimate,
                "ci_low": e.ci_low,
                "ci_high": e.ci_high,
                "n": e.n,
            }
            for e in estimates
        ]
    )
    return FigureSpec(
        name="predictors",
        title="What predicts missing forms and the end of treatment",
        caption="Points: odds ratios per standard deviation of the predictor; lines: 95 % intervals, from "
        "logistic mixed models.",
        alt="Odds ratios with intervals. "
        + joined(
            [
                say("{label}: {ratio} ({ratio:interval})", label=name, ratio=e.number())
                for name, e in zip(data["label"], estimates, strict=True)
            ],
            "; ",
        )
        + ".",
        how_to_read="To the right of 1: the higher the predictor, the more often the form is missing or the "
        "client ends treatment.",
        section="results",
        data=data,
        columns=(
            Column("label", "Outcome and predictor"),
            Column("estimate", "Odds ratio", "estimate", of="n"),
            Column("ci_low", "95 % low", "estimate", of="n"),
            Column("ci_high", "95 % high", "estimate", of="n"),
            Column("n", "Rows", "count"),
        ),
        draw=partial(plots.forest, x_label="Odds ratio per standard deviation", reference=1.0, scale="log"),
    )
