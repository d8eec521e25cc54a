"""Repeats the analysis of ruptures on simulated clinic groups: how often does it find what is not there?

`make calibrate` runs 200 sets of each world and writes docs/calibration/alliance_events.md.

In the first make the alliance only fluctuates: the number of ruptures should lie within the limits of what fluctuation produces in 95 %
of the groups, and ruptures are not related to outcome. In the second there are ruptures, some of which are repaired: whether
one is does not depend on the therapist, whose experience is a random number.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

import alliance_longitudinal as al
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

SIZE = {"therapists": 20, "clients": 300, "alliance_by_improvement": 0.0}
MAKES = {
    "fluctuation only": {},
    "ruptures": {"rupture_chance": 0.05, "rupture_depth": 12.0, "rupture_length": 2, "rupture_repaired": 0.6},
}
RULES = ("drop_1sd", "drop_2sd", "chart", "residual_2sd")
#: Estimates whose truth is known -> the truth. Only the first make has no ruptures.
TRUTHS = {
    "fluctuation only": {"outcome_events": 0.0, "outcome_events_between": 0.0, "repair_experience": 1.0},
    "ruptures": {"outcome_events": 0.0, "repair_experience": 1.0},
}


def one(seed: int, make: str) -> list[Row]:
    """Whether numbers lie where they should, in one clinic group."""
    study = simulated_study(seed, ClinicTruth(**SIZE, **MAKES[make]), items=False)
    names = study.clients["therapist"].unique()
    therapists = pd.DataFrame(
        {"therapist": names, "experience": np.random.default_rng(seed).normal(10, 4, len(names))}
    )
    study = replace(study, _therapists=therapists, therapist_covariates=("experience",))
    found = al.alliance_events(
        study, simulations=100, seed=seed, repair_by=["experience"]
    ).estimates.set_index("id")
    rows: list[Row] = []
    for rule in RULES:
        expected, n = found.loc[f"expected_{rule}"], found.loc[f"n_{rule}", "estimate"]
        excess = n / expected["estimate"] if expected["estimate"] else np.nan
        inside = float(expected["ci_low"] <= n <= expected["ci_high"])
        rows.append({"name": f"found and expected: {rule}", "estimate": excess, "covers": inside})
    gap = found.loc["repaired", "estimate"] - found.loc["repaired_expected", "estimate"]
    inside = (
        found.loc["repaired", "ci_low"]
        <= found.loc["repaired_expected", "estimate"]
        <= found.loc["repaired", "ci_high"]
    )
    rows.append({"name": "repaired, less expected", "truth": 0.0, "estimate": gap, "covers": float(inside)})
    known = [(name, truth) for name, truth in TRUTHS[make].items() if name in found.index]
    return [*rows, *(row_of(name, found.loc[name], truth) for name, truth in known)]


PLAN = Plan(
    "alliance_events",
    "the analysis of ruptures",
    f"""
Clinic groups of {SIZE["clients"]} clients of {SIZE["therapists"]} therapists, with 100 simulated sets of fluctuation.
""",
    list(MAKES),
    one,
    ["outcome_events", "repair_experience"],
    "ruptures and outcome; repair and a characteristic",
    notes="""
In the rows 'found and expected', the mean is the number found divided by the number expected; coverage: the number found lies within the limits of 95 % of
simulated data. With real ruptures it should lie outside. For repairs: the interval contains the share that fluctuation alone would produce.
""",
    apart=tuple(f"found and expected: {rule}" for rule in RULES),
    sets=200,
    heads=("world", "number"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
