"""Repeats the analysis of dose on simulated clinic groups: coverage of the share improved, and of length and change in both worlds.

`make calibrate` runs 400 sets of each world and writes docs/calibration/dose.md.

In the world of dose, lengths of treatment are set by chance. In the world of the good-enough level, they are 0.8 sessions shorter per point
of improvement reported up to session 5. The truth of a share, and of the slope in the second world, is the mean of large clinics.
"""

import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.dose.compute import time_estimates, times_of
from alliance_longitudinal.analyses.dose.design import dose_of
from alliance_longitudinal.analyses.dose.length import fit_length, length_estimates
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

SHOWN = {
    "share_by_8": "improved in treatment by session 8",
    "share_by_8_km": "the same by Kaplan and Meier",
    "slope_by_length": "change per session by length",
}
LARGE = "eight times as large: "
#: Make -> therapists, clients, and the truth.
MAKES = {
    "dose, 20 therapists, 300 clients": (20, 300, {}),
    "good-enough level, 20 therapists, 300 clients": (20, 300, {"length_by_improvement": -0.8}),
    "dose, 8 therapists, 80 clients": (8, 80, {}),
}


def one(seed: int, world: str) -> list[Row]:
    """Estimates of one clinic, and whether the AIC prefers the good-enough level."""
    make, times = (world.removeprefix(LARGE), 8) if world.startswith(LARGE) else (world, 1)
    therapists, clients, truth = MAKES[make]
    made = ClinicTruth(therapists * times, clients * times, dropout_by_severity=0.0, **truth)
    draft = Draft(simulated_study(seed, made, items=False))
    y = draft.measure("symptoms", None)
    found = dose_of(draft, y, 6.0, inclusive=True)
    numbers = [
        *time_estimates(times_of(found), found, 8),
        *length_estimates(fit_length(draft, found.scores), found, y),
    ]
    gel = next(e.estimate for e in numbers if e.id == "gel_vs_dose_aic") > 0
    return [row_of(e.id, e) | {"gel": float(gel)} for e in numbers if e.id in SHOWN]


def known(draws: pd.DataFrame) -> pd.DataFrame:
    """Truths of the large clinics; of the slope by length in the world of dose it is zero."""
    large = draws[draws["world"].str.startswith(LARGE)]
    by = large.assign(world=large["world"].str.removeprefix(LARGE)).groupby(["world", "name"])["estimate"]
    keys = pd.MultiIndex.from_frame(draws[["world", "name"]])
    truth, error = (pd.Series(s.reindex(keys).to_numpy(), index=draws.index) for s in (by.mean(), by.sem()))
    zero = draws["world"].str.startswith("dose") & draws["name"].eq("slope_by_length")
    return draws.assign(truth=truth.mask(zero, 0.0), truth_error=error.mask(zero, 0.0))


def more(draws: pd.DataFrame) -> list[str]:
    """What the AIC prefers."""
    lines = ["| world | AIC prefers the good-enough level |", "|---|---|"]
    for make, part in draws[draws["name"] == "share_by_8"].groupby("world", sort=False):
        lines.append(f"| {make} | {100 * part['gel'].mean():.0f} % |")
    return lines


PLAN = Plan(
    "dose",
    "the analysis of dose",
    """
The truth of an estimate is its mean over clinics that are eight times as large; in the world of dose, the true slope by length is zero.
""",
    list(MAKES),
    one,
    ["share_by_8", "slope_by_length"],
    "share improved by session 8; change per session by length",
    SHOWN,
    """
Where lengths are set by chance, the AIC prefers the larger model in about one of six data sets (chi-squared above two).
The truth of a share comes from few large clinics, whose therapists differ: its own error is beside it.
""",
    digits=4,
    large={LARGE + make: range(9001, 9003) for make in MAKES},
    known=known,
    more=more,
    short="where lengths are set by chance, the AIC prefers the larger model in about one of six sets",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
