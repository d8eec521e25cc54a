"""Inside `analyses.early_alliance`: a design with known truth, fitted without a study."""

from alliance_longitudinal.analyses.early_alliance import words
from alliance_longitudinal.analyses.early_alliance.compute import (
    fit_models,
    partial_correlation,
    point_estimates,
    variance_estimates,
)
from alliance_longitudinal.analyses.early_alliance.deltas import completed_rows, leavers
from alliance_longitudinal.analyses.early_alliance.length import length_rows
from alliance_longitudinal.analyses.early_alliance.literature import literature_estimates
from alliance_longitudinal.analyses.early_alliance.staying import client_weights
from alliance_longitudinal.analyses.early_alliance.tables import against_truth
from alliance_longitudinal.analyses.early_alliance.together import Together, show_together

__all__ = [
    "Together",
    "against_truth",
    "client_weights",
    "completed_rows",
    "fit_models",
    "leavers",
    "length_rows",
    "literature_estimates",
    "partial_correlation",
    "point_estimates",
    "show_together",
    "variance_estimates",
    "words",
]
