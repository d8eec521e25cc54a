"""Repeats the test of a moderator on simulated clinic groups: bias, coverage and type I error of the products within therapists.

`make calibrate` runs 400 sets of each world and writes docs/calibration/moderators.md.

The truth: the weekly change after session 5 falls by a given number per point of early alliance, more or less by the client's
attachment avoidance (a number, standard deviation 1) and in the second arm. Alliance is a total without errors of items.
"""

from dataclasses import replace

import numpy as np
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.moderators.asked import Asked, moderator_of, sample_of
from alliance_longitudinal.analyses.moderators.compute import fit_model
from alliance_longitudinal.analyses.moderators.design import design_for
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic
from alliance_longitudinal.timing import TimeWindow

#: Name of a make -> its truth.
MAKES = {
    "both moderate, 24 therapists, 480 clients": ClinicTruth(
        24, 480, within_by_avoidance=-0.02, within_by_arm=0.03, arm_share=0.5
    ),
    "none moderates, 24 therapists, 480 clients": ClinicTruth(24, 480, arm_share=0.5),
    "none moderates, therapists differ in the effect": ClinicTruth(
        24, 480, arm_share=0.5, within_therapist_sd=0.02
    ),
    "both moderate, 10 therapists, 200 clients": ClinicTruth(
        10, 200, within_by_avoidance=-0.02, within_by_arm=0.03, arm_share=0.5
    ),
    "none moderates, 14 therapists who differ in the effect": ClinicTruth(
        14, 280, arm_share=0.5, within_therapist_sd=0.03
    ),
}
TERMS = {"avoidance": "a number", "arm": "two arms", "experience": "therapists' experience"}


def truth_of(make: str, name: str) -> float:
    """The true product."""
    truth = MAKES[make]
    return {"avoidance": truth.within_by_avoidance, "arm": truth.within_by_arm, "experience": 0.0}[name]


def one(seed: int, make: str) -> list[Row]:
    """Tested products of one clinic group; worlds have seeds of their own, since the same draws would make them alike."""
    truth = MAKES[make]
    seed += 100_000 * list(MAKES).index(make)
    made = simulate_clinic(seed, truth, items=False)
    plain = simulated_study(seed, truth, items=False)
    clients = plain.clients.merge(made.clients[["client", "attachment_avoidance"]], on="client")
    clients = clients.rename(columns={"attachment_avoidance": "avoidance"})
    clients["arm"] = np.where(clients["arm"].astype(int).eq(1), "second", "first")
    study = replace(
        plain,
        covariates=("avoidance",),
        therapist_covariates=("experience",),
        _clients=clients,
        _therapists=made.therapists[["therapist", "experience"]],
    )
    draft = Draft(study)
    asked = Asked(draft.measure("alliance", None), draft.measure("symptoms", None), TimeWindow(1, 5), "week")
    sample = sample_of(draft, asked, min_rated=1, adjust_early_change=True)
    rows = []
    for name in TERMS:
        design = design_for(draft, sample, moderator_of(study, sample, name))
        model = fit_model(design, "slope")
        row = model.product(design.part, design.along)
        rows.append(row_of(name, row, truth_of(make, name)))
    return rows


PLAN = Plan(
    "moderators",
    "the moderators",
    """
The product of early alliance within therapists and a moderator, in a model of the course after session 5.
""",
    list(MAKES),
    one,
    ["avoidance", "arm", "experience"],
    "product of alliance and moderator, per week",
    TERMS,
    """
Scores are whole points from 0 to 27, which pulls effects a few percent towards zero. With fewer than 20 therapists the model
takes the effect to be the same for all of them, and errors are then cluster-robust.
""",
    digits=4,
    heads=("world", "moderator"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
