"""Inside `engine.generalised_fit`: a fit at values that are not the optimum."""

from alliance_longitudinal.engine import generalised_fit
from alliance_longitudinal.engine.generalised_fit import face_of, reported

__all__ = ["face_of", "generalised_fit", "reported"]
