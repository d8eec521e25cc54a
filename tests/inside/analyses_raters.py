"""Inside `analyses.raters`: the tables of a response surface."""

from alliance_longitudinal.analyses.raters.sources import Surface
from alliance_longitudinal.analyses.raters.tables import surface_tables

__all__ = ["Surface", "surface_tables"]
