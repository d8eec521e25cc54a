"""Repeats the variance partition on simulated clinic groups of known variances: coverage, power, zero estimates, type I error.

`make calibrate` runs 400 sets of each world and writes docs/calibration/variance_partition.md.

The truth: alliance = therapist + client + session; symptoms begin at an intake score and are then half of it + therapist + client + session.
Therapists' effects on both correlate.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.variance_partition.compute import divide
from alliance_longitudinal.analyses.variance_partition.therapists import (
    correlation,
    correlation_estimates,
    power_of_model,
    tests,
)
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

#: Variances of therapists, clients and sessions; the correlation of therapists' effects, better with better.
WORDS = {"level": "share of therapists: alliance", "end": "share of therapists: last score given the first"}
ALLIANCE, SYMPTOMS, CORRELATION = (4.0, 25.0, 10.0), (1.2, 12.0, 6.0), 0.5
#: Make -> therapists, clients, and whether therapists differ.
MAKES = {
    "30 therapists, 450 clients": (30, 450, 1.0),
    "15 therapists, 150 clients": (15, 150, 1.0),
    "15 therapists, 150 clients, therapists alike": (15, 150, 0.0),
}


def study_of(seed: int, make: str) -> Study:
    """A clinic group whose scores have the known variances; who has which session is the simulator's."""
    therapists, clients, differ = MAKES[make]
    study = simulated_study(seed, ClinicTruth(therapists, clients), items=False)
    sessions, rng = study.sessions, np.random.default_rng(seed)
    sessions = sessions[sessions["session"] <= 8].sort_values(["client", "session"]).reset_index(drop=True)
    own, of = (sessions[k].astype("category").cat.codes.to_numpy() for k in ("client", "therapist"))
    r = np.array([[1, -CORRELATION], [-CORRELATION, 1]])  # more symptoms are worse
    scale = np.sqrt(differ * np.array([ALLIANCE[0], SYMPTOMS[0]]))
    u = rng.multivariate_normal([0, 0], r, of.max() + 1) * scale
    n, rows = own.max() + 1, len(sessions)

    def noise(k: int) -> np.ndarray:
        return np.sqrt((ALLIANCE, SYMPTOMS)[k][1]) * rng.normal(size=n)[own] + np.sqrt(
            (ALLIANCE, SYMPTOMS)[k][2]
        ) * rng.normal(size=rows)

    intake = 15 + 3 * rng.normal(size=n)
    later = 5 + 0.5 * intake[own] + u[of, 1] + noise(1)
    first = ~sessions["client"].duplicated()
    sessions["phq9"] = np.where(first, intake[own], later)
    sessions["alliance"] = np.where(sessions["session"] == 0, np.nan, 40 + u[of, 0] + noise(0))
    return replace(study, _sessions=sessions)


def one(seed: int, make: str) -> list[Row]:
    """Shares of one clinic group with their tests, and the correlation of therapists' effects."""
    differ = MAKES[make][2]
    draft = Draft(study_of(seed, make))
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    level = divide(draft, a, draft.sessions, 0, seed)[0]
    end = divide(draft, y, draft.sessions, 0, seed)[2]
    rows: list[Row] = []
    for found, truth in ((level, ALLIANCE), (end, SYMPTOMS)):
        share = next(e for e in found.shares if e.level == "therapist")
        p = {e.id.split("_")[2]: e.p for e in tests(draft, found, 100, seed)}
        zero, power = (e.estimate for e in power_of_model(found, truth[0] / sum(truth), seed))
        true = differ * truth[0] / (differ * truth[0] + sum(truth[1:]))
        tested = {"p": p["mixture"], "boot": p["boot"], "zero": zero, "power": power}
        rows.append(row_of(WORDS[found.kind], share, true) | tested)
    both = correlation(level, end)
    if not isinstance(both, str):
        for e in correlation_estimates(both, ""):
            if e.level == "therapist":
                rows.append(row_of("correlation", e, CORRELATION if differ else None) | {"p": np.nan})
    return rows


def more(draws: pd.DataFrame) -> list[str]:
    """Estimates of zero and power as found and as said, and the correlation of therapists' effects."""
    head = [
        "world",
        "share",
        "zero: found",
        "zero: said",
        "p < .05, mixture",
        "p < .05, simulated",
        "power said",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (make, name), part in (
        draws[draws["name"] != "correlation"].dropna(subset="name").groupby(["world", "name"], sort=False)
    ):
        differ = MAKES[make][2]
        said = [f"{100 * part[k].mean():.0f} %" if differ else "" for k in ("zero", "power")]
        shares = [
            100 * (part[k] < limit).mean() for k, limit in (("estimate", 1e-9), ("p", 0.05), ("boot", 0.05))
        ]
        zero, mixture, boot = (f"{share:.1f} %" for share in shares)
        lines.append(f"| {make} | {name} | {zero} | {said[0]} | {mixture} | {boot} | {said[1]} |")
    lines += [
        "",
        "| world | correlation of therapists' effects | median | not estimated |",
        "|---|---|---|---|",
    ]
    for make, part in draws.groupby("world", sort=False):
        r = part[part["name"] == "correlation"]
        if MAKES[make][2] and len(r):
            missing = 1 - len(r) / part["set"].nunique()
            lines.append(f"| {make} | {CORRELATION} | {r['estimate'].median():.2f} | {100 * missing:.0f} % |")
    return lines


PLAN = Plan(
    "variance_partition",
    "the variance partition",
    """
Clinic groups of known variances; profile intervals of the shares between therapists, and of the correlation of therapists' effects.
""",
    list(MAKES),
    one,
    list(WORDS.values()),
    "share of variance between therapists",
    notes="""
The chance of zero and the power are those of each group's design at the true share. Estimated shares are a little too high on average, because a share that would be negative is estimated as zero. A true share of zero lies at the end of the interval, which then covers more than 95 %. Groups in which a variance is estimated as zero have no correlation, so the others are a selection.
""",
    more=more,
    short="the correlation of therapists' effects is estimated only where neither variance is zero",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
