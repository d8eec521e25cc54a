"""Inside `engine.inference`: profiles and tests that are checked by brute force."""

from alliance_longitudinal.engine.inference import (
    boundary_tests,
    charts,
    cluster_robust,
    constrained,
    kenward_roger_structured,
    profile,
    profile_names,
    reduced,
    restricted_lrt,
    surface,
)
from alliance_longitudinal.engine.inference.adjust import adjusted, holm
from alliance_longitudinal.engine.inference.charts_shares import Rest, share
from alliance_longitudinal.engine.inference.family import extra_of, source_of
from alliance_longitudinal.engine.inference.generalised_intervals import bootstrap_intervals
from alliance_longitudinal.engine.inference.kenward_roger import scaled_f
from alliance_longitudinal.engine.inference.profile_names import full_face, variance_parameters
from alliance_longitudinal.engine.inference.rubin import joint_df, shares_of

__all__ = [
    "Rest",
    "adjusted",
    "bootstrap_intervals",
    "boundary_tests",
    "charts",
    "cluster_robust",
    "constrained",
    "extra_of",
    "full_face",
    "holm",
    "joint_df",
    "kenward_roger_structured",
    "profile",
    "profile_names",
    "reduced",
    "restricted_lrt",
    "scaled_f",
    "share",
    "shares_of",
    "source_of",
    "surface",
    "variance_parameters",
]
