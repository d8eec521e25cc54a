"""Repeats the analysis of predictors of the alliance on simulated clinic groups: bias, coverage, and false findings of q.

`make calibrate` runs 400 sets of each world and writes docs/calibration/alliance_predictors.md.

The truth, in points of the alliance: clients differ by given numbers per standard deviation of attachment anxiety and avoidance, within and
between therapists alike; therapists by one per standard deviation of empathy; the effect of avoidance falls with the therapist's
experience, and so differs between therapists; growth per week rises with avoidance (added to the simulated ratings). Other covariates
have no effect.
"""

from dataclasses import replace

import numpy as np
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.alliance_predictors.asked import find_predictors
from alliance_longitudinal.analyses.alliance_predictors.compute import (
    estimates_of,
    fit_course,
    fit_early,
    ratings_of,
)
from alliance_longitudinal.analyses.alliance_predictors.therapists import interaction
from alliance_longitudinal.analyses.kit import Draft, at_intake
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.methods.basics.adjust import benjamini_hochberg
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic

ANXIETY, AVOIDANCE, EMPATHY, BY_EXPERIENCE, GROWTH = -0.8, -1.5, 1.0, -1.0, 0.05
#: Mean week of sessions 1 to 5: by then growth has added to the early effect of avoidance.
EARLY_WEEK = 3.5
EFFECTS = {
    "within": 0.0,
    "between": 0.0,
    "attachment_anxiety": ANXIETY,
    "attachment_avoidance": AVOIDANCE,
    "empathy": EMPATHY,
    "avoidance_by_experience": BY_EXPERIENCE,
}
#: Name of a make -> therapists, clients, whether there are effects.
MAKES = {
    "effects, 40 therapists, 600 clients": (40, 600, True),
    "effects, 15 therapists, 200 clients": (15, 200, True),
    "no effects and 10 predictors, 40 therapists, 600 clients": (40, 600, False),
    "no effects and 10 predictors, 20 therapists, 200 clients": (20, 200, False),
}
SAME = "early_attachment_avoidance, if the same for all therapists"
CLIENTS = ("attachment_anxiety", "attachment_avoidance", "personality_disorder")
THERAPISTS = ("empathy", "experience", "flexibility")


def study_of(seed: int, therapists: int, clients: int, *, effects: bool) -> Study:
    """A clinic whose study file declares covariates; without effects, four more of pure chance."""
    truth = ClinicTruth(therapists, clients, **(EFFECTS if effects else {}))
    study = simulated_study(seed, truth, items=False)
    made = simulate_clinic(seed, truth, items=False)
    people = made.clients[["client", *CLIENTS]].astype(dict.fromkeys(CLIENTS, float))
    rng = np.random.default_rng([seed, 99])
    more = () if effects else tuple(f"noise_{k}" for k in range(4))
    people = people.assign(**{name: rng.standard_normal(len(people)) for name in more})
    sessions = study.sessions
    if effects:
        avoidance = people.set_index("client")["attachment_avoidance"].reindex(sessions["client"]).to_numpy()
        sessions["alliance"] += GROWTH * sessions["week"].to_numpy() * avoidance
    return replace(
        study,
        covariates=(*CLIENTS, *more),
        therapist_covariates=THERAPISTS,
        _sessions=sessions,
        _clients=study.clients.merge(people, on="client", how="left"),
        _therapists=made.therapists,
    )


def one(seed: int, make: str) -> list[Row]:
    """Effects of one clinic group; without effects the smallest q and p."""
    therapists, clients, effects = MAKES[make]
    study = study_of(seed, therapists, clients, effects=effects)
    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    predictors = find_predictors(study, None, at_intake(draft.sessions, y.name) if effects else None, [])
    draft.keep(draft.sessions["session"].ge(1) & draft.sessions[a.name].notna(), "rated", "not rated")
    ratings = ratings_of(draft, a, (1, 5))
    early = fit_early(draft, ratings, predictors, ratings.clients)
    if not effects:
        p = np.array([float(e.p) for e in estimates_of(early, "early", "SD", "points") if e.unit == "SD"])
        least = {"q": float(benjamini_hochberg(p).min()), "p": float(p.min())}
        return [{"name": f"smallest {k}", "estimate": value, "p": value} for k, value in least.items()]
    course = fit_course(draft, ratings, predictors, ratings.clients)
    found = {
        e.id.removesuffix("_points"): e
        for model, part in ((early, "early"), (course, "growth"))
        for e in estimates_of(model, part, "", "points")
        if e.unit == "points"
    }
    same = {e.id: e for e in estimates_of(early.same, "early", "", "points")}
    found[SAME] = same["early_attachment_avoidance_points"]
    pair = tuple(
        next(p for p in predictors if p.name == name) for name in ("attachment_avoidance", "experience")
    )
    joint = interaction(draft, ratings, predictors, ratings.clients, pair, "early")
    rows = []
    for name, truth in _truths().items():
        rows.append(row_of(name, found[name], truth))
    if joint is not None:
        sd = ratings.sd_early
        numbers = {"estimate": joint.estimate, "se": joint.se, "low": joint.ci_low, "high": joint.ci_high}
        scaled = {k: sd * value for k, value in numbers.items() if value is not None}
        rows.append({"name": joint.id, "truth": BY_EXPERIENCE, "p": joint.p} | scaled)
    return rows


def _truths() -> dict[str, float]:
    return {
        "early_attachment_anxiety": ANXIETY,
        "early_attachment_avoidance": AVOIDANCE + GROWTH * EARLY_WEEK,
        SAME: AVOIDANCE + GROWTH * EARLY_WEEK,
        "early_attachment_avoidance_between": AVOIDANCE + GROWTH * EARLY_WEEK,
        "early_personality_disorder": 0.0,
        "early_empathy": EMPATHY,
        "early_experience": 0.0,
        "growth_attachment_avoidance_within": 10 * GROWTH,
        "growth_empathy_between": 0.0,
    }


PLAN = Plan(
    "alliance_predictors",
    "the analysis of predictors of the alliance",
    """
Effects are in points of the WAI-SR per standard deviation of the predictor (growth: over ten weeks); all predictors are in one model. The effect of
avoidance differs between therapists (by one point per standard deviation of experience, which is not in the model of the effect). Errors of
effects within therapists are cluster-robust; one row shows those that would be right if the effect were the same for all therapists.
""",
    list(MAKES),
    one,
    [
        "early_attachment_anxiety",
        "early_attachment_avoidance",
        "early_empathy",
        "growth_attachment_avoidance_within",
    ],
    "effect of a predictor on the early alliance and its growth",
    notes="""
Where the truth is zero, the coverage is one minus the type I error. Smallest q and p: of ten predictors without any effect; q promises that at
most 5 % of the groups have a clear one. The row with the same effect for all therapists is not expected to cover.
""",
    apart=[SAME],
    short="without CR2 errors, effects that differ between therapists are covered too rarely",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
