"""Inside `methods.basics`: compared with published figures."""

from alliance_longitudinal.methods.basics import inference
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.inference import exact_icc_interval
from alliance_longitudinal.methods.basics.proportions import correlation_of_proportions, proportion, wilson

__all__ = [
    "Estimates",
    "correlation_of_proportions",
    "exact_icc_interval",
    "inference",
    "proportion",
    "wilson",
]
