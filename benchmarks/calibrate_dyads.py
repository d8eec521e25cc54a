"""Repeats the actor-partner model of `dyads` on simulated couples: bias, coverage and type I error, also with missing members.

`make calibrate` writes docs/calibration/dyads.md. The couples belong to therapists who differ, their outcomes are related, and every
member's first score counts. Missing: a tenth of the ratings, and outcomes of one role more often where the own rating is known to be low.
"""

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.dyads.compute import fit_pairs, pair_estimates
from alliance_longitudinal.analyses.dyads.design import Asked, Cases, Missing
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

#: Effects of own and other rating, by role.
TRUTHS = {
    "equal roles, no partner effect": ((-0.4, -0.4), (0.0, 0.0)),
    "roles differ": ((-0.6, -0.3), (-0.3, 0.0)),
}
#: Therapists, cases.
SIZES = ((25, 150), (10, 40))
ROLES = ("m", "w")
EQUAL = "p of the test of equal roles"
#: World -> size, truth, and what is missing.
WORLDS = {
    f"{t} therapists, {c} couples; {truth}; {how}": ((t, c), truth, how)
    for t, c in SIZES
    for truth in TRUTHS
    for how in ("complete", "missing, drop", "missing, fiml")
}
BASE = simulated_study(1, ClinicTruth(therapists=5, clients=25), items=False)


def couples(seed: int, size: tuple[int, int], truth: str, *, holes: bool) -> pd.DataFrame:
    """Members of couples: ``case, person, client, therapist, role, x, partner, intake, y``."""
    rng = np.random.default_rng(seed)
    therapists, cases = size
    actor, partner = TRUTHS[truth]
    of = np.arange(cases) % therapists
    x = rng.multivariate_normal([0, 0], [[16, 6], [6, 16]], cases)
    first = rng.normal(16, 4, (cases, 2)) - 0.2 * x
    y = 0.6 * first + np.array(actor) * x + np.array(partner) * x[:, ::-1]
    y = (
        y
        + rng.normal(0, 1, therapists)[of][:, None]
        + rng.normal(0, 1.5, (cases, 1))
        + rng.normal(0, 2, (cases, 2))
    )
    if holes:
        x[rng.random((cases, 2)) < 0.1] = np.nan
        chance = np.select([np.isnan(x[:, 1]), x[:, 1] < 0], [0.25, 0.4], 0.1)
        y[rng.random(cases) < chance, 1] = np.nan
    return pd.DataFrame(
        {
            "case": np.repeat([f"F{k}" for k in range(cases)], 2),
            "person": [f"{r}{k}" for k in range(cases) for r in ROLES],
            "client": [f"{r}{k}" for k in range(cases) for r in ROLES],
            "therapist": np.repeat([f"t{j}" for j in of], 2),
            "role": list(ROLES) * cases,
            "x": x.ravel(),
            "partner": x[:, ::-1].ravel(),
            "intake": first.ravel(),
            "y": y.ravel(),
        }
    )


def one(seed: int, world: str) -> list[Row]:
    """Estimates by role of one set of couples, and the p of the test of equal roles."""
    size, truth, how = WORLDS[world]
    missing: Missing = "fiml" if how.endswith("fiml") else "drop"
    people = couples(seed, size, truth, holes=how != "complete")
    if how == "missing, drop":
        whole = people[["x", "y"]].notna().all(axis=1).groupby(people["case"]).transform("all")
        people = people[whole]
    draft = Draft(BASE)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    asked = Asked(a, y, None, None, "role", None, TimeWindow(1, 3), True, missing)
    try:
        found = fit_pairs(draft, Cases(people.reset_index(drop=True), ROLES), asked, roles=True)
    except AllianceError:
        return []
    actor, partner = TRUTHS[truth]
    wanted = {f"actor_{r}": actor[k] for k, r in enumerate(ROLES)}
    wanted |= {f"partner_{r}": partner[k] for k, r in enumerate(ROLES)}
    test = found.distinguishable_few
    assert test is not None
    rows = [row_of(e.id, e, wanted[e.id]) for e in pair_estimates(found, ROLES, asked) if e.id in wanted]
    return [*rows, {"name": EQUAL, "estimate": test.p, "p": test.p}]


PLAN = Plan(
    "dyads",
    "actor and partner effects",
    """
The couples belong to therapists who differ. Missing: a tenth of the ratings, and outcomes of one role more often where the own rating is
known to be low. `drop` leaves these couples out; `fiml` uses the data that they have.
""",
    list(WORLDS),
    one,
    ["actor_m", "partner_m", "actor_w", "partner_w"],
    "actor and partner effects",
    heads=("world", "effect"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
