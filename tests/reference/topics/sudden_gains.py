"""Sudden gains: what the R package suddengains prints for its own example data."""

import pandas as pd

import alliance_longitudinal as al
from analyses.test_sudden_gains_rules import SMALL, bdi_sessions
from inside.methods_psychometrics import rci_points
from reference.figures import Figure, Table, Topic, beside

PERSONS = (1, 3, 4, 5, 9, 10, 12, 13, 14, 18, 39, 40, 41, 42, 43)
BY_SESSION = (3, 8, 1, 3, 1, 2, 5, 1, 0)


def _gains() -> Table:
    scores = bdi_sessions()
    found = al.find_sudden_gains(scores, 7)
    gains = found[found["gain"]]
    per = gains.groupby("client").size()
    size = gains["before"] - gains["after"]
    first = size.groupby(gains["client"]).first()
    rows: list[Figure] = beside(
        ["gains", "persons with a gain", "persons with several", "reversals"],
        [24, 15, 8, 4],
        [len(gains), len(per), int((per > 1).sum()), int(gains["reversed"].sum())],
    )
    rows += beside([f"person {k}" for k in range(1, 16)], PERSONS, [int(c) for c in per.index])
    by_session = gains.groupby("session").size().reindex(range(2, 11), fill_value=0)
    rows += beside([f"gains from session {n} to {n + 1}" for n in range(2, 11)], BY_SESSION, list(by_session))
    moments = [100 * len(per) / 43, size.mean(), size.std(), first.mean(), first.std()]
    names = ["percent of persons", "mean size", "SD of sizes", "mean size, first gains", "SD, first gains"]
    rows += beside(names, [34.88, 11, 3.43, 11.4, 3.98], moments, 0, 0.005)
    variants = [
        al.find_sudden_gains(scores, 7, stability="fixed")["gain"].sum(),
        al.find_sudden_gains(scores, 7, stability="none")["gain"].sum(),
        found["loss"].sum(),
        al.find_sudden_gains(scores, 7, share=None)["loss"].sum(),
    ]
    names = ["gains, critical value 2.776", "gains, criteria 1 and 2", "losses", "losses without criterion 2"]
    rows += beside(names, [26, 30, 3, 3], [int(v) for v in variants])
    sd = float(pd.read_csv(SMALL / "sgdata.csv")["bdi_s0"].std())
    points = [rci_points(10.5, 0.931), sd, rci_points(sd, 0.931)]
    names = ["cutoff, SD 10.5, reliability .931", "SD of bdi_s0", "cutoff with this SD"]
    rows += beside(names, [7.645131, 6.396073, 4.657030], points, 0, 6e-7)
    return Table(
        "sgdata: sudden gains",
        "BDI of sessions 1 to 12, cutoff 7.",
        "suddengains 0.7.2, its vignette and tests",
        tuple(rows),
    )


def topic() -> Topic:
    """All of it."""
    return Topic(
        "Sudden gains",
        "Counts and moments that the R package suddengains prints for its example data, which lie in `tests/reference/small`.",
        "Counts are equal; moments to the printed digit.",
        (_gains(),),
        (),
    )
