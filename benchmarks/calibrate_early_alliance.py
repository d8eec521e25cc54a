"""Repeats the early-alliance analysis on simulated clinic groups: bias and coverage of every headline estimate.

`make calibrate` runs 400 sets of each world and writes docs/calibration/early_alliance.md; other worlds are those in which
therapists do and do not differ in the effect of alliance.

What the truth is: the effects on the course (``slope_*``) are parameters of the generator. All other estimates have no
parameter of their own (they depend on caseloads, dropout and lengths of treatment), so their truth is what the
same estimator gives on very large clinic groups (mean of ten, each of 600 therapists and 18,000 clients) of the same make.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import Plan, Row, main, row_of

from alliance_longitudinal.analyses.early_alliance.compute import (
    correlation_estimates,
    effect_estimates,
    fit_models,
    variance_estimates,
)
from alliance_longitudinal.analyses.early_alliance.latent import latent_estimates
from alliance_longitudinal.analyses.early_alliance.leaving import leaving_estimates, with_pattern
from alliance_longitudinal.analyses.early_alliance.literature import literature_estimates
from alliance_longitudinal.analyses.kit.early_design import Choices, EarlyDesign, build_design
from alliance_longitudinal.analyses.kit.early_models import course_model, split_effects
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow

DEFAULT = "30 therapists, 900 clients"
AS_REPORTED = "slope_within, as reported"
LARGE = ClinicTruth(therapists=600, clients=18_000)
LARGE_SEEDS = range(1_000_001, 1_000_011)


def design_of(seed: int, truth: ClinicTruth) -> EarlyDesign:
    """The default analysis's design on one simulated clinic group."""
    study = simulated_study(seed, truth)
    choices = Choices(study.measures["alliance"], study.measures["phq9"], TimeWindow(1, 5), 1, True, True)
    return build_design(study.sessions, study.flow, choices, MIN_THERAPISTS)


def of_analysis(seed: int, truth: ClinicTruth) -> list[Row]:
    """Headline estimates of one clinic group."""
    design = design_of(seed, truth)
    models = fit_models(design)
    effects = effect_estimates(models, design)
    same = effect_estimates(models.same, design) if models.same else effects
    weeks = design.typical_followup
    found = [
        *effects,
        *correlation_estimates(effects, design, same),
        *literature_estimates(design),
        *latent_estimates(design),
        *leaving_estimates(design, models, with_pattern(design.rows, weeks)),
        *variance_estimates(design, 0, seed)[0],
    ]
    return [row_of(e.id, e) for e in found]


#: Where therapists' effects do not differ, and where they do by as much as the mean effect; with many and with few therapists.
WORLDS = {
    "30 therapists, one effect": ClinicTruth(therapists=30, clients=600),
    "30 therapists, effects differ": ClinicTruth(therapists=30, clients=600, within_therapist_sd=0.02),
    "12 therapists, one effect": ClinicTruth(therapists=12, clients=240),
    "12 therapists, effects differ": ClinicTruth(therapists=12, clients=240, within_therapist_sd=0.02),
}


def of_ways(seed: int, world: str) -> list[Row]:
    """The effect within therapists by each way of the analysis."""
    truth = WORLDS[world]
    design = design_of(seed, truth)
    reported = course_model(design)
    own = reported.structure.own_effect
    same = course_model(design, own=False) if own else replace(reported, robust=None)
    found = {AS_REPORTED: reported, "slope_within, one effect for all therapists": same}
    return [
        row_of(way, split_effects(model, design, "slope")["within"], truth.within)
        for way, model in found.items()
    ]


def one(seed: int, world: str) -> list[Row]:
    """One clinic group of a world."""
    if world in WORLDS:
        return of_ways(seed, world)
    return of_analysis(seed, LARGE if world == "large" else ClinicTruth())


def known(draws: pd.DataFrame) -> pd.DataFrame:
    """Truths: parameters for the course, and the mean of the large clinic groups for all else."""
    by = draws[draws["world"] == "large"].groupby("name")["estimate"]
    truth = ClinicTruth()
    own = {
        "slope_within": truth.within,
        "slope_between": truth.between,
        "slope_contextual": truth.between - truth.within,
    }
    found, error = (
        draws["name"].map({**by.mean(), **own}),
        draws["name"].map({**by.sem(), **dict.fromkeys(own, 0.0)}),
    )
    here = draws["world"] == DEFAULT
    return draws.assign(truth=found.where(here, draws["truth"]), truth_error=error.where(here, np.nan))


PLAN = Plan(
    "early_alliance",
    "the early-alliance analysis",
    """
Clinic groups (`data/synthetic.py`), analysed with the default parameters. In the other worlds the effect within therapists on the rate of change
(truth -0.02; where effects differ, their standard deviation is 0.02), 20 clients a therapist.
""",
    [DEFAULT, *WORLDS],
    one,
    ["slope_within", AS_REPORTED, "slope_between", "end_within", "end_between_latent", "r_slope_within"],
    "effect of early alliance within and between therapists",
    notes="""
## Reading the table

- `slope_*`: weekly change per WAI-SR point; `end_*`: change from intake per point; `r_*` and `r_slope_*`: partial
  correlations with the change from intake and with the rate of change; `r_zero`, `r_intake`: correlations of clients with
  the last score; `end_between_latent`, `end_between_moment`: latent means of therapists; `slope_within_completers`,
  `slope_within_pattern`: clients who stayed, and averaged over those who left; `share_*`: shares of variance.
- A truth with ± is a large-sample value with its own Monte Carlo error, which is part of the error of the bias; one
  without is a parameter of the generator.
- `slope_within` is pulled towards zero by 2 to 3 %: scores have a lowest and a highest value, and a missing rating makes
  the mean over the window a little less exact.

- Therapists who differ: with 20 or more therapists the analysis gives each an effect of their own, and its interval covers as
  it should whether they differ or not. With fewer it cannot, and the interval is cluster-robust (CR2). One that takes the effect as the
  same for all therapists (`slope_within_same` in the report) is too narrow where they differ.

## Where coverage is not between 93 and 97 %

- `r_slope_*`: Fisher's interval for r = t / √(t² + df) takes the Satterthwaite df as the number of independent
  observations, which is only roughly right for rates of change.
- `r_zero`, `r_intake`: the interval is a little too wide (98 and 99 %), because its robust error is about 8 % larger than the true one.
""",
    apart=("slope_within, one effect for all therapists",),
    digits=4,
    large={"large": LARGE_SEEDS},
    known=known,
    short="with 12 therapists whose effects differ, intervals of the effect within therapists are still a little narrow",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
