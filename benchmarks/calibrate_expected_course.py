"""Repeats the expected-course analysis on simulated clinic groups: do its intervals contain what new clients show?

`make calibrate` runs 400 sets of each world and writes docs/calibration/expected_course.md.

Bands, warnings and risks belong to the archive that they were made from: another archive of the same service gives slightly other bands.
The report says how good those of this archive are for clients who are not in it. So the truth of each set is its own: what the course of
all clients of the set reaches among many new clients, of the same therapists or, for the rows on therapists left out, of others.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.expected_course.compute import (
    Validated,
    band_estimates,
    judge,
    validate,
)
from alliance_longitudinal.analyses.expected_course.design import Track, rule_of, so_far, track_of
from alliance_longitudinal.analyses.expected_course.estimates import (
    frequency,
    risk_estimates,
    warning_estimates,
)
from alliance_longitudinal.analyses.expected_course.settings import settings_of
from alliance_longitudinal.analyses.kit import Draft, Estimate
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.methods import risk_accuracy
from alliance_longitudinal.methods.growth.held_out import HeldOutCourses
from alliance_longitudinal.methods.prediction.given import expit, logit
from alliance_longitudinal.methods.prediction.logistic import fit_logistic
from alliance_longitudinal.simulation import ClinicTruth

#: Courses that differ much, so that about one client in eight deteriorates; therapists differ, and the alliance matters.
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
#: New clients of the same therapists, and of new therapists (and how many these are).
NEW, OTHERS = 6_000, (300, 4_000)
FOLDS = 5
AFTER = (0.0, 2.0, 4.0)
BANDS = ("cover80_k0", "cover95_k0", "rmse_k0", "cover80_k4", "rmse_k4")
APART = ("cover80_k4_therapist", "rmse_k4_therapist")
SHARES = ("deteriorated", "flagged")
WARNING = ("sensitivity", "specificity", "ppv", "npv", "ppv_5", "ppv_10")
RISK = ("auc", "brier", "calibration_slope", "calibration_intercept")
NAMES = (*BANDS, *APART, "cover80_alliance_k4", *SHARES, *WARNING, *RISK, "delta_auc_alliance", "or_alliance")


def some(study: Study, clients: np.ndarray) -> Study:
    """The study with these clients only."""
    people, sessions = study.clients, study.sessions
    return replace(
        study,
        _clients=people[people["client"].isin(clients)].reset_index(drop=True),
        _sessions=sessions[sessions["client"].isin(clients)].reset_index(drop=True),
    )


def sample_of(study: Study) -> Draft:
    """The clients and sessions that the analysis takes."""
    draft = Draft(study, None)
    draft.adjust(None)
    draft.with_therapists(needed=False, alone=True)
    draft.keep(draft.sessions["phq9"].notna(), "Sessions with PHQ-9", "no score")
    size = draft.sessions.groupby("client")["session"].transform("size")
    draft.keep(size >= 2, "Clients with a first score and a later one", "one score only")
    return draft


def tracks_of(study: Study, draft: Draft) -> tuple[Track, Track]:
    """Scores of symptoms, and of the alliance, after each client's first."""
    kept = study.sessions[study.sessions["client"].isin(draft.sessions["client"])]
    symptoms, alliance = (track_of(draft, kept, study.measures[name]) for name in ("phq9", "alliance"))
    return symptoms, alliance


def met(found: Validated, track: Track) -> Validated:
    """Predictions of new clients by the course of all clients of a set."""
    course, at = found.course, found.held.at
    rows = course.rows_of(track.rows)
    scores = [course.predictions(rows, k).assign(after=k, fold=0) for k in AFTER]
    persons = [course.prospects(rows, k, at).assign(after=k, fold=0) for k in AFTER]
    held = HeldOutCourses(
        pd.concat(scores, ignore_index=True), pd.concat(persons, ignore_index=True), AFTER, at
    )
    return Validated(track, course, held, None, found.settings)


