"""Repeats the comparison of arms with partial nesting on simulated trials: bias, coverage and type I error, with and without groups.

`make calibrate` runs 400 sets of each world and writes docs/calibration/group_effects.md.

The truth: clients of the second arm share groups, which differ in the weekly change; the arms differ in the variances of clients
and of single scores.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.group_effects.compute import compare_arms
from alliance_longitudinal.analyses.group_effects.design import shared_of
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

#: Name of a make -> groups, members of each, clients alone, standard deviation between groups, difference of the arms.
MAKES = {
    "12 groups of 6, 60 alone, groups differ": (12, 6, 60, 0.2, -0.2),
    "12 groups of 6, 60 alone, no effect of groups or arms": (12, 6, 60, 0.0, 0.0),
    "6 groups of 6, 30 alone, groups differ": (6, 6, 30, 0.2, -0.2),
}
MODELS = {
    "main": "with groups",
    "ignoring": "as if clients shared nothing",
    "same": "same variances in all arms",
}


def trial(
    seed: int, groups: int, size: int, alone: int, sd: float, difference: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sessions and clients of one trial."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, sd, groups)
    rows = []
    for k in range(groups * size + alone):
        inside = k < groups * size
        change = (
            -0.2 + (difference + shared[k // size] if inside else 0) + rng.normal(0, 0.1 if inside else 0.25)
        )
        week = np.arange(9.0)
        y = 15 + rng.normal(0, 2 if inside else 3) + change * week + rng.normal(0, 1 if inside else 1.6, 9)
        columns = {"session": np.arange(9), "week": week, "phq9": y, "alliance": 40.0}
        label = f"g{k // size:02d}" if inside else None
        rows.append(
            pd.DataFrame(columns).assign(
                client=f"c{k:03d}", therapist="t", group=label, arm="B" if inside else "A"
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    people = frame[["client", "therapist", "arm"]].drop_duplicates(ignore_index=True)
    return frame.drop(columns="arm"), people


def one(seed: int, make: str) -> list[Row]:
    """Difference of the arms by each model."""
    sessions, people = trial(seed, *MAKES[make])
    study = replace(simulated_study(1, ClinicTruth(5, 25), items=False), _sessions=sessions, _clients=people)
    draft = Draft(study)
    shared = shared_of(draft, draft.measure("symptoms", None), "group", "linear", None)
    found = compare_arms(shared, [], shared.rows)
    rows = []
    for model in MODELS:
        fitted = getattr(found, model)
        if fitted is not None:
            row = fitted.combination({found.terms["B"]: 1.0})
            rows.append(row_of(model, row, MAKES[make][4]))
    return rows


PLAN = Plan(
    "group_effects",
    "the group effects",
    """
Trials whose second arm is treated in groups; difference of the two arms in the weekly change.
""",
    list(MAKES),
    one,
    ["main"],
    "difference of arms, with groups",
    MODELS,
    """
With fewer than eight groups in an arm the degrees of freedom are those of Kenward and Roger. Ignoring the groups, and taking the same
variances for all arms, are shown for comparison and are wrong in the worlds where groups or variances differ.
""",
    apart=("ignoring", "same"),
    digits=4,
    heads=("world", "model"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
