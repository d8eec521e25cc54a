"""Reliable change: published counts, and the formulas computed anew in R (``change.json``)."""

import numpy as np

from alliance_longitudinal import classify_change
from analyses.test_reliable_change_methods import PUBLISHED, REFERENCE, SETS, claus, wide
from reference.catalogue import SHARED
from reference.figures import Figure, Table, Topic, beside, where_at_hand

COUNTS = "HAM-D of claus_2020, times 1 and 4, r = .80, functional mean 8 and SD 8, cut-off c."


def _published(_: str) -> Table:
    found: list[Figure] = []
    for method, counts in PUBLISHED.items():
        change = claus(SHARED, method)
        found += beside([f"{method}: {name}" for name in change.counts], counts, change.counts.values())
    change = claus(SHARED, "JT")
    m = change.moments
    cut = change.cut.value if change.cut else np.nan
    names = [
        "mean before",
        "SD before",
        "mean after",
        "SD after",
        "s_diff",
        "points of reliable change",
        "cut-off c",
    ]
    values = [m.mean, m.sd, m.mean_post, m.sd_post, m.s_diff, 1.96 * m.s_diff, cut]
    found += beside(names, [24.85, 3.340121, 14.975, 7.711089, 2.112478, 4.140457, 19.887], values, 0, 6e-6)
    group = claus(SHARED, "HA").group_level
    found += beside(
        ["HA, group: changed", "HA, group: functional"],
        [0.90, 0.76],
        [group["changed"], group["functional"]],
        0,
        0.005,
    )
    return Table(
        "claus_2020: published counts", COUNTS, "clinicalsignificance 2.1, its printed tests", tuple(found)
    )


def _indices(name: str) -> Table:
    *_, r, r_post = SETS[name]
    found: list[Figure] = []
    for method, theirs in REFERENCE[name]["rci"].items():
        change = classify_change(wide(SHARED, name), method, reliability=r, reliability_post=r_post)
        rci = change.frame["rci"].dropna().to_numpy()
        labels = ["sum", "sum of squares", "first", "second", "third"]
        found += beside(
            [f"{method}, index: {label}" for label in labels],
            [theirs["sum"], theirs["squares"], *theirs["first"]],
            [rci.sum(), (rci**2).sum(), *rci[:3]],
            1e-9,
            1e-9,
        )
    return Table(
        f"{name}: indices", f"Reliability {r}, after treatment {r_post}.", REFERENCE["r"], tuple(found)
    )


def _slopes(_: str) -> Table:
    slopes = claus(SHARED, "HLM").slopes
    if slopes is None:
        raise ValueError("method HLM has no slopes")
    theirs = REFERENCE["claus_hlm"]
    ours = slopes.frame.set_index("client")["rci"].loc[theirs["id"]]
    found = beside(["average slope"], [theirs["average"]], [slopes.average], 0, 1e-5)
    found += beside([f"client {i}: index" for i in theirs["id"]], theirs["rci"], ours, 0, 2e-4)
    return Table(
        "claus_2020: slopes (HLM)", "`hamd ~ time + (time | id)`.", f"lme4 {REFERENCE['lme4']}", tuple(found)
    )


def topic() -> Topic:
    """All of it; the rows lie beside the checkout."""
    makers = {
        "published counts": _published,
        **dict.fromkeys(REFERENCE.keys() & SETS.keys(), _indices),
        "slopes": _slopes,
    }
    tables, absent = where_at_hand(sorted(makers), str, lambda name: makers[name](name))
    return Topic(
        "Reliable change",
        "Counts that the R package clinicalsignificance prints in its tests, and the six formulas of the papers computed "
        "anew in R (`make_change.R`).",
        "Counts are equal; moments to the printed digit; indices to 1e-9; lme4 stops within 1e-6 of the optimum, which "
        "moves the ratio of a mode to its SD by 1e-4.",
        tables,
        absent,
    )