def rated(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with each client's mean alliance up to the time of the warning."""
    known = so_far(study.sessions, study.measures["alliance"])
    assert known is not None
    mean = known[known["time"] <= AFTER[-1]].groupby("client")["score"].mean()
    return rows.assign(alliance=rows["client"].map(mean)).dropna(subset="alliance")


def values(found: Validated, infix: str = "") -> dict[str, float]:
    """Coverage and typical error by their ids."""
    return {e.id: e.estimate for e in band_estimates(found, infix)}


def made_by_alliance(own: pd.DataFrame, new: pd.DataFrame) -> dict[str, float]:
    """What the alliance adds for new clients: in AUC by the models of the set's clients, and its odds ratio given their risk."""
    middle, spread = own["alliance"].mean(), own["alliance"].std()

    def columns(rows: pd.DataFrame, k: int) -> np.ndarray:
        z = (rows["alliance"] - middle) / spread
        return np.column_stack([np.ones(len(rows)), logit(rows["risk"]), z])[:, :k]

    y = new["event"].to_numpy(float)
    areas = []
    for k in (2, 3):
        b, _ = fit_logistic(columns(own, k), own["event"].to_numpy(float))
        areas.append(risk_accuracy(y, expit(columns(new, k) @ b)).params["auc"])
    b, _ = fit_logistic(columns(new, 3), y)
    return {"delta_auc_alliance": areas[1] - areas[0], "or_alliance": float(np.exp(-b[2]))}


def one(seed: int, make: str) -> list[Row]:
    """Estimates of one clinic group, each with what its own bands, warnings and risks reach among new clients."""
    therapists, clients = MAKES[make]
    every = simulated_study(seed, ClinicTruth(therapists, clients + NEW, **COURSES), items=False)
    who = np.random.default_rng(seed).permutation(every.clients["client"].to_numpy(object))
    study, new = some(every, who[:clients]), some(every, who[clients:])
    draft, draft_new = sample_of(study), sample_of(new)
    settings = settings_of("log", AFTER, None, (0.8, 0.95), True, "therapist", FOLDS, seed)
    symptoms, alliance = (validate(track, settings) for track in tracks_of(study, draft))
    rule = rule_of(draft.sessions, study.measures["phq9"], "deteriorated", None)
    assert rule is not None
    judged = judge(symptoms, alliance, so_far(study.sessions, study.measures["alliance"]), rule)
    met_symptoms, met_alliance = (
        met(found, track)
        for found, track in zip((symptoms, alliance), tracks_of(new, draft_new), strict=True)
    )
    judged_new = judge(met_symptoms, met_alliance, None, rule)
    # therapists whom no model has seen
    others = simulated_study(seed + 100_000, ClinicTruth(*OTHERS, **COURSES), items=False)
    draft_others = sample_of(others)
    apart = tracks_of(others, draft_others)[0]
    unknown = apart.rows.assign(therapist=[f"new {t}" for t in apart.rows["therapist"]])
    met_others = met(symptoms, replace(apart, rows=unknown))
    truth = values(met_symptoms) | values(met_alliance, "alliance_")
    truth |= {f"{name}_therapist": value for name, value in values(met_others).items()}
    accuracy = [*warning_estimates(judged_new), *risk_estimates(judged_new)]
    truth |= {e.id: e.estimate for e in accuracy if not e.id.startswith(("delta", "or_"))}
    truth |= {e.id: e.estimate for e in (h.estimate() for h in frequency(met_symptoms, judged_new))}
    if judged.added is not None:
        truth |= made_by_alliance(judged.rows.dropna(subset="alliance"), rated(new, judged_new.rows))
    found: list[Estimate] = [
        *band_estimates(symptoms),
        *band_estimates(alliance, "alliance_"),
        *(h.estimate() for h in frequency(symptoms, judged)),
        *warning_estimates(judged),
        *risk_estimates(judged),
    ]
    return [row_of(e.id, e, truth[e.id]) for e in found if e.id in NAMES]


PLAN = Plan(
    "expected_course",
    "expected courses",
    f"""
Clinic groups in {FOLDS} folds. The truth of a set is what its own course, warning and risk reach among {NEW} new clients of the same therapists (rows
on therapists left out: {OTHERS[1]} clients of {OTHERS[0]} other therapists), so it differs a little between sets; the table gives its mean.
""",
    list(MAKES),
    one,
    ["cover80_k0", "cover80_k4", "auc", "calibration_slope", "delta_auc_alliance", "or_alliance"],
    "coverage of the bands, accuracy of the warning, what the alliance adds",
    {name: f"`{name}`" for name in NAMES},
    """
Numbers on accuracy are missing where fewer than 20 clients had the event. With 200 clients the groups that have them are therefore those in
which the event was more frequent than it is, so shares that depend on its frequency (`npv`, `brier`, `calibration_intercept`) are off there. An
odds ratio is skewed: its mean is above the truth where its logarithm is not. The simulated courses do not follow the logarithm of time, so the
share of scores in a band need not be 80 or 95 % even in large groups: the truth is what the band reaches.
""",
    digits=4,
    short="with 200 clients, accuracy is given only where 20 had the event, that is where it was frequent by chance; intervals of shares are then wide",
    heads=("world", "number"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
