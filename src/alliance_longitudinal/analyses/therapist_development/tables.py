"""The tables of the report on therapists' development."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import ESTIMATE, TEST, Draft, Estimate
from alliance_longitudinal.analyses.therapist_development.design import Cases, steps_of
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column, Table


def show_changes(draft: Draft, main: list[Estimate], further: list[Estimate]) -> None:
    """The main changes, and other ways to look at them."""
    columns = [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST]
    draft.table_of(
        "changes",
        "Change over a therapist's cases",
        "results",
        main,
        columns,
        "Change within therapists: later clients of a therapist compared with earlier clients of the same therapist. For symptoms, in "
        "standard deviations a positive number is better; in points the direction is that of the questionnaire.",
    )
    if further:
        draft.table_of(
            "further",
            "The same question in other ways",
            "sensitivity",
            further,
            columns,
            "Each row has its own model. If they disagree in direction, the answer depends on the choice.",
        )


def steps_table(cases: Cases, a: Measure | None, y: Measure | None, smallest: int) -> Table:
    """Clients and mean scores in steps of ten cases."""
    clients = cases.clients
    rows = []
    for label, part in clients.groupby(steps_of(clients["case"], smallest), observed=True):
        row: dict[str, object] = {"label": str(label), "n": len(part)}
        for column in ("alliance", "intake", "end"):
            known = part[column].dropna()
            row |= {column: known.mean() if len(known) else np.nan, f"n_{column}": len(known)}
        rows.append(row)
    columns = [Column("label", "Cases"), Column("n", "Clients", "count")]
    for column, measure, words in (
        ("alliance", a, "early"),
        ("intake", y, "at intake"),
        ("end", y, "end"),
    ):
        if measure is not None:
            columns += [
                Column(column, f"{measure.instrument.label}, {words}", "number", of=f"n_{column}"),
                Column(f"n_{column}", "Clients with it", "count", total="n"),
            ]
    note = (
        "Means over clients. They mix change within therapists with differences between therapists, because late cases come only from "
        "therapists with many clients; the models do not."
    )
    return Table.from_frame("steps", "Scores by case number", "results", pd.DataFrame(rows), columns, note)
