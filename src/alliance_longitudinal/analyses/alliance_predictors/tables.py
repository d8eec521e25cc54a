"""The tables of the report on predictors of the alliance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alliance_longitudinal.analyses.alliance_predictors.compute import TEN, Model
from alliance_longitudinal.analyses.kit import ESTIMATE, TEST, Draft, Estimate, Number, Sentence, say
from alliance_longitudinal.counts import Things
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column, Table

PARTS = {"early": "Early alliance", "level": "Level of the alliance", "growth": "Growth of the alliance"}


@dataclass(frozen=True, slots=True)
class Row:
    """An effect of a table: in standard deviations, as a correlation, and with q.

    Attributes
    ----------
    effect : Estimate
    r : Estimate or None
    q : float
    """

    effect: Estimate
    r: Estimate | None
    q: float


def effects_table(part: str, rows: Sequence[Row], note: Sentence | str) -> Table:
    """The effects of one part with p and q."""
    with_r = any(row.r is not None for row in rows)
    cells = [_cells(row) for row in rows]
    columns = [
        Column("label", "Effect of"),
        *ESTIMATE,
        *(
            (
                Column("r", "r", "number", of="n"),
                Column("r_low", "95 % low", "number", of="n"),
                Column("r_high", "95 % high", "number", of="n"),
            )
            if with_r
            else ()
        ),
        Column("df", "df", "df"),
        Column("p", "p", "p"),
        Column("q", "q", "p"),
        Column("n", "n", "count"),
    ]
    return Table.from_rows(f"effects_{part}", PARTS[part], "results", cells, columns, note)


def _cells(row: Row) -> dict[str, Any]:
    e, r = row.effect, row.r
    return {
        "label": e.label,
        "estimate": e.estimate,
        "ci_low": e.ci_low,
        "ci_high": e.ci_high,
        "r": np.nan if r is None else r.estimate,
        "r_low": np.nan if r is None else r.ci_low,
        "r_high": np.nan if r is None else r.ci_high,
        "df": e.df,
        "p": e.p,
        "q": row.q,
        "n": Things(e.n) if e.level == "therapist" else e.n,
    }


def effects_note(part: str, model: Model, a: Measure, middle: float, time: str) -> Sentence:
    """What the numbers of a table of effects are."""
    what = {
        "early": "the client's mean in the early sessions",
        "level": say(
            "the level at the average time of the ratings ({time} {t})",
            time=time,
            t=Number(middle, n=model.n),
        ),
        "growth": say("the change of the alliance over {ten} {time}s", ten=Number(TEN, "integer"), time=time),
    }[part]
    return (
        Sentence("Outcome: ")
        + what
        + say(
            ", in standard deviations between clients (one is {sd} {label} points). Numbers are per standard deviation of the "
            "predictor. All predictors are in one model. q: p corrected for the number of tests (Benjamini & Hochberg). n: clients, or "
            "therapists for effects between therapists.",
            sd=Number(model.sd, n=model.n),
            label=a.instrument.label,
        )
        + ("" if part == "growth" else " r: the correlation that belongs to the test.")
    )


def show_points(draft: Draft, estimates: Sequence[Estimate]) -> None:
    """The same effects in points of the questionnaire."""
    draft.table_of(
        "points",
        "Effects in points",
        "results",
        estimates,
        [Column("label", "Effect of"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        "The same effects, per unit of the predictor or compared with another category.",
    )


def alone_table(
    part: str, together: Mapping[str, Row], alone: Sequence[tuple[Estimate, Estimate | None]]
) -> Table:
    """Each effect with all predictors in the model, and with its predictor alone."""
    cells = []
    for effect, r in alone:
        both = together.get(effect.id.removesuffix("_alone"))
        cells.append(
            {
                "label": effect.label,
                "estimate": effect.estimate,
                "ci_low": effect.ci_low,
                "ci_high": effect.ci_high,
                "r": np.nan if r is None else r.estimate,
                "p": effect.p,
                "n": Things(effect.n) if effect.level == "therapist" else effect.n,
                "together": np.nan if both is None else both.effect.estimate,
                "together_low": np.nan if both is None else both.effect.ci_low,
                "together_high": np.nan if both is None else both.effect.ci_high,
            }
        )
    columns = [
        Column("label", "Effect of"),
        Column("estimate", "Alone", "number", of="n"),
        Column("ci_low", "95 % low", "number", of="n"),
        Column("ci_high", "95 % high", "number", of="n"),
        Column("r", "r alone", "number", of="n"),
        Column("p", "p alone", "p"),
        Column("n", "n alone", "count"),
        Column("together", "Together", "number"),
        Column("together_low", "95 % low", "number"),
        Column("together_high", "95 % high", "number"),
    ]
    note = (
        "Alone: only this predictor is in the model, with all clients for whom it is known. Together: all predictors are in one model. "
        "Published correlations are mostly of one predictor alone."
    )
    title = f"{PARTS[part]}: each predictor alone, and together"
    return Table.from_rows(f"alone_{part}", title, "sensitivity", cells, columns, note)
