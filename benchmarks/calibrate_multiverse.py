"""Repeats the multiverse on simulated clinic groups: error rate of its joint tests without an effect, power with one.

`make calibrate` runs 400 groups of each world and writes docs/calibration/multiverse.md.

Without an effect nothing makes early alliance and later symptoms go together: the ratings answer neither to improvement nor to
severity, so no adjustment is needed for the truth of zero. With ``effects of their own`` each therapist has an effect, and these are
zero on average: then permuted data, in which no therapist has one, differ less than they should.
"""

import pandas as pd
from calibration import Plan, Row, main
from scipy import stats

from alliance_longitudinal.analyses.multiverse.compute import Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import LEAST, Early, Spec, specs_of
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

PLAIN = {"between": 0.0, "alliance_by_improvement": 0.0, "alliance_by_severity": 0.0}
MAKES = {
    "no effect, 30 therapists, 360 clients": ClinicTruth(30, 360, within=0.0, **PLAIN),
    "no effect, 8 therapists, 120 clients": ClinicTruth(8, 120, within=0.0, **PLAIN),
    "no effect on average, effects of their own (SD .02)": ClinicTruth(
        30, 360, within=0.0, within_therapist_sd=0.02, **PLAIN
    ),
    "effect -.01 per point and week, 30 therapists, 360 clients": ClinicTruth(30, 360, within=-0.01, **PLAIN),
    "effect -.02 per point and week, 30 therapists, 360 clients": ClinicTruth(30, 360, within=-0.02, **PLAIN),
}
#: The larger effect needs no mixed models, which cost four times as much: with them power is shown for the smaller one.
SMALLER = list(MAKES)[:-1]
#: World -> make and estimators.
WORLDS = {
    f"{make}; {words}": (make, estimators)
    for words, estimators, makes in (
        ("least squares", (LEAST,), MAKES),
        ("mixed models", ("three_level",), SMALLER),
    )
    for make in makes
}
PERMUTATIONS = 199
TESTS = {"p_mean_t": "mean t", "p_median": "median", "p_significant": "number significant"}


def one(seed: int, world: str) -> list[Row]:
    """The three p of one group."""
    make, estimators = WORLDS[world]
    study = simulated_study(seed, MAKES[make], items=False)
    alliance = study.measures["alliance"]
    windows = [Early.parse(w) for w in ("3", "1-3", "1-5", "first5")]
    specs = specs_of(
        [(alliance, "total")], windows, ("nothing", "intake", "change"), ("slope", "last"), estimators
    )
    main_one = Spec(alliance, "total", Early.parse("1-5"), "change", "slope", estimators[0])
    setting = Setting(study.measures["phq9"], "week", "within", 8.0)
    found = multiverse_of(study.sessions, specs, main_one, setting, PERMUTATIONS, seed)
    assert found is not None
    curve = found.curve
    return [
        {"name": name, "estimate": getattr(curve, test), "p": getattr(curve, test)}
        for test, name in TESTS.items()
    ]


def more(draws: pd.DataFrame) -> list[str]:
    """Whether p is uniform without an effect."""
    lines = ["| world | test | p of uniformity (Kolmogorov-Smirnov) |", "|---|---|---|"]
    for (world, name), part in draws.groupby(["world", "name"], sort=False):
        if "effect -" not in world and name != TESTS["p_significant"]:
            lines.append(f"| {world} | {name} | {stats.kstest(part['p'].dropna(), 'uniform').pvalue:.3f} |")
    return lines


PLAN = Plan(
    "multiverse",
    "the multiverse",
    f"""
Joint tests of 24 analyses (four early windows, three adjustments, two outcomes) with {PERMUTATIONS} permutations, on simulated clinic groups.
Without an effect, p should be at most .05 in one of twenty groups, and be uniform for the median and the mean t. The number of significant analyses
has ties, so its test rejects less often.
""",
    list(WORLDS),
    one,
    list(TESTS.values()),
    "joint tests of 24 analyses",
    notes="""
Where effects differ between therapists and are zero on average, the null of the permutations (no effect for any therapist) is not
true, and a p of these tests may be small for this reason. The report says so among its limits.
""",
    heads=("world", "test"),
    more=more,
    apart=[world for world in WORLDS if "effect -" in world or "of their own" in world],
    short="where therapists have effects of their own that are zero on average, 6 to 14 % of p are up to .05 (said among the limits)",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
