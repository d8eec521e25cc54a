"""Repeats the expected-course analysis on simulated clinic groups: do its intervals contain what large groups show?

`make calibrate` runs 200 sets of each world and writes docs/calibration/expected_course.md.

The truth of a number is its value in a few very large clinic groups of the same make, where the archive is large and the
number has hardly any error. In small groups the archive is small, so bands are a little too narrow and risks a little too extreme:
that is a bias of the small archive, and the page shows it.
"""

import pandas as pd
from calibration import Plan, Row, main, row_of

import alliance_longitudinal as al
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

#: Courses that differ much, so that about one client in five deteriorates; therapists differ, and the alliance matters.
COURSES = {
    "client_slope_sd": 0.35,
    "slope": -0.02,
    "early_rate": -0.1,
    "early_rate_sd": 0.4,
    "therapist_slope_sd": 0.1,
    "within": -0.03,
    "between": -0.03,
}
#: Name of a make -> therapists and clients.
MAKES = {"20 therapists, 500 clients": (20, 500), "10 therapists, 200 clients": (10, 200)}
LARGE = (200, 6000)
LARGE_SEEDS = range(9001, 9005)
NAMES = (
    *(
        "cover80_k0",
        "cover95_k0",
        "rmse_k0",
        "cover80_k4",
        "rmse_k4",
        "cover80_k4_therapist",
        "rmse_k4_therapist",
    ),
    *(
        "cover80_alliance_k4",
        "deteriorated",
        "flagged",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "ppv_5",
        "ppv_10",
    ),
    *("auc", "brier", "calibration_slope", "calibration_intercept", "delta_auc_alliance", "or_alliance"),
)


def one(seed: int, make: str) -> list[Row]:
    """Estimates of one clinic group."""
    therapists, clients = MAKES.get(make, LARGE)
    study = simulated_study(seed, ClinicTruth(therapists, clients, **COURSES), items=False)
    found = al.expected_course(study, folds=5, seed=seed).estimates
    return [row_of(str(e["id"]), e) for e in found.to_dict("records") if e["id"] in NAMES]


def known(draws: pd.DataFrame) -> pd.DataFrame:
    """Truths from the large groups."""
    by = draws[draws["world"] == "large"].groupby("name")["estimate"]
    return draws.assign(truth=draws["name"].map(by.mean()), truth_error=draws["name"].map(by.sem()))


PLAN = Plan(
    "expected_course",
    "expected courses",
    f"""
Clinic groups in five folds. The truth is the mean of {len(LARGE_SEEDS)} groups of {LARGE[1]} clients of {LARGE[0]} therapists, with its own error.
""",
    list(MAKES),
    one,
    ["cover80_k0", "cover80_k4", "auc", "calibration_slope", "or_alliance"],
    "coverage of the bands, accuracy of the warning, odds ratio of the alliance",
    {name: f"`{name}`" for name in NAMES},
    """
Numbers on accuracy are missing where fewer than 20 clients had the event. The simulated courses do not follow the logarithm of time, so the
share of scores in a band need not be 80 or 95 % even in large groups: the truth is what the method reaches there.

Intervals of coverage are wide: they take the bands as given, but bands are fitted to clients of the same group and follow its spread,
so coverage varies less between groups. The interval of the difference in AUC is too narrow, because this difference is skewed and
cannot be far below zero; the odds ratio of the alliance (`or_alliance`) is the better number to judge by.
""",
    sets=200,
    digits=4,
    heads=("world", "number"),
    large={"large": LARGE_SEEDS},
    known=known,
    short="the interval of the gain in AUC by the alliance is too narrow (judge by its odds ratio); the intervals of coverage are too wide",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
