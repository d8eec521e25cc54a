"""Inside `analyses.measurement`: improper solutions, which no study file gives at will."""

from alliance_longitudinal.analyses.measurement import words
from alliance_longitudinal.analyses.measurement.compute import Found, _improper, compare, side_by_side
from alliance_longitudinal.analyses.measurement.design import Answers
from alliance_longitudinal.analyses.measurement.levels import level_correlations

__all__ = ["Answers", "Found", "_improper", "compare", "level_correlations", "side_by_side", "words"]
