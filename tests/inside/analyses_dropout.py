"""Inside `analyses.dropout`: rows at risk, steps of the hazard and thirds of known data."""

from alliance_longitudinal.analyses.dropout.compute import bands, leaving_of, third_of

__all__ = ["bands", "leaving_of", "third_of"]
