"""One research question a file; the only place where the clinic track and the model track meet."""

from alliance_longitudinal.analyses.change_parts.classify import classify_change
from alliance_longitudinal.analyses.data_quality import data_quality
from alliance_longitudinal.analyses.early_alliance import early_alliance
from alliance_longitudinal.analyses.gain_parts.find import find_sudden_gains
from alliance_longitudinal.analyses.measurement import measurement
from alliance_longitudinal.analyses.measurement_parts.raters import rater_agreement
from alliance_longitudinal.analyses.publish import publish
from alliance_longitudinal.analyses.reliable_change import reliable_change
from alliance_longitudinal.analyses.result import AnalysisResult
from alliance_longitudinal.analyses.sudden_gains import sudden_gains
from alliance_longitudinal.analyses.variance_partition import variance_partition

__all__ = [
    "AnalysisResult",
    "classify_change",
    "data_quality",
    "early_alliance",
    "find_sudden_gains",
    "measurement",
    "publish",
    "rater_agreement",
    "reliable_change",
    "sudden_gains",
    "variance_partition",
]
