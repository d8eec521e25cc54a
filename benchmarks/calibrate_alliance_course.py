"""Repeats the analysis of the course of the alliance on simulated clinic groups: which shape is found, coverage of phases and of the late alliance.

`make calibrate` runs 400 sets of each world and writes docs/calibration/alliance_course.md.

The truth: the average alliance rises along a straight line, levels off (logarithm of the session), or falls from session 5 to 8 and returns
until session 11. It does not follow improvement. Ratings are totals without errors of items.
"""

import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.alliance_course.compute import fit_phases, late_estimates, phase_estimates
from alliance_longitudinal.analyses.alliance_course.design import courses_of, late_rows
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.methods import growth_shapes
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

BASE = {"alliance_by_improvement": 0.0, "within": 0.0, "between": 0.0}
#: Make -> its truth, the shapes that are right, and the change per session in sessions 1 to 5, 6 to 8, 9 to 11 and after.
MAKES = {
    "straight line, 300 clients": ({"alliance_growth": 0.3}, ("linear",), (0.3, 0.3, 0.3, 0.3)),
    "levelling off, 300 clients": ({"alliance_log": 4.0}, ("log",), None),
    "falls and returns, 300 clients": ({"alliance_dip": 6.0}, ("piecewise",), (0.0, -2.0, 2.0, 0.0)),
    "falls and returns, 80 clients": ({"alliance_dip": 6.0}, ("piecewise",), (0.0, -2.0, 2.0, 0.0)),
}


def truth_of(make: str, name: str) -> float | None:
    """Truth of an estimate; None where there is no single number."""
    phases = MAKES[make][2]
    if name.startswith("phase_") and phases is not None:
        return phases[int(name[-1]) - 1]
    return 0.0 if name in ("late_given_early", "early_given_late") else None


def one(seed: int, make: str) -> list[Row]:
    """One clinic group: the best shape, and the phases and the late alliance with their limits."""
    clients = int(make.split()[-2])
    study = simulated_study(seed, ClinicTruth(clients // 15, clients, **BASE, **MAKES[make][0]), items=False)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    rated = draft.sessions[draft.sessions[a.name].notna()]
    courses = courses_of(rated, draft.sessions, a.name, (5, 8, 11))
    shapes = growth_shapes(courses.rows, "y", "time", "client", knots=courses.knots)
    phases = phase_estimates(fit_phases(draft, courses.rows, courses.knots), courses, "alliance")
    late = late_estimates(draft, late_rows(study.sessions, a.name, y.name, TimeWindow(1, 5), 4), y)
    known = [(e, truth_of(make, e.id)) for e in [*phases, *late]]
    rows = [row_of(e.id.replace("_", " "), e, truth) for e, truth in known if truth is not None]
    return [row | {"best": shapes.best} for row in rows]


def more(draws: pd.DataFrame) -> list[str]:
    """Which shape was found."""
    lines = ["| world | planted shape | found best (AIC) | share with the planted one |", "|---|---|---|---|"]
    for make, (_, right, _) in MAKES.items():
        best = draws[(draws["world"] == make) & (draws["name"] == "late given early")]["best"]
        counts = ", ".join(f"{name} {n}" for name, n in best.value_counts().items())
        lines.append(f"| {make} | {' or '.join(right)} | {counts} | {100 * best.isin(right).mean():.0f} % |")
    return lines


PLAN = Plan(
    "alliance_course",
    "the course of the alliance",
    """
Which shape of the course is found, the change per session in four phases, and the late alliance given the early one.
""",
    list(MAKES),
    one,
    ["phase 2", "late given early"],
    "change in a phase; late alliance given the early one",
    notes="""
A straight line is a special case of the curve and of the phases, which the AIC prefers by chance in about one of five data sets.
In these clinics neither the early nor the late alliance changes symptoms, so that late given early is zero.
""",
    more=more,
    short="the AIC prefers a richer shape to a true straight line in one of five sets",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
