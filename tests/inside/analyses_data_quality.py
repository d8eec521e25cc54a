"""Inside `analyses.data_quality`: checks of single forms, which a report shows only in sums."""

from alliance_longitudinal.analyses.data_quality import charts, quality_checks
from alliance_longitudinal.analyses.data_quality.answers import longest_runs, same_throughout
from alliance_longitudinal.analyses.data_quality.patterns import patterns_of
from alliance_longitudinal.analyses.data_quality.records import Filled, Records, filled_in
from alliance_longitudinal.analyses.data_quality.scores import robust_sd
from alliance_longitudinal.analyses.data_quality.terminal import check_lines, check_records

__all__ = [
    "Filled",
    "Records",
    "charts",
    "check_lines",
    "check_records",
    "filled_in",
    "longest_runs",
    "patterns_of",
    "quality_checks",
    "robust_sd",
    "same_throughout",
]
