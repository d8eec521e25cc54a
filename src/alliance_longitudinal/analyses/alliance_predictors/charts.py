"""The figures of the report on predictors of the alliance."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.tables import PARTS
from alliance_longitudinal.analyses.kit import Estimate, Sentence, joined, say
from alliance_longitudinal.analyses.kit.benchmarks import Benchmark
from alliance_longitudinal.present import Column, FigureSpec, plots

_COLUMNS = (
    Column("label", "Effect of"),
    Column("part", "On"),
    Column("estimate", "Estimate", "number"),
    Column("ci_low", "95 % low", "number"),
    Column("ci_high", "95 % high", "number"),
)
_BARS = (Column("low", "Published, low", "number"), Column("high", "Published, high", "number"))
_READ = (
    "A point to the right of zero: the alliance is better where the predictor is higher. If the line crosses zero, the direction is not "
    "clear."
)
_WHAT = (
    "Points: effects in standard deviations of the alliance, per standard deviation of the predictor or compared with another category; "
    "lines: 95 % intervals."
)


def effects_figure(
    found: Mapping[str, Sequence[Estimate]], published: Mapping[str, Benchmark]
) -> FigureSpec | None:
    """Effects of clients on the early alliance and on its level, with published correlations behind those of attachment.

    Parameters
    ----------
    found : mapping of str to sequence of Estimate
        Part -> its effects, in the order of the figure.
    published : mapping of str to Benchmark
        Id of an effect -> what was published.
    """
    data = _data(found, published)
    if data.empty:
        return None
    bars = bool(data["low"].notna().any())
    title = "What goes with a better alliance: clients"
    published_words = " Grey bars: published mean correlations with their 95 % intervals." if bars else ""
    return FigureSpec(
        name="predictors",
        title=title,
        caption=_WHAT + published_words,
        alt=_alt("Effects of clients' predictors on the alliance.", found),
        how_to_read=_READ,
        section="answer",
        data=data if bars else data.drop(columns=["low", "high"]),
        columns=(*_COLUMNS, *(_BARS if bars else ())),
        draw=partial(
            plots.forest,
            panel=_panel(data),
            bars=("low", "high") if bars else None,
            names=("published correlation", "this study") if bars else ("", ""),
            x_label="Standard deviations of the alliance",
        ),
    )


def therapists_figure(found: Mapping[str, Sequence[Estimate]]) -> FigureSpec | None:
    """Effects between therapists on the early alliance and on its level."""
    data = _data(found, {})
    if data.empty:
        return None
    return FigureSpec(
        name="therapists",
        title="What goes with a better alliance: therapists",
        caption=_WHAT + " They compare therapists, so they are less precise than effects within therapists.",
        alt=_alt("Effects between therapists on the alliance.", found),
        how_to_read=_READ,
        section="results",
        data=data.drop(columns=["low", "high"]),
        columns=_COLUMNS,
        draw=partial(plots.forest, panel=_panel(data), x_label="Standard deviations of the alliance"),
    )


def growth_figure(effects: Sequence[Estimate], time: str) -> FigureSpec | None:
    """Effects of clients on the growth of the alliance."""
    if not effects:
        return None
    return FigureSpec(
        name="growth",
        title="What goes with growth of the alliance",
        caption=f"Points: how much more the alliance grows over ten {time}s, in standard deviations between clients; lines: 95 % "
        "intervals.",
        alt=_alt("Effects of predictors on growth of the alliance.", {"growth": effects}),
        how_to_read="A point to the right of zero: the alliance grows more where the predictor is higher.",
        section="results",
        data=pd.DataFrame([_row(e, "growth") for e in effects]),
        columns=_COLUMNS,
        draw=partial(plots.forest, x_label=f"Standard deviations over ten {time}s"),
    )


def _row(e: Estimate, part: str) -> dict[str, object]:
    numbers = {"estimate": e.estimate, "ci_low": e.ci_low, "ci_high": e.ci_high}
    return {"label": e.label, "part": PARTS[part], **numbers}


def _data(found: Mapping[str, Sequence[Estimate]], published: Mapping[str, Benchmark]) -> pd.DataFrame:
    rows = [
        _row(e, part)
        | {
            "low": published[e.id].low if e.id in published else np.nan,
            "high": published[e.id].high if e.id in published else np.nan,
        }
        for part, every in found.items()
        if part != "growth"
        for e in every
    ]
    return pd.DataFrame(rows)


def _panel(data: pd.DataFrame) -> str:
    return "part" if len(set(data["part"])) > 1 else ""


def _alt(begin: str, found: Mapping[str, Sequence[Estimate]]) -> Sentence:
    said = [
        say("{label}, {part}: {e} ({e:interval})", label=e.label, part=PARTS[part].lower(), e=e.number())
        for part, every in found.items()
        for e in every
        if part != "growth" or len(found) == 1
    ]
    return Sentence(begin) + " " + joined(said, "; ") + "."
