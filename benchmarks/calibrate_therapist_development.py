"""Repeats the analysis of therapists' development on simulated clinic groups: bias, coverage and type I error.

`make calibrate` runs 400 sets of each world and writes docs/calibration/therapist_development.md.

The truth: ten cases of a therapist add a number of points to the alliance, which differs between therapists, and another to every
score after the first session. Clients are numbered in the order of the simulation.
"""

from dataclasses import replace

import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.therapist_development.compute import change_estimate, fit_change
from alliance_longitudinal.analyses.therapist_development.design import cases_of, number_cases
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic

#: Name of a make -> therapists, clients, points of alliance, its standard deviation between therapists, points of the end score.
MAKES = {
    "change, 30 therapists, 600 clients": (30, 600, 1.0, 1.0, -0.5),
    "no change on average, 30 therapists, 600 clients": (30, 600, 0.0, 1.0, 0.0),
    "no change, 30 therapists, 600 clients": (30, 600, 0.0, 0.0, 0.0),
    "change, 10 therapists, 200 clients": (10, 200, 1.0, 1.0, -0.5),
}


def study_of(seed: int, make: str) -> Study:
    """A clinic whose therapists change; ``case`` is a covariate of clients."""
    therapists, clients, alliance, sd, end = MAKES[make]
    truth = ClinicTruth(
        therapists, clients, within=0.0, between=0.0, alliance_by_case=alliance, case_therapist_sd=sd
    )
    study = simulated_study(seed, truth, items=False)
    made = simulate_clinic(seed, truth, items=False)
    case = pd.DataFrame({"client": study.clients["client"], "case": made.people.case.astype(float)})
    sessions = study.sessions
    later = sessions["session"] > 1
    of = case.set_index("client")["case"].reindex(sessions["client"]).to_numpy()
    sessions.loc[later, "phq9"] += end * (of[later] - 1) / 10
    people = study.clients.merge(case, on="client", how="left")
    return replace(study, covariates=("case",), _sessions=sessions, _clients=people)


def one(seed: int, make: str) -> list[Row]:
    """Changes of one clinic group, and how much therapists differ in them."""
    study = study_of(seed, make)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    people = number_cases(study, "case")
    assert people is not None
    cases = cases_of(draft, people, a, y, (1, 5), 13.0, None)
    rows = []
    for outcome, truth in (("alliance", MAKES[make][2]), ("end", MAKES[make][4])):
        change = fit_change(draft, cases, outcome, "case")
        assert change is not None
        e = change_estimate(change, "", "")
        rows.append(row_of(e.id, e, truth) | {"sd": change.sd})
    return rows


def more(draws: pd.DataFrame) -> list[str]:
    """The standard deviation between therapists."""
    lines = ["| world | change | SD between therapists: truth | mean estimate |", "|---|---|---|---|"]
    for (make, name), part in draws.groupby(["world", "name"], sort=False):
        sd = MAKES[make][3] if name == "alliance_case" else 0.0
        lines.append(f"| {make} | {name} | {sd:g} | {part['sd'].mean():.2f} |")
    return lines


PLAN = Plan(
    "therapist_development",
    "the analysis of therapists' development",
    """
Changes are in points over ten cases of a therapist.
""",
    list(MAKES),
    one,
    ["alliance_case", "outcome_case"],
    "change over ten cases, of the alliance and of the outcome",
    notes="""
Where the truth is zero, the coverage is one minus the type I error.
""",
    heads=("world", "change"),
    more=more,
    short="intervals of a change that does not differ between therapists are a little too wide",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
