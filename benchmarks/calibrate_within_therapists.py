"""Effects of clients within therapists where the model takes them as the same for all therapists: the model's errors and robust ones.

`make calibrate` writes docs/calibration/within_therapists.md. Many analyses have such a model (`alliance_predictors`, `moderators`,
`mechanisms`, `within_between`, `alliance_course`, `alliance_events`, `dose`, `dyads`, `raters`, and `early_alliance` with fewer than 20 therapists).
"""

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.engine import MixedModel
from alliance_longitudinal.methods.basics.inference import t_inference

THERAPISTS, CLIENTS, EFFECT = (6, 12, 30), 20, 0.3
#: Kind -> standard deviation between therapists of the effect, where it differs.
SPREAD = {"a number": 0.3, "a quarter of the clients": 0.6}
#: World -> therapists, kind, spread.
WORLDS = {
    f"{j} therapists, {kind}, {words}": (j, kind, sd * differs)
    for j in THERAPISTS
    for kind, sd in SPREAD.items()
    for differs, words in ((0.0, "one effect"), (1.0, "effects differ"))
}
NAMES = {"robust": "robust (CR2), as reported", "model": "the model's"}


def one(seed: int, world: str) -> list[Row]:
    """Both intervals of one clinic; worlds have seeds of their own."""
    j, kind, sd = WORLDS[world]
    rng = np.random.default_rng([seed, list(WORLDS).index(world)])
    therapist = np.repeat(np.arange(j), CLIENTS)
    n = len(therapist)
    x = rng.normal(size=n) if kind == "a number" else (rng.random(n) < 0.25).astype(float)
    effect = EFFECT + sd * rng.normal(size=j)
    y = 0.4 * rng.normal(size=j)[therapist] + effect[therapist] * x + rng.normal(size=n)
    frame = pd.DataFrame({"therapist": therapist, "y": y, "x": x})
    mean = frame.groupby("therapist")["x"].transform("mean")
    frame = frame.assign(x_client=frame["x"] - mean, x_therapist=mean)
    fit = MixedModel.from_formula("y ~ x_client + x_therapist + (1 | therapist)", frame).fit()
    found = {"robust": fit.with_errors("CR2", "therapist"), "model": fit}
    term = "x_client"
    return [
        row_of(name, t_inference(float(r.params[term]), float(r.bse[term]), float(r.df[term])), EFFECT)
        for name, r in found.items()
    ]


PLAN = Plan(
    "within_therapists",
    "effects within therapists",
    f"""
{CLIENTS} clients per therapist, an outcome with a standard deviation of 1 between clients, and a characteristic of clients (a number with
standard deviation 1, or something that a quarter of them have) that goes with {EFFECT} points. Where effects differ, their standard
deviation between therapists is {SPREAD["a number"]} (number) or {SPREAD["a quarter of the clients"]}. The model has a random intercept of therapists.
""",
    list(WORLDS),
    one,
    ["robust"],
    "effect of a client's characteristic, the same for all therapists in the model",
    NAMES,
    """
The model's intervals hold only where the effect is the same for all therapists. Robust (CR2) ones hold in both cases, with as few as six
therapists; their degrees of freedom are then about four, so that they are wide.
""",
    apart=("model",),
    heads=("world", "errors"),
)

if __name__ == "__main__":
    main(PLAN, __doc__)
