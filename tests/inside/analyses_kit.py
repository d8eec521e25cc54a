"""Inside `analyses.kit`: rules of structure and norms, and designs with known truth, on plain frames."""

from alliance_longitudinal.analyses.kit import references
from alliance_longitudinal.analyses.kit.benchmarks import given_benchmark, place
from alliance_longitudinal.analyses.kit.early_design import Choices, EarlyDesign, build_design
from alliance_longitudinal.analyses.kit.early_models import endpoint_model
from alliance_longitudinal.analyses.kit.fits import too_few_for
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.scales import scale_scores
from alliance_longitudinal.analyses.kit.shares import Shares, with_failures

#: Errors by therapist that cannot be computed, which no study gives at will.
WITH_ROBUST_ERRORS = "alliance_longitudinal.analyses.kit.robust.with_robust_errors"

__all__ = [
    "WITH_ROBUST_ERRORS",
    "Choices",
    "EarlyDesign",
    "Given",
    "Shares",
    "build_design",
    "endpoint_model",
    "given_benchmark",
    "known_norms",
    "place",
    "references",
    "scale_scores",
    "too_few_for",
    "with_failures",
]
