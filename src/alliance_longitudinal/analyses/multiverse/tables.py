"""The tables of the multiverse report, and the estimates in them."""

from typing import Any

import numpy as np

from alliance_longitudinal.analyses.kit import Draft, Estimate
from alliance_longitudinal.analyses.kit.curves import Summary, curve_columns, summary_of
from alliance_longitudinal.analyses.multiverse.compute import Multiverse
from alliance_longitudinal.analyses.multiverse.grid import AXES
from alliance_longitudinal.present import Column, Table


def main_sign(found: Multiverse) -> float:
    """The sign of the main analysis, or of the median where it could not be made."""
    estimate = float(found.curve.table["estimate"].iloc[found.main])
    if np.isnan(estimate):
        own = found.of(found.question)
        estimate = found.curve.median if own is None else own.median
    return float(np.sign(estimate))


def estimates(draft: Draft, found: Multiverse, main: Summary, every: Summary) -> None:
    """``mv_...`` of the main question and of all analyses, and what each choice does."""
    row = found.curve.table.iloc[found.main]
    unit = "SD of outcome per SD of alliance"
    level = "client"
    if not np.isnan(row["estimate"]):
        number = {name: float(row[name]) for name in ("estimate", "se", "df", "lower", "upper", "p")}
        draft.estimate(
            Estimate(
                "mv_main",
                "The main analysis",
                number["estimate"],
                number["se"],
                number["df"],
                number["lower"],
                number["upper"],
                number["p"],
                int(row["n"]),
                level,
                unit,
            )
        )
    for identity, label, value, kind in (
        ("mv_median", "Median of the analyses of the main question", main.median, unit),
        (
            "mv_share_same_sign",
            "Share of them with the sign of the main analysis",
            main.same,
            "proportion of analyses",
        ),
        ("mv_n_significant", "Significant ones of them", float(main.significant), "analyses"),
        ("mv_n_expected", "Significant ones expected without an effect", main.expected, "analyses"),
        ("mv_p_median", "Joint test by the median", main.p_median, "p"),
        ("mv_p_share", "Joint test by the number of significant analyses", main.p_share, "p"),
        ("mv_p_mean_t", "Joint test by the mean t", main.p_mean_t, "p"),
        (
            "mv_all_share_same_sign",
            "Share of all analyses with the sign of the main analysis",
            every.same,
            "proportion of analyses",
        ),
        (
            "mv_all_p_share",
            "Joint test of all questions by the number of significant analyses",
            every.p_share,
            "p",
        ),
        ("mv_all_p_mean_t", "Joint test of all questions by the mean t", every.p_mean_t, "p"),
    ):
        draft.estimate(Estimate(identity, label, value, n=main.n, level=level, unit=kind))
    for axis, share in shares_of_choices(found):
        draft.estimate(
            Estimate(
                f"mv_choice_{axis}",
                f"{AXES[axis]}: share of the differences between analyses",
                share,
                n=main.n,
                level=level,
                unit="proportion of differences",
            )
        )


def shares_of_choices(found: Multiverse) -> list[tuple[str, float]]:
    """Eta squared of each choice over all analyses, the largest first."""
    table = found.curve.by_choice().sort_values("share", ascending=False, kind="stable")
    return [(str(c), float(s)) for c, s in zip(table["choice"], table["share"], strict=True)]


def show_tables(draft: Draft, found: Multiverse) -> None:
    """Each question's curve in a row, the choices, and the analyses of the main question."""
    draft.show(_questions(found), _choices(found), _cells(found))


def _questions(found: Multiverse) -> Table:
    sign = main_sign(found)
    rows: list[dict[str, Any]] = []
    order = [found.question, *(q for q in dict.fromkeys(found.questions) if q != found.question)]
    for question in order:
        curve = found.of(question)
        if curve is None:
            continue
        rows.append(summary_of(curve, sign).row(question + " (main question)" * (question == found.question)))
    note = (
        "Analyses of another part of the alliance, of another rater, or of clients who stayed longer ask another question, so each "
        "question has its own row. Median: standard deviations of outcome per standard deviation of alliance; a positive "
        "number means that better alliance goes with better outcome. p: share of permuted data sets whose curve is as extreme."
    )
    columns = curve_columns("Question", "Same sign as the main analysis")
    return Table.from_rows("questions", "Each question on its own", "results", rows, columns, note)


def _choices(found: Multiverse) -> Table | None:
    rows = [{"choice": AXES[axis], "share": share} for axis, share in shares_of_choices(found)]
    if not rows:
        return None
    return Table.from_rows(
        "choices",
        "Which choice moves the answer",
        "results",
        rows,
        [Column("choice", "Choice"), Column("share", "Share of the differences", "percent", modelled=True)],
        "Of the differences between all analyses, the share that each choice explains beyond the others. The rest is due to "
        "combinations of choices.",
    )


def _cells(found: Multiverse) -> Table:
    rows = np.array([q == found.question for q in found.questions])
    table = found.curve.table[rows].assign(main=(np.arange(len(rows)) == found.main)[rows])
    table = table.sort_values("estimate", kind="stable")
    axes = [c for c in AXES if c in table]
    cells = [
        {
            **{c: getattr(r, c) for c in axes},
            "estimate": r.estimate,
            "lower": r.lower,
            "upper": r.upper,
            "p": r.p,
            "n": int(r.n),
            "main": "yes" if r.main else "",
        }
        for r in table.itertuples()
    ]
    columns = [
        *(Column(c, AXES[c]) for c in axes),
        Column("estimate", "Estimate", "number", of="n"),
        Column("lower", "95 % low", "number", of="n"),
        Column("upper", "95 % high", "number", of="n"),
        Column("p", "p", "p"),
        Column("n", "Clients", "count"),
        Column("main", "Main analysis"),
    ]
    note = "Standard deviations of outcome per standard deviation of alliance. An empty row could not be estimated."
    return Table.from_rows(
        "analyses", "Every analysis of the main question", "sensitivity", cells, columns, note
    )
