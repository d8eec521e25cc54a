"""Repeats the dropout analysis on simulated clinic groups with competing ends: bias, coverage and type I error.

`make calibrate` runs 400 sets of each world and writes docs/calibration/dropout.md.

The truth: of the clients whose treatment does not end as planned, the logit of leaving falls by a given number per point of the
alliance last felt, and differs between therapists. The ratings are totals without errors of items. One in ten
is missing; the last one is then older, which draws its own effect towards zero.
"""

import pandas as pd
from calibration import Plan, Row, main

from alliance_longitudinal.analyses.dropout.compute import fit_end, leaving_of
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

BASE = {
    "dropout_intercept": -3.0,
    "dropout_by_severity": 0.0,
    "planned_chance": 0.03,
    "planned_by_session": 0.15,
}
TERMS = {
    "within": "last rating less the own mean so far",
    "client_mean": "mean so far",
    "severity": "symptoms",
}
#: Name of a make -> its truth, and the effect of the alliance per point.
MAKES = {
    "effect, 30 therapists, 600 clients": (
        ClinicTruth(30, 600, dropout_by_alliance=0.06, dropout_therapist_sd=0.6, **BASE),
        -0.06,
    ),
    "no effect, 30 therapists, 600 clients": (ClinicTruth(30, 600, dropout_therapist_sd=0.6, **BASE), 0.0),
    "effect, 10 therapists, 200 clients": (
        ClinicTruth(10, 200, dropout_by_alliance=0.06, dropout_therapist_sd=0.6, **BASE),
        -0.06,
    ),
}


def one(seed: int, make: str) -> list[Row]:
    """Log odds of one clinic group, and the standard deviation between therapists."""
    study = simulated_study(seed, MAKES[make][0], items=False)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    rated = draft.sessions[draft.sessions["session"].ge(1) & draft.sessions[a.name].notna()][
        "client"
    ].unique()
    draft.sessions = draft.sessions[draft.sessions["client"].isin(rated)]
    model = fit_end(draft, leaving_of(draft, study.sessions, a, y, 8, True), "dropout", "dropout")
    limits = model.result.conf_int()
    sd = float(model.result.varcorr["sdcor"].iloc[0])
    return [
        {
            "name": term,
            "truth": 0.0 if term == "severity" else MAKES[make][1],
            "estimate": model.result.params[term],
            "se": model.result.bse[term],
            "low": limits.loc[term].iloc[0],
            "high": limits.loc[term].iloc[1],
            "sd": sd,
        }
        for term in TERMS
    ]


def more(draws: pd.DataFrame) -> list[str]:
    """The standard deviation between therapists."""
    lines = [
        "| world | therapists' standard deviation: truth | mean | share estimated as zero |",
        "|---|---|---|---|",
    ]
    for make, part in draws[draws["name"] == "severity"].groupby("world", sort=False):
        lines.append(f"| {make} | 0.6 | {part['sd'].mean():.3f} | {100 * (part['sd'] < 1e-6).mean():.1f} % |")
    return lines


PLAN = Plan(
    "dropout",
    "the dropout analysis",
    """
Clinic groups with planned ends as competing events and therapists who differ in how many clients leave (standard deviation .6 of the logit).
Effects are log odds per point.
""",
    list(MAKES),
    one,
    ["within", "client_mean"],
    "log odds of dropout per point of the alliance",
    TERMS,
    """
Where the truth is zero, the coverage is one minus the type I error. What counts is the alliance felt in the last session: one rating
in ten is missing, and the older one in its place pulls the effect of the last rating towards zero. Measurement error of the items does so, too (these clinics have none): with items the mean of the first world is about -.04.
""",
    digits=4,
    more=more,
    short="missing ratings pull the effect of the last rating towards zero",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
