"""Inside `methods.missing`: effects under many deltas, and weights of those who stayed, beside other programs."""

from alliance_longitudinal.methods.missing.staying import staying_weights, weighted_course
from alliance_longitudinal.methods.missing.tipping import DeltaEffects, delta_effects

__all__ = ["DeltaEffects", "delta_effects", "staying_weights", "weighted_course"]
