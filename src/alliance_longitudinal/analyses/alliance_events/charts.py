"""The figures of the report on ruptures."""

from functools import partial
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.alliance_events.compute import Found
from alliance_longitudinal.analyses.kit import Number, Share, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots


def found_figure(found: Found, label: str) -> FigureSpec:
    """Share of ratings that are a rupture by each rule, beside what fluctuation alone would produce."""
    rows: list[dict[str, Any]] = []
    for rule, events in zip(found.rules, found.events, strict=True):
        n = events.transitions
        low, high = events.expected_limits
        rows.append(
            {
                "label": rule.words,
                "judged": n,
                "found": len(events.events),
                "share": len(events.events) / n,
                "expected": events.expected / n,
                "low": low / n,
                "high": high / n,
            }
        )
    said = [
        say(
            "{rule}: {found} found, {expected} expected",
            rule=str(r["label"]),
            found=Share(r["found"], r["judged"]),
            expected=Number(r["expected"], "percent", n=r["judged"]),
        )
        for r in rows
    ]
    return FigureSpec(
        name="found_and_expected",
        title=f"Ruptures in {label}, found and expected from fluctuation alone",
        caption="Dots: share of the ratings that are a rupture. Grey bars: the middle 95 % of simulated data in which the alliance only "
        "fluctuates.",
        alt="Ratings that are a rupture, found and expected from fluctuation. " + joined(said, "; ") + ".",
        how_to_read="A dot within its bar: no more ruptures than random fluctuation alone would produce.",
        section="answer",
        data=pd.DataFrame(rows),
        columns=(
            Column("label", "Rule"),
            Column("judged", "Ratings", "count"),
            Column("found", "Ruptures", "count", total="judged"),
            Column("share", "Share", "percent", of="found"),
            Column("expected", "Expected share", "percent", of="judged", modelled=True),
            Column("low", "Expected, low", "percent", of="judged", modelled=True),
            Column("high", "Expected, high", "percent", of="judged", modelled=True),
        ),
        draw=partial(
            plots.forest,
            value="share",
            bars=("low", "high"),
            names=("expected from fluctuation", "found"),
            reference=None,
            scale="percent",
            limits=(0, None),
            x_label="Share of ratings",
        ),
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
    long = pd.concat(
        [
            pd.DataFrame(rows).assign(which="found"),
            pd.DataFrame(rows).assign(which="expected from fluctuation", share=[r["expected"] for r in rows]),
        ],
        ignore_index=True,
    )[["label", "which", "found", "repaired", "share"]]
    said = [
        say(
            "{rule}: {found} repaired, {expected} expected",
            rule=str(r["label"]),
            found=Share(r["repaired"], r["found"]),
            expected=Number(float(r["expected"]), "percent", n=r["found"]),
        )
        for r in rows
    ]
    return FigureSpec(
        name="repairs",
        title="Repaired ruptures, found and expected from fluctuation alone",
        caption="Share of the ruptures that were repaired within the next ratings.",
        alt="Repaired ruptures, found and expected from fluctuation. " + joined(said, "; ") + ".",
        how_to_read="If both marks are close together, the alliance comes back no more often than after low "
        "ratings by chance.",
        section="results",
        data=long,
        columns=(
            Column("label", "Rule"),
            Column("which", "Which"),
            Column("found", "Ruptures", "count"),
            Column("repaired", "Repaired", "count", total="found"),
            Column("share", "Share", "percent", of="repaired", modelled=True),
        ),
        draw=partial(
            plots.forest,
            value="share",
            by="which",
            reference=None,
            scale="percent",
            limits=(0, None),
            x_label="Share of ruptures",
        ),
    )
