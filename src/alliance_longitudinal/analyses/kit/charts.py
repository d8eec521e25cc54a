"""Figures that more than one analysis shows."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.counts import Number, Share
from alliance_longitudinal.labels import interval, number
from alliance_longitudinal.language import translated
from alliance_longitudinal.present import Column, FigureSpec, plots
from alliance_longitudinal.sentences import Sentence, joined, say


def shares_figure(estimates: list[Estimate], bars: Mapping[str, str], title: str) -> FigureSpec:
    """Shares of variance; ``bars`` maps an id prefix to the name of its bar."""
    words = {"clinic": "clinics", "therapist": "therapists", "client": "clients", "session": "sessions"}
    rows: list[dict[str, Any]] = [
        {
            "bar": name,
            "part": translated(words[e.level]),
            "share": e.estimate,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
        }
        for prefix, name in bars.items()
        for e in estimates
        if e.id.startswith(f"{prefix}_") and e.unit == "share"
    ]
    data = pd.DataFrame(rows)
    alt = (
        translated("Shares of variance")
        + ". "
        + "; ".join(
            f"{r['bar']}, {r['part']}: {number(r['share'], 'percent')} ({interval(r['ci_low'], r['ci_high'], 'percent')})"
            for r in rows
        )
    )
    return FigureSpec(
        name="variance_shares",
        title=title,
        caption="Bars: percent of the variance at each level. A part too narrow for its number is in the "
        "table, which also gives the intervals.",
        alt=alt + ".",
        how_to_read="The longer a part of a bar, the more of the differences lie at that level.",
        section="results",
        data=data,
        columns=(
            Column("bar", "Variance of"),
            Column("part", "Between"),
            Column("share", "Share", "percent", modelled=True),
            Column("ci_low", "95 % low", "percent", modelled=True),
            Column("ci_high", "95 % high", "percent", modelled=True),
        ),
        draw=partial(plots.stacked, x_label=translated("Share of variance")),
    )


def found_and_expected(
    rows: list[dict[str, Any]],
    words: dict[str, str],
    *,
    title: str,
    caption: str,
    alt: str,
    how_to_read: str,
    own_scales: bool = False,
) -> FigureSpec:
    """Shares of people or rows that each rule finds, over bars of what is expected without an effect.

    Parameters
    ----------
    rows : list of dict
        One per rule: ``label``, ``whole`` and ``found`` (counts), ``expected``, ``low`` and ``high`` (numbers, of ``whole``).
    words : dict
        What the parts are called: ``rule, whole, found, bars, x``.
    title, caption, alt, how_to_read : str
        ``alt`` is its beginning; the numbers are added.
    own_scales : bool
        Whether each rule has an axis of its own, where some find far fewer than others.
    """
    counts = pd.DataFrame(rows)
    data = counts.assign(
        share=counts["found"] / counts["whole"],
        **{key: counts[key] / counts["whole"] for key in ("expected", "low", "high")},
    )
    return FigureSpec(
        name="found_and_expected",
        title=title,
        caption=caption,
        alt=Sentence(alt) + " " + joined(list(map(_found_words, rows)), "; ") + ".",
        how_to_read=how_to_read,
        section="answer",
        data=data[["label", "whole", "found", "share", "expected", "low", "high"]].assign(mark=""),
        columns=(
            Column("label", words["rule"]),
            Column("whole", words["whole"], "count"),
            Column("found", words["found"], "count", total="whole"),
            Column("share", "Share", "percent", of="found"),
            Column("expected", "Expected share", "percent", of="whole", modelled=True),
            Column("low", "Expected, low", "percent", of="whole", modelled=True),
            Column("high", "Expected, high", "percent", of="whole", modelled=True),
        ),
        draw=partial(
            plots.forest,
            value="share",
            bars=("low", "high"),
            names=(words["bars"], "found"),
            reference=None,
            scale="percent",
            limits=(0, None),
            x_label=words["x"],
            panel="label" if own_scales else "",
            label="mark" if own_scales else "label",
        ),
    )


def _found_words(row: dict[str, Any]) -> Sentence:
    return say(
        "{rule}: {found} found, {expected} expected",
        rule=str(row["label"]),
        found=Share(row["found"], row["whole"]),
        expected=Number(row["expected"] / row["whole"], "percent", n=row["whole"]),
    )


def curves_figure(
    data: pd.DataFrame,
    *,
    name: str,
    title: str,
    caption: str,
    alt: str,
    how_to_read: str,
    heads: tuple[str, str, str],
    ordered: bool = False,
) -> FigureSpec:
    """Shares of clients that grow over sessions, with bands.

    Parameters
    ----------
    data : DataFrame
        ``label, session, n, estimate, low, high``: a curve for each label, of ``n`` clients.
    alt : str
        Its beginning; the last share of each curve follows.
    heads : tuple of str
        What the labels, the sessions and the shares are called.
    ordered : bool
        Whether the labels have an order, such as thirds.
    """
    ends = data.groupby("label", sort=False).tail(1)
    said = [say("{label} {share}", label=r.label, share=Share.of(r.estimate, r.n)) for r in ends.itertuples()]
    which, when, what = heads
    return FigureSpec(
        name=name,
        title=title,
        caption=caption,
        alt=alt + joined(said, ", ") + ".",
        how_to_read=how_to_read,
        section="answer",
        data=data[["label", "session", "n", "estimate", "low", "high"]],
        columns=(
            Column("label", which),
            Column("session", when, "integer"),
            Column("n", "Clients", "count"),
            Column("estimate", what, "percent", of="n", modelled=True),
            Column("low", "95 % low", "percent", of="n", modelled=True),
            Column("high", "95 % high", "percent", of="n", modelled=True),
        ),
        draw=partial(
            plots.lines,
            x="session",
            y="estimate",
            by="label",
            ordered=ordered,
            band=True,
            percent=True,
            x_label=when,
            y_label=what,
        ),
    )
