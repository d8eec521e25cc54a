"""The figures of the report on ruptures."""

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.analyses.alliance_events.compute import Found
from alliance_longitudinal.analyses.kit import Number, Share, found_and_expected, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn


def found_figure(found: Found, label: str) -> FigureSpec:
    """Share of ratings that are a rupture by each rule, beside what fluctuation alone would produce."""
    rows: list[dict[str, Any]] = []
    for rule, events in zip(found.rules, found.events, strict=True):
        low, high = events.expected_limits
        numbers = {"found": len(events.events), "expected": events.expected, "low": low, "high": high}
        rows.append({"label": rule.words, "whole": events.transitions, **numbers})
    return found_and_expected(
        rows,
        {
            "rule": "Rule",
            "whole": "Ratings",
            "found": "Ruptures",
            "bars": "expected from fluctuation",
            "x": "Share of ratings",
        },
        title=f"Ruptures in {label}, found and expected from fluctuation alone",
        caption="Dots: share of the ratings that are a rupture. Grey bars: the middle 95 % of simulated data in which the "
        "alliance only fluctuates. Each rule has its own axis.",
        alt="Ratings that are a rupture, found and expected from fluctuation.",
        how_to_read="A dot within its bar: no more ruptures than random fluctuation alone would produce.",
        own_scales=True,
    )


def repair_figure(found: Found) -> FigureSpec | None:
    """Share of repaired ruptures by each rule, beside what fluctuation alone would produce; None without ruptures."""
    rows: list[dict[str, Any]] = [
        {
            "label": rule.words,
            "found": len(events.events),
            "repaired": int(events.events["repaired"].sum()),
            "share": events.repaired,
            "expected": events.expected_repaired,
        }
        for rule, events in zip(found.rules, found.events, strict=True)
        if len(events.events)
    ]
    if not rows:
        return None
    said = [
        say(
            "{rule}: {found} repaired, {expected} expected",
            rule=str(r["label"]),
            found=Share(r["repaired"], r["found"]),
            expected=Number(float(r["expected"]), "percent"),
        )
        for r in rows
    ]
    return FigureSpec(
        name="repairs",
        title="Repaired ruptures, found and expected from fluctuation alone",
        caption="Dots: share of the ruptures that were repaired. Squares: the same share in simulated data in which the "
        "alliance only fluctuates.",
        alt="Repaired ruptures, found and expected from fluctuation. " + joined(said, "; ") + ".",
        how_to_read="Even if the alliance only fluctuates, a low rating is often followed by a higher one. If both marks are "
        "close together, ruptures were repaired no more often than that.",
        section="results",
        data=pd.DataFrame(rows),
        columns=(
            Column("label", "Rule"),
            Column("found", "Ruptures", "count"),
            Column("repaired", "Repaired", "count", total="found"),
            Column("share", "Share", "percent", of="repaired"),
            Column("expected", "Expected share", "percent", modelled=True),
        ),
        draw=_repairs,
    )


def _repairs(data: pd.DataFrame) -> "Drawn":
    """Found and expected shares as marks of their own."""
    long = pd.concat(
        [
            data.assign(which="found"),
            data.assign(which="expected from fluctuation", share=data["expected"]),
        ],
        ignore_index=True,
    )
    return _marks(long)


_marks = partial(
    plots.forest,
    value="share",
    by="which",
    reference=None,
    scale="percent",
    limits=(0, None),
    x_label="Share of ruptures",
)
