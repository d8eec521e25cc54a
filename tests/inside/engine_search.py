"""Inside `engine.search`: the criterion at given values, and the search on functions with known minima."""

from alliance_longitudinal.engine.search import criterion, optimize, presearch, quick, theta
from alliance_longitudinal.engine.search.criterion import profiled
from alliance_longitudinal.engine.search.newton import minimise
from alliance_longitudinal.engine.search.optimize import search
from alliance_longitudinal.engine.search.theta import Face

__all__ = ["Face", "criterion", "minimise", "optimize", "presearch", "profiled", "quick", "search", "theta"]
