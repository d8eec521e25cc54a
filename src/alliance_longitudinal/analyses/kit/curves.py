"""A specification curve in the numbers and columns of a report."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alliance_longitudinal.counts import Things
from alliance_longitudinal.present import Column

if TYPE_CHECKING:
    from alliance_longitudinal.methods.probing.curve import SpecificationCurve


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers that the report gives of a specification curve.

    Attributes
    ----------
    cells : int
        Analyses that could be made.
    same : float
        Share of them with the sign of the main analysis.
    significant : int
        Significant in the direction of the median.
    against : int
        Significant in the other direction.
    """

    cells: int
    median: float
    same: float
    significant: int
    against: int
    expected: float
    p_median: float
    p_share: float
    p_mean_t: float
    n: int

    def row(self, question: str) -> dict[str, Any]:
        """Cells of `curve_columns`."""
        return {
            "question": question,
            "cells": Things(self.cells),
            "median": self.median,
            "same": self.same,
            "significant": Things(self.significant),
            "expected": self.expected,
            "p_median": self.p_median,
            "p_share": self.p_share,
            "p_mean_t": self.p_mean_t,
            "n": self.n,
        }


def summary_of(curve: "SpecificationCurve", sign: float) -> Summary:
    """The numbers of one curve; ``sign`` is that of the main analysis."""
    table = curve.table.dropna(subset=["estimate"])
    other = table["significant"] & (np.sign(table["estimate"]) != np.sign(curve.median))
    return Summary(
        cells=len(table),
        median=curve.median,
        same=float((np.sign(table["estimate"]) == np.sign(sign)).mean()),
        significant=curve.n_significant,
        against=int(other.sum()),
        expected=curve.expected_significant,
        p_median=curve.p_median,
        p_share=curve.p_significant,
        p_mean_t=curve.p_mean_t,
        n=int(table["n"].max()),
    )


def curve_columns(question: str, same: str) -> list[Column]:
    """Columns of a table with a curve per row; ``question`` and ``same`` head what differs and the share with the same sign."""
    return [
        Column("question", question),
        Column("cells", "Analyses", "integer"),
        Column("median", "Median", "number", of="n"),
        Column("same", same, "percent", modelled=True),
        Column("significant", "Significant", "integer"),
        Column("expected", "Expected without an effect", "number", of="n"),
        Column("p_median", "p (median)", "p"),
        Column("p_share", "p (number significant)", "p"),
        Column("p_mean_t", "p (mean t)", "p"),
        Column("n", "Clients at most", "count"),
    ]
