"""Closed forms of planned studies beside simulated and refitted ones: power, bias, coverage, boundaries, models that do not converge.

`make calibrate` simulates 20 sets of 100 studies of each plan and writes docs/calibration/planning.md.
"""

import numpy as np
import pandas as pd
from calibration import Plan, Row, main

from alliance_longitudinal import methods

PARTS = {"residual": 5.0, "client": ((13.0, 0.05), (0.05, 0.1)), "therapist": ((1.3, 0.0), (0.0, 0.03))}
#: Studies of one set.
STUDIES = 100
#: Plan -> therapists, clients of each, assessments, dropout, standard deviation of the effect within therapists between them.
PLANS = {
    "40 therapists, 10 clients, 8 assessments": (40, 10, 8, 0.0, 0.0),
    "20 therapists, 10 clients, 8 assessments": (20, 10, 8, 0.0, 0.0),
    "10 therapists, 40 clients, 8 assessments": (10, 40, 8, 0.0, 0.0),
    "8 therapists, 6 clients, 5 assessments": (8, 6, 5, 0.0, 0.0),
    "30 therapists, 5 to 20 clients, 8 assessments": (30, (5, 10, 20), 8, 0.0, 0.0),
    "30 therapists, 10 clients, 8 assessments, 10 % leave before each": (30, 10, 8, 0.1, 0.0),
    "40 therapists, 10 clients, 8 assessments, effects differ": (40, 10, 8, 0.0, 0.15),
    "12 therapists, 8 clients, 6 assessments, effects differ": (12, 8, 6, 0.0, 0.15),
    "30 therapists, 5 to 20 clients, 8 assessments, effects differ": (30, (5, 10, 20), 8, 0.0, 0.15),
}


def one(seed: int, name: str) -> list[Row]:
    """A hundred studies of one plan, for no effect and for effects that its closed forms find with a power of a half and of four fifths."""
    therapists, clients, times, dropout, spread = PLANS[name]
    plan = methods.StudyPlan.of(
        therapists, clients, range(times), dropout=dropout, effect_variance=spread**2, **PARTS
    )
    found = methods.simulate_plan(plan, STUDIES, seed)
    rows: list[Row] = []
    for power in (0.05, 0.5, 0.8):
        sizes = {k: size_for(getattr(plan, f"power_{k}"), power) for k in ("within", "between")}
        table = found.table(sizes)
        for k, size in sizes.items():
            closed = getattr(plan, f"power_{k}")(size)
            own = {"effect": k, "wanted": power, "closed": closed, "singular": found.singular}
            rows.append(own | {"none": found.no_certificate} | table.loc[k].to_dict())
    return rows


def size_for(power: "object", wanted: float) -> float:
    """The size of effect that has the wanted power; zero for five percent."""
    if wanted <= 0.05:
        return 0.0
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= wanted else (middle, high)  # type: ignore[operator]
    return high


def more(draws: pd.DataFrame) -> list[str]:
    """Means over the sets, which are of equal size."""
    n_sim = STUDIES * int(draws.groupby("world")["set"].nunique().min())
    error = 1.96 * np.sqrt(0.25 / n_sim)
    lines = [
        f"{n_sim} studies of each plan: a simulated power is within {100 * error:.1f} points of the truth in 95 of 100 plans (at a power of one",
        "half). A closed form of 5 % is that of no effect: the simulated number is the type I error.",
        "",
        "| plan | effect | power, closed form | simulated | bias / its error | coverage | variance at its boundary | not converged |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (world, _, effect), part in draws.groupby(["world", "wanted", "effect"], sort=False):
        bias = part["bias"].mean() / (np.sqrt((part["bias_error"] ** 2).sum()) / len(part))
        row = part.mean(numeric_only=True)
        lines.append(
            f"| {world} | {effect} | {100 * row['closed']:.0f} % | {100 * row['power']:.1f} % | {bias:.1f} "
            f"| {100 * row['coverage']:.1f} % | {100 * row['singular']:.0f} % | {100 * row['none']:.1f} % |"
        )
    return lines


PLAN = Plan(
    "planning",
    "planning",
    f"""
Simulated and refitted studies of each plan beside its closed forms; a set is {STUDIES} studies.
""",
    list(PLANS),
    one,
    [],
    "power within and between therapists",
    notes="""
The closed forms are exact for clients' slopes, equal caseloads and every assessment, and approximate otherwise. Between therapists they allow for
studies in which therapists' variance of the slopes is estimated as zero (`methods.power_between_reml`): tests then find less, and without an effect fewer
than 5 %. Where effects differ, the standard deviation of the effect within therapists is 0.15 between them (clients' true rates have one of 0.32);
the closed form is `methods.power_within_reml`. With eight therapists of six clients other variances are at their boundary in most studies, too, and the closed form is still a few points too high.
""",
    sets=20,
    more=more,
    short="with eight therapists of six clients, tests between therapists have too little power",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
