"""Inside `methods.psychometrics`: compared with published figures and R, method by method."""

from alliance_longitudinal.methods.psychometrics.change.classify import METHODS, ChangeCategories
from alliance_longitudinal.methods.psychometrics.change.cutoffs import Functional, cutoff
from alliance_longitudinal.methods.psychometrics.change.indices import Moments
from alliance_longitudinal.methods.psychometrics.factors.factor_fit import (
    FactorFit,
    fit_factors,
    unrestricted_spec,
)
from alliance_longitudinal.methods.psychometrics.factors.factor_models import (
    LEVELS,
    bifactor,
    correlated_factors,
    repeated,
)
from alliance_longitudinal.methods.psychometrics.factors.structure import Model
from alliance_longitudinal.methods.psychometrics.gains.events import (
    Rules,
    around,
    intervals,
    ordered_scores,
    rci_points,
    sudden,
)
from alliance_longitudinal.methods.psychometrics.gains.expected import expected_counts, steady_change
from alliance_longitudinal.methods.psychometrics.reliability.change_reliability import (
    crossed_reliability,
    nested_reliability,
)
from alliance_longitudinal.methods.psychometrics.reliability.consistency import alpha, alpha_from_cov, omega
from alliance_longitudinal.methods.psychometrics.reliability.raters import ICC_KINDS

__all__ = [
    "ICC_KINDS",
    "LEVELS",
    "METHODS",
    "ChangeCategories",
    "FactorFit",
    "Functional",
    "Model",
    "Moments",
    "Rules",
    "alpha",
    "alpha_from_cov",
    "around",
    "bifactor",
    "correlated_factors",
    "crossed_reliability",
    "cutoff",
    "expected_counts",
    "fit_factors",
    "intervals",
    "nested_reliability",
    "omega",
    "ordered_scores",
    "rci_points",
    "repeated",
    "steady_change",
    "sudden",
    "unrestricted_spec",
]
