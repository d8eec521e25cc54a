"""Inside `methods.basics`: compared with published figures."""

from alliance_longitudinal.methods.basics import inference
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.inference import exact_icc_interval
from alliance_longitudinal.methods.basics.many_scores import deviances
from alliance_longitudinal.methods.basics.proportions import correlation_of_proportions, proportion, wilson
from alliance_longitudinal.methods.basics.two_scores import solve, two_scores

__all__ = [
    "Estimates",
    "correlation_of_proportions",
    "deviances",
    "exact_icc_interval",
    "inference",
    "proportion",
    "solve",
    "two_scores",
    "wilson",
]
