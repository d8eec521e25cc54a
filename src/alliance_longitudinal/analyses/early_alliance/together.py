"""The other windows and adjustments judged together: a small multiverse inside the report."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alliance_longitudinal.analyses.early_alliance.sensitivity import Sensitivity
from alliance_longitudinal.analyses.kit import Draft, Estimate, Number
from alliance_longitudinal.analyses.kit.curves import curve_columns, summary_of
from alliance_longitudinal.analyses.kit.early_cells import Cell, Units, least_squares, outcome_of, run
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.present import Table

if TYPE_CHECKING:
    from alliance_longitudinal.methods.probing.curve import SpecificationCurve

#: Permutations of the joint test: enough for a p of .005, and quick.
N_PERM = 199
OUTCOMES = {"slope": "rate of change", "last": "change to the last score"}
#: Below this share of analyses with its sign, the main answer depends on the choices.
FRAGILE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Curves by the session at which clients had to be in treatment.

    Attributes
    ----------
    by_session : dict
        Last session of the window -> curve.
    main : int
        That of the main analysis.
    """

    by_session: "dict[int, SpecificationCurve]"
    main: int


def together(found: Sensitivity, main: EarlyDesign, weeks: float, seed: int) -> Together | None:
    """Least-squares analyses within therapists of each window, adjustment and outcome, with joint permutation tests.

    Windows that end at another session are about other clients, so they are curves of their own.
    """
    units = Units.of(found.sessions, "within")
    cells: dict[tuple[str, ...], Cell | None] = {}
    choices, ends = [], []
    for row, design in zip(found.table.to_dict("records"), found.designs, strict=True):
        if design is None:
            continue
        for outcome, words in OUTCOMES.items():
            of = outcome_of(design, outcome, weeks)
            choice = {"window": str(row["window"]), "adjusted": str(row["adjusted"]), "outcome": words}
            cells[tuple(choice.values())] = (
                None if of is None else least_squares(design, of[0], units, "within", of[1])
            )
            choices.append(choice)
            ends.append(design.choices.window.last)
    curve = run(cells, choices, units, N_PERM, seed)
    if curve is None:
        return None
    by_session = {}
    for end in dict.fromkeys(ends):
        rows = np.array(ends) == end
        if curve.table.loc[rows, "estimate"].notna().any():
            by_session[end] = curve.part(rows)
    last = main.choices.window.last
    return Together(by_session, last) if last in by_session else None


def show_together(draft: Draft, found: Together | None, among: str) -> None:
    """``mv_...`` of the main question, a row for each question, and what to know of it."""
    if found is None:
        return
    own = found.by_session[found.main]
    sign = float(np.sign(own.median))
    n = int(own.table["n"].max())
    unit = "SD of outcome per SD of alliance"
    draft.estimate(
        *(
            Estimate(
                identity, f"Other windows and adjustments: {label}", value, n=n, level="client", unit=kind
            )
            for identity, label, value, kind in (
                ("mv_median", f"median effect {among}", own.median, unit),
                (
                    "mv_share_same_sign",
                    "share with the sign of the median",
                    own.share_same_sign,
                    "proportion of analyses",
                ),
                ("mv_n_significant", "significant analyses", float(own.n_significant), "analyses"),
                ("mv_p_median", "joint test by the median", own.p_median, "p"),
                ("mv_p_share", "joint test by the number of significant analyses", own.p_significant, "p"),
                ("mv_p_mean_t", "joint test by the mean t", own.p_mean_t, "p"),
            )
        )
    )
    draft.show(_table(found, sign, among))
    if own.share_same_sign < FRAGILE:
        draft.find(
            "answer_depends_on_choices",
            "caution",
            "Of {k:noun} with other windows and adjustments, {same} have the same sign. The direction of the answer "
            "depends on these choices.",
            "sensitivity",
            k=Number(int(own.table["estimate"].notna().sum()), "integer", "analysis", "analyses"),
            same=Number(own.share_same_sign, "percent"),
        )
    draft.cite("simonsohn2020")


def _table(found: Together, sign: float, among: str) -> Table:
    rows = []
    moved = "within therapists" if among == "within therapists" else "among all clients"
    for end in (found.main, *(e for e in found.by_session if e != found.main)):
        curve = found.by_session[end]
        words = f"in treatment at session {end}" + " (as in the main analysis)" * (end == found.main)
        rows.append(summary_of(curve, sign).row(words))
    note = (
        f"Least-squares analyses of the effect {among} for every window, adjustment and outcome (rate of change, change to "
        "the last score), in standard deviations of the intake score per standard deviation of alliance; a positive number means "
        f"better outcome. p: share of {N_PERM} data sets, with the alliance permuted {moved}, whose results are as extreme. The "
        "notebook 'multiverse' has more choices and a figure."
    )
    return Table.from_rows(
        "together",
        "The other windows and adjustments judged together",
        "sensitivity",
        rows,
        curve_columns("Clients", "Same sign"),
        note,
    )
