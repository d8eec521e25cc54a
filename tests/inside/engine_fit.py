"""Inside `engine.fit`: a fit at values that are not the optimum."""

from alliance_longitudinal.engine.fit import package

__all__ = ["package"]
