"""Inside `engine.diagnostics`: compared with n by n matrices."""

from alliance_longitudinal.engine.diagnostics import influence, residuals
from alliance_longitudinal.engine.diagnostics.caterpillar import comparison_factor, expected_rank
from alliance_longitudinal.engine.diagnostics.leave_out import tree_of, without_each
from alliance_longitudinal.engine.diagnostics.prediction_errors import (
    degrees_of_freedom,
    error_variance,
    mean_errors,
)
from alliance_longitudinal.engine.diagnostics.refits_without import without_rows
from alliance_longitudinal.engine.diagnostics.residuals import standing

__all__ = [
    "comparison_factor",
    "degrees_of_freedom",
    "error_variance",
    "expected_rank",
    "influence",
    "mean_errors",
    "residuals",
    "standing",
    "tree_of",
    "without_each",
    "without_rows",
]
