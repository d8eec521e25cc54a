"""Delta-adjusted imputation on data with a known delta: bias and coverage of the effect of alliance on the course.

`make calibrate` runs 400 clinic groups and writes docs/calibration/leaving.md.

In each group nobody leaves at first. Then clients with a lower alliance leave more often, and their scores after leaving are made worse by a
given number of points at the horizon, in proportion before. The analysis sees only the scores up to leaving. The truth of a delta is the
mean, over all groups, of the estimates from the complete scores with this delta.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.kit.early_design import Choices, build_design
from alliance_longitudinal.analyses.kit.early_models import course_model
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.methods.missing.tipping import delta_effects
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

TERM = "weeks:early_client"
HORIZON = 6.0
DELTAS = (0.0, 3.0)
COPIES = 20
#: Copies of each delta whose variances are estimated: fewer than in the report, for speed.
REFITS = 3
WORLDS = {"24 therapists, 240 clients": (24, 240)}


def one(seed: int, world: str) -> list[Row]:
    """Estimates of one group by delta, with those from complete and from observed scores."""
    therapists, clients = WORLDS[world]
    truth = ClinicTruth(therapists, clients, dropout_intercept=-30.0)
    study = simulated_study(seed, truth, items=False)
    choices = Choices(study.measures["alliance"], study.measures["phq9"], TimeWindow(1, 5), 1, True, True)
    design = build_design(study.sessions, study.flow, choices, MIN_THERAPISTS)
    long = design.clients["weeks_followed"] >= HORIZON
    people = design.clients[long].reset_index(drop=True)
    rows = design.rows[design.rows["client"].isin(people["client"]) & (design.rows["weeks"] <= HORIZON)]
    rows = rows.reset_index(drop=True)
    rng = np.random.default_rng(seed)
    gone = rng.random(len(people)) < 1 / (1 + np.exp(0.3 + 0.15 * people["early_client"]))
    last = pd.Series(np.where(gone, rng.integers(1, 5, len(people)), HORIZON), index=people["client"])
    at = rows["client"].map(last).astype(float)
    share = ((rows["weeks"] - at) / (HORIZON - at).where(at < HORIZON, 1.0)).clip(0, 1)
    found: list[Row] = []
    observed_rows = rows[rows["weeks"] <= at]
    model = course_model(replace(design, clients=people, rows=observed_rows))
    frame = rows.assign(
        y=rows["y"].where(rows["weeks"] <= at), left=rows["client"].map(last < HORIZON).astype(int)
    )
    row = model.combination({TERM: 1.0})
    effects = delta_effects(
        model.result,
        frame,
        [TERM],
        DELTAS,
        person="client",
        time="weeks",
        left="left",
        horizon=HORIZON,
        df={TERM: row["df"]},
        m=COPIES,
        refits=REFITS,
        seed=seed,
    )
    for delta in DELTAS:
        whole = course_model(replace(design, clients=people, rows=rows.assign(y=rows["y"] + delta * share)))
        mine = effects.table.set_index("delta").loc[delta]
        found.append(
            row_of(f"{delta:g} points worse", mine)
            | {
                "delta": delta,
                "complete": whole.combination({TERM: 1.0})["estimate"],
                "observed": row["estimate"],
                "left": float((last < HORIZON).mean()),
            }
        )
    return found


def known(draws: pd.DataFrame) -> pd.DataFrame:
    """The truth of a delta: the mean of the estimates from complete scores."""
    by = draws.groupby(["world", "name"])["complete"]
    return draws.assign(truth=by.transform("mean"), truth_error=by.transform("sem"))


def more(draws: pd.DataFrame) -> list[str]:
    """The model without imputation."""
    lines = [
        f"{100 * draws['left'].mean():.0f} % of the clients left. Bias compared with the complete scores of the same group:",
        "",
        "| world | delta | observed scores, no imputation | Monte Carlo error | imputed | Monte Carlo error |",
        "|---|---|---|---|---|---|",
    ]
    for (world, name), part in draws.groupby(["world", "name"], sort=False):
        off = [part[k] - part["complete"] for k in ("observed", "estimate")]
        cells = " | ".join(f"{d.mean():.5f} | {d.sem():.5f}" for d in off)
        lines.append(f"| {world} | {name} | {cells} |")
    return lines


PLAN = Plan(
    "leaving",
    "the imputation of clients who left (in early_alliance)",
    f"""
Clinic groups in which clients leave within six weeks, more often those with a lower alliance; {COPIES} completed copies. The effect of the alliance
on the weekly change. Truth: the mean of the estimates from complete scores. Observed scores: the model without imputation, which is right
only if nobody who left went on worse than expected.
""",
    list(WORLDS),
    one,
    ["0 points worse", "3 points worse"],
    "effect of the alliance on the course, clients who left imputed",
    digits=5,
    heads=("world", "delta"),
    known=known,
    more=more,
)

if __name__ == "__main__":
    main(PLAN, __doc__)
