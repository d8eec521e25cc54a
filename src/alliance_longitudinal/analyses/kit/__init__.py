"""What every analysis is made with: the only thing that the author of one has to read."""

from alliance_longitudinal.analyses.kit.analysis import analysis
from alliance_longitudinal.analyses.kit.asking import begin_numbers
from alliance_longitudinal.analyses.kit.changing import needs_change
from alliance_longitudinal.analyses.kit.charts import curves_figure, found_and_expected, shares_figure
from alliance_longitudinal.analyses.kit.checks import coefficient_table, models_table, variance_table
from alliance_longitudinal.analyses.kit.columns import COUNT, ESTIMATE, PERCENT, SHARE, TEST
from alliance_longitudinal.analyses.kit.covariates import Covariate, find_covariates
from alliance_longitudinal.analyses.kit.draft import Draft
from alliance_longitudinal.analyses.kit.fits import (
    COURSE,
    ENDPOINT,
    GROWTH,
    LEVEL,
    MIN_THERAPISTS,
    Fitted,
    Structure,
    fit_first,
    therapist_df,
    with_own_effect,
    with_those_without,
)
from alliance_longitudinal.analyses.kit.groups import (
    Groups,
    compared,
    difference,
    slug,
    slugs,
    with_file_names,
)
from alliance_longitudinal.analyses.kit.nesting import (
    ALONE,
    each_alone,
    neutral,
    number_of_therapists,
    partly,
    spread,
    together,
    usable_therapists,
    variance_of,
    with_one,
)
from alliance_longitudinal.analyses.kit.parameters import (
    AS_NAMES,
    AS_NUMBERS,
    AllianceName,
    Audience,
    By,
    Clinic,
    Covariates,
    Names,
    OutcomeName,
    Samples,
    Seed,
    Window,
)
from alliance_longitudinal.analyses.kit.people import Hits, clusters
from alliance_longitudinal.analyses.kit.references import reference, short
from alliance_longitudinal.analyses.kit.robust import robust_of, with_robust, with_robust_errors
from alliance_longitudinal.analyses.kit.sample import TooLittle
from alliance_longitudinal.analyses.kit.selection import at_intake, choose_measure, time_unit
from alliance_longitudinal.analyses.kit.therapists import rows_of_groups, say_group_apart, say_not_compared
from alliance_longitudinal.analyses.result import Estimate, estimate_frame
from alliance_longitudinal.counts import Count, Number, Private, Share
from alliance_longitudinal.sentences import Sentence, joined, listed, say

__all__ = [
    "ALONE",
    "AS_NAMES",
    "AS_NUMBERS",
    "COUNT",
    "COURSE",
    "ENDPOINT",
    "ESTIMATE",
    "GROWTH",
    "LEVEL",
    "MIN_THERAPISTS",
    "PERCENT",
    "SHARE",
    "TEST",
    "AllianceName",
    "Audience",
    "By",
    "Clinic",
    "Count",
    "Covariate",
    "Covariates",
    "Draft",
    "Estimate",
    "Fitted",
    "Groups",
    "Hits",
    "Names",
    "Number",
    "OutcomeName",
    "Private",
    "Samples",
    "Seed",
    "Sentence",
    "Share",
    "Structure",
    "TooLittle",
    "Window",
    "analysis",
    "at_intake",
    "begin_numbers",
    "choose_measure",
    "clusters",
    "coefficient_table",
    "compared",
    "curves_figure",
    "difference",
    "each_alone",
    "estimate_frame",
    "find_covariates",
    "fit_first",
    "found_and_expected",
    "joined",
    "listed",
    "models_table",
    "needs_change",
    "neutral",
    "number_of_therapists",
    "partly",
    "reference",
    "robust_of",
    "rows_of_groups",
    "say",
    "say_group_apart",
    "say_not_compared",
    "shares_figure",
    "short",
    "slug",
    "slugs",
    "spread",
    "therapist_df",
    "time_unit",
    "together",
    "usable_therapists",
    "variance_of",
    "variance_table",
    "with_file_names",
    "with_one",
    "with_own_effect",
    "with_robust",
    "with_robust_errors",
    "with_those_without",
]
