"""Repeats `within_between` on simulated data: effects at three levels, and what feedback does to those within clients.

`make calibrate` writes docs/calibration/within_between.md.

Levels: the outcome follows the last alliance rating within clients, the client's mean, and the therapist's alliance; clients have lines
over sessions of their own in both. The therapist's alliance is the mean of the clients in the data (nearly all clients are
observed), or the usual one of which they are a sample. Feedback: simulated clinics whose alliance answers to earlier improvement, or not.
"""

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal import methods, simulate_clinic
from alliance_longitudinal.analyses.kit import fit_first
from alliance_longitudinal.analyses.within_between.compute import WAYS, level_estimates, structures
from alliance_longitudinal.analyses.within_between.design import Pairs, lagged, pairs_of
from alliance_longitudinal.analyses.within_between.latent import latent_estimates
from alliance_longitudinal.errors import AllianceError

#: Effects within clients, between clients, between therapists.
EFFECTS = (-0.10, -0.30, -0.80)
#: Therapists, clients of each, rated sessions.
SIZES = ((20, 15, 8), (50, 5, 4), (50, 15, 4))
#: Effects of the last alliance; simulated clinics of 30 therapists and 450 clients.
LAGGED = (0.0, -0.15)
FEEDBACK = {"off": 0.0, "on": 0.5}
LATENT = {
    "therapist_latent_ml": "therapist, latent means",
    "therapist_latent_moment": "therapist, by reliability",
}
RICLPM = "lagged_effects (with client levels)"
#: World -> size, and whether the clients are a sample of the therapist's.
LEVELS = {
    f"{kind}: {t} therapists of {c} clients, {s} ratings": ((t, c, s), kind == "a sample of clients")
    for kind in ("a sample of clients", "all clients")
    for t, c, s in SIZES
}
#: World -> truth and feedback.
CLINICS = {f"feedback {f}, effect {t:g}": (t, f) for f in FEEDBACK for t in LAGGED}


def levels(seed: int, therapists: int, clients: int, sessions: int, *, sample: bool) -> pd.DataFrame:
    """Sessions with effects at three levels; ``sample`` makes the therapist's usual alliance count, not the mean of the clients."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(therapists), clients)
    n = len(of)
    usual, own = rng.normal(0, 2, therapists), rng.normal(0, 4, n)
    if not sample:
        mean = np.bincount(of, own) / clients
        usual, own = usual + mean, own - mean[of]
    time = np.arange(sessions) - (sessions - 1) / 2
    within = rng.normal(0, 3, (n, sessions))
    within -= within.mean(axis=1, keepdims=True)
    within = within + rng.normal(0, 0.5, (n, 1)) * time
    b_w, b_c, b_t = EFFECTS
    level = b_t * usual[of] + b_c * own + rng.normal(0, 1, therapists)[of] + rng.normal(0, 2, n)
    y = level[:, None] + b_w * within + rng.normal(0, 0.3, (n, 1)) * time - 0.3 * time
    y = y + rng.normal(0, 2, within.shape)
    alliance = usual[of][:, None] + own[:, None] + within
    frames = [
        pd.DataFrame(
            {
                "client": np.arange(n).astype(str),
                "therapist": of.astype(str),
                "session": s + 1,
                "alliance": alliance[:, s] if s < sessions else np.nan,
                "phq9": y[:, s - 1] if s else np.nan,
            }
        )
        for s in range(sessions + 1)
    ]
    return pd.concat(frames, ignore_index=True)


def pairs(sessions: pd.DataFrame) -> Pairs:
    """The analysis's pairs, without the first score as a predictor."""
    rows = sessions.assign(before=lagged(sessions, "alliance", 1), first=0.0)
    rows = rows[rows["phq9"].notna() & rows["before"].notna()]
    return pairs_of(rows, "phq9", _no_covariates, therapists=True, intake=False)


def _no_covariates(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    return rows, []


def of_levels(seed: int, size: tuple[int, int, int], *, sample: bool) -> list[Row]:
    """Estimates of one data set with the common course."""
    found = pairs(levels(seed, *size, sample=sample))
    fixed = "y ~ " + " + ".join(found.terms("common"))
    fitted = fit_first("common", "common", fixed, found.rows, structures(found, "common", slopes=False))
    ids = {"within": "within", "client": "client", "therapist": "therapist, observed means"}
    estimates = level_estimates(found, fitted, "common", "", ids, "")
    if sample:
        estimates += [e for e in latent_estimates(found, fitted, "") if e.id in LATENT]
    truth = dict(zip(("session", "client", "therapist"), EFFECTS, strict=True))
    return [row_of(LATENT.get(e.id, e.id), e, truth[str(e.level)]) for e in estimates]


def of_feedback(seed: int, truth: float, feedback: str) -> list[Row]:
    """The effect within clients by every way to remove time, and the estimate that allows feedback; sessions 6 to 11."""
    rows = simulate_clinic(
        seed,
        therapists=30,
        clients=450,
        items=False,
        lagged_alliance=truth,
        alliance_by_improvement=FEEDBACK[feedback],
    ).sessions
    rows = rows[rows["session"].between(6, 11)].rename(columns={"wai": "alliance"})
    found = pairs(rows)
    out: list[Row] = []
    for way in WAYS:
        fixed = "y ~ " + " + ".join(found.terms(way))
        try:
            fitted = fit_first(way, way, fixed, found.rows, structures(found, way, slopes=False))
        except AllianceError:
            continue
        (e,) = level_estimates(found, fitted, way, "", {"within": way}, "")
        out.append(row_of(f"time removed: {way}", e, truth))
    cross = methods.riclpm(rows, "alliance", "phq9", "client", "session")
    if cross.converged:
        value, se = float(cross.params["x_to_y"]), float(cross.bse["x_to_y"])
        limits = {"low": value - 1.959964 * se, "high": value + 1.959964 * se}
        out.append({"name": RICLPM, "truth": truth, "estimate": value, "se": se} | limits)
    return out


def one(seed: int, world: str) -> list[Row]:
    """One set of either kind of world."""
    if world in LEVELS:
        size, sample = LEVELS[world]
        return of_levels(seed, size, sample=sample)
    return of_feedback(seed, *CLINICS[world])


PLAN = Plan(
    "within_between",
    "within and between",
    """
Three levels: the alliance and the outcome of each client change along a line of their own; the model has one course for all clients. If the clients
in the data are a sample, the therapist's usual alliance has the effect, and estimates from observed means are pulled towards the effect between clients.
Coverage is promised for clients and therapists only.

Feedback: clinics of 30 therapists and 450 clients, sessions 6 to 11; the effect of the last alliance within clients. With feedback, the
alliance follows earlier improvement. Then no way to remove time is right, and the report points to `lagged_effects`.
""",
    [*LEVELS, *CLINICS],
    one,
    ["client", "therapist, latent means"],
    "effect between clients and between therapists",
    notes="""
Observed means of therapists with few clients are not their usual alliance; the report shows the latent means beside them. With feedback on,
the centred models do not cover, and their reports say so.
""",
    apart=("feedback on, effect 0", "feedback on, effect -0.15"),
    heads=("world", "effect"),
    short="observed means of therapists with few clients lie between the effects of the two levels (latent means are shown with them); with feedback, no way to remove time trends is right",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
