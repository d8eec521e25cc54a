"""Repeats the comparison of raters on simulated clinic groups: bias and coverage of gap, tracking and sources.

`make calibrate` runs 400 sets of each world and writes docs/calibration/raters.md.

The truth: the therapist's rating has slope .5 on the alliance felt in the session, lies 3 points lower at its mean (34, so that
no rating reaches the end of the scale), and has a style of each therapist (standard deviation 3). The client's rating is what was felt, rounded, or with a halo: a number of the client's own
that is added to the early alliance and taken from the later symptoms. Truths without a formula (tracking between clients with a halo,
the correlations by source) are the mean of large clinics.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.raters.compute import TRACKING, fit_gap, gap_estimates
from alliance_longitudinal.analyses.raters.design import (
    choose_pair,
    client_means,
    outcomes_of,
    rated_by_both,
)
from alliance_longitudinal.analyses.raters.sources import source_estimates, sources_of
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

MIDDLE = 34.0
BASE = {
    "alliance_mean": MIDDLE,
    "alliance_therapist_sd": 4.0,
    "therapist_rating_style_sd": 3.0,
    "within": -0.04,
    "between": -0.04,
}
SHOWN = {
    "gap": "gap, less what it is at these clients' mean",
    "tracking_within": "tracking within clients",
    "tracking_between": "tracking between clients",
    "same_source": "same source",
    "cross_source": "cross source",
    "source_difference": "difference of sources",
    "cross_source_corrected": "cross source, corrected",
}
LARGE = "twenty times as large: "
#: Name of a make -> therapists, clients, halo of the client in points of alliance and of symptoms.
MAKES = {
    "no halo, 30 therapists, 450 clients": (30, 450, 0.0, 0.0),
    "halo, 30 therapists, 450 clients": (30, 450, 5.0, 3.0),
    "halo, 12 therapists, 150 clients": (12, 150, 5.0, 3.0),
}


def study_of(seed: int, make: str, times: int = 1) -> Study:
    """A clinic of one make, ``times`` as large."""
    therapists, clients, alliance, symptoms = MAKES[make]
    truth = ClinicTruth(therapists * times, clients * times, **BASE)
    study = simulated_study(seed, truth, items=False, raters=("therapist", "clinician"))
    sessions = study.sessions
    rng = np.random.default_rng([seed, 99])
    names = sessions["client"].unique()
    halo = sessions["client"].map(dict(zip(names, rng.normal(size=len(names)), strict=True))).astype(float)
    sessions["alliance"] += alliance * halo
    sessions["phq9"] -= (symptoms * halo).where(sessions["session"] > 5, 0)
    return replace(study, _sessions=sessions)


def one(seed: int, world: str) -> list[Row]:
    """Estimates of one clinic."""
    make, times = (world.removeprefix(LARGE), 20) if world.startswith(LARGE) else (world, 1)
    study = study_of(seed, make, times)
    draft = Draft(study)
    pair = choose_pair(draft, None, None, "matched")
    outcomes = outcomes_of(study, draft.measure("symptoms", None))
    means = client_means(draft.sessions, TimeWindow(1, 5), [pair.first, pair.second], outcomes)
    rated = rated_by_both(draft, pair)
    sources = sources_of(draft, means, pair, outcomes)
    found = [] if sources is None else source_estimates(sources, pair)
    # At the mean of the first rater's ratings; with a halo tracking differs, and so does the gap.
    off = -3 - 0.5 * (rated.rows["c"].mean() - MIDDLE)
    gap = [
        replace(e, estimate=e.estimate - off, ci_low=e.ci_low - off, ci_high=e.ci_high - off)
        if e.id == "gap"
        else e
        for e in gap_estimates(fit_gap(draft, rated, TRACKING), rated, pair)
    ]
    found = [*gap, *found]
    return [row_of(e.id, e) for e in found if e.id in SHOWN]


def parameter(make: str, name: str) -> float | None:
    """The truth of what is a parameter of the generator; a halo does not change between sessions."""
    if name == "gap":
        return 0.0
    return 0.5 if name == "tracking_within" or (name == "tracking_between" and MAKES[make][2] == 0) else None


def known(draws: pd.DataFrame) -> pd.DataFrame:
    """Truths: parameters, or the mean of the large clinics."""
    large = draws[draws["world"].str.startswith(LARGE)]
    by = large.assign(world=large["world"].str.removeprefix(LARGE)).groupby(["world", "name"])["estimate"]
    mean, error = by.mean().to_dict(), by.sem().to_dict()
    shown = draws[draws["world"].isin(list(MAKES))]
    keys = list(zip(shown["world"], shown["name"], strict=True))
    own = [parameter(*key) for key in keys]
    truth = [mean.get(key, np.nan) if value is None else value for key, value in zip(keys, own, strict=True)]
    off = [error.get(key, np.nan) if value is None else 0.0 for key, value in zip(keys, own, strict=True)]
    return shown.assign(truth=truth, truth_error=off)


PLAN = Plan(
    "raters",
    "the comparison of raters",
    """
Truths of the correlations, and of the tracking between clients with a halo, are the mean of clinics that are twenty times as large, with
their own error.
""",
    list(MAKES),
    one,
    ["tracking_within", "same_source", "cross_source", "source_difference"],
    "tracking within clients; correlations with outcome by source",
    SHOWN,
    """
The halo raises the same-source correlation and lowers the cross-source one, because raters then agree less. The corrected
correlation is nearly the same with and without halo. The halo lowers the tracking between clients, because the therapist does not follow it.
Ratings stay off the ends of the scale here. Where those of very good alliances end at the highest score and the therapist's do not, the
tracking between clients comes out too high: with a mean of 43 of 60 points by .009, which is four fifths of its standard error.
""",
    large={LARGE + make: range(9001, 9005) for make in MAKES},
    known=known,
    short="ratings that end at the top of the scale draw the tracking between clients up (see the page)",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
