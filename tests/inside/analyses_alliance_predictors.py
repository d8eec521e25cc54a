"""Inside `analyses.alliance_predictors`: errors by therapist that cannot be computed, which no study gives at will."""

WITH_ROBUST_ERRORS = "alliance_longitudinal.analyses.alliance_predictors.compute.with_robust_errors"

__all__ = ["WITH_ROBUST_ERRORS"]
