"""The tables of the report on the course of the alliance."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.analyses.alliance_course.compute import CLASSES, SHAPES, Shapes
from alliance_longitudinal.analyses.kit import ESTIMATE, SHARE, TEST, Draft, Estimate, Number, say
from alliance_longitudinal.present import Column, Table

if TYPE_CHECKING:
    from alliance_longitudinal.methods.growth.confusion import Confusion


def shape_table(shapes: Shapes) -> Table:
    """AIC of every shape, and of the best one over the share of treatment."""
    rows = [
        {
            "shape": SHAPES[str(name)],
            "aic": row["aic"],
            "more": row["delta_aic"],
            "parameters": int(row["parameters"]),
            "n": shapes.main.n,
        }
        for name, row in shapes.main.table.iterrows()
    ]
    columns = [
        Column("shape", "Shape"),
        Column("aic", "AIC", "number", of="n"),
        Column("more", "More than the best", "number", of="n"),
        Column("parameters", "Parameters", "integer"),
        Column("n", "Ratings", "count"),
    ]
    note = (
        "The smaller the AIC, the better the shape describes the ratings. A difference below two says little, and by chance the AIC prefers a richer shape "
        "to a straight line in a fifth to a third of studies; the answer therefore also tests the line. The shape that levels off has a random "
        "slope of the logarithm of the session, the others of the session; the AIC compares both at once."
    )
    return Table.from_frame(
        "shapes", "Which shape describes the alliance best?", "answer", pd.DataFrame(rows), columns, note
    )


def share_table(shapes: Shapes) -> Table | None:
    """Sessions against share of treatment, in the same rows; None where treatments are too short."""
    if not shapes.shared:
        return None
    words = {"session": "Number of the session", "share": "Share of the own treatment"}
    rows = [
        {"time": words[name], "shape": SHAPES[found.best], "aic": found.table["aic"].iloc[0], "n": found.n}
        for name, found in shapes.shared.items()
    ]
    columns = [
        Column("time", "Time"),
        Column("shape", "Best shape"),
        Column("aic", "AIC", "number", of="n"),
        Column("n", "Ratings", "count"),
    ]
    note = (
        "The same ratings with two times. If the share of treatment describes them better, the course depends on how near the end is. The end of a "
        "treatment that was broken off, or that has not ended, is taken for its end."
    )
    return Table.from_frame(
        "share", "Sessions, or share of treatment?", "sensitivity", pd.DataFrame(rows), columns, note
    )


def course_tables(draft: Draft, phases: list[Estimate], events: list[Estimate], late: list[Estimate]) -> None:
    """Phases, falls by phase, late alliance."""
    if phases:
        draft.table_of(
            "phases",
            "Change in each phase",
            "results",
            phases,
            [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST],
            "Straight lines that meet between the phases. Bordin expects a rise, then a fall, then a return.",
        )
    if events:
        *falls, expected = events
        draft.table_of(
            "events",
            "Falls of the alliance by phase",
            "results",
            falls,
            [Column("label", "What"), *SHARE, Column("n", "Of ratings", "count")],
            say(
                "A fall is more than one standard deviation within clients from one session to the next. In simulated series that only fluctuate it "
                "is {e} of the ratings ({e:interval}) in every phase. Where the alliance rises, falls are rarer.",
                e=Number(
                    expected.estimate, "percent", low=expected.ci_low, high=expected.ci_high, n=expected.n
                ),
            ),
        )
    if late:
        draft.table_of(
            "late",
            "Early and late alliance, and outcome",
            "results",
            late,
            [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST],
            "Outcome: the last score, given the first one and the last one before the late ratings begin; between clients of the same "
            "therapist. All rows are of the same clients.",
        )


def class_tables(draft: Draft, estimates: list[Estimate], confusion: "Confusion | None") -> None:
    """Shares of the classes, and the confusion matrix."""
    shares = [e for e in estimates if e.id.startswith("class_")]
    if not shares or confusion is None:
        return
    draft.table_of(
        "classes",
        "Courses of single clients",
        "results",
        shares,
        [Column("label", "What"), *SHARE, Column("n", "Of clients", "count")],
        "The class with the lowest AICc of a constant, a line and a parabola for each client.",
    )
    frame = confusion.matrix.reset_index(names="true")
    frame["true"] = frame["true"].map(CLASSES)
    columns = [
        Column("true", "True course"),
        *(Column(name, f"Found: {words}", "percent", modelled=True) for name, words in CLASSES.items()),
    ]
    note = (
        "Simulated courses with the spread, the sizes of true courses and the times of rating of these clients. A row without numbers: the "
        "clients' courses of this kind are not larger than error alone produces."
    )
    draft.show(
        Table.from_frame(
            "confusion", "How often is the class of a client right?", "checks", frame, columns, note
        )
    )
